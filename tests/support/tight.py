"""Compiles models of one operator so that its output overlaps an input as far as the kernel allows.

A kernel that overwrites what it still has to read then gives wrong bytes. Give `alignment=4` for
kernels that need aligned tensors, as the planner does for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from unittest.mock import patch

from edgemcu.compiler import CompiledModel, compile_model, planner
from edgemcu.graph.ir import Graph


def tight_models(
    graph: Graph, *, target: str = "portable", alignment: int = 1
) -> list[CompiledModel]:
    """One for each input that the kernel may overlap; none where it allows no overlap."""
    found: list[tuple[int, int]] = []

    def look(
        blocks: Sequence[planner.Block], slides: Mapping[tuple[int, int], int], _: int
    ) -> planner.Plan:
        found.extend(slides)
        return planner.Plan((0,) * len(blocks), 1, 0)

    def tight(
        pair: tuple[int, int],
        blocks: Sequence[planner.Block],
        slides: Mapping[tuple[int, int], int],
        _: int,
    ) -> planner.Plan:
        source, output = pair
        distance = -(-slides[pair] // alignment) * alignment
        distance = max(distance, -blocks[source].bytes)
        offsets = {output: max(0, -distance), source: max(0, distance)}
        end = max(offsets[i] + blocks[i].bytes for i in pair)
        for i, block in enumerate(blocks):
            if i not in pair:
                offsets[i] = -(-end // 16) * 16
                end = offsets[i] + block.bytes
        return planner.Plan(tuple(offsets[i] for i in range(len(blocks))), end, end)

    with patch.object(planner, "plan", look):
        compile_model(graph, target=target, model_digest="0" * 64)
    models = []
    for pair in found:
        with patch.object(planner, "plan", partial(tight, pair)):
            models.append(compile_model(graph, target=target, model_digest="0" * 64))
    return models
