"""Compiled models on an emulated Xtensa core: the same bytes as on the host, and as the reference.

It stands in for the ESP32-S3's core; `tests.support.xtensa` says how far.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemcu.compiler import compile_model
from edgemcu.reference_model import with_micro_rounding
from edgemcu.tflite import parse_model
from tests.support.operator_cases import CASES, make_case
from tests.support.oracle import run_oracle
from tests.support.tflm_networks import NETWORKS
from tests.support.xtensa import Machine, require_tools

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

pytestmark = pytest.mark.emulator

SEEDS = range(500_000, 500_003)


def different(models: dict[str, bytes], inputs: list[NDArray[np.uint8]], folder: Path) -> list[str]:
    """Names of the models whose outputs are not the reference's."""
    require_tools()
    expected = run_oracle(
        [with_micro_rounding(model) for model in models.values()], inputs, folder / "oracle"
    )
    compiled = [
        compile_model(parse_model(model, name), model_digest="0" * 64)
        for name, model in models.items()
    ]
    wrong = []
    with Machine(compiled, folder / "image") as machine:
        for index, (name, want) in enumerate(zip(models, expected, strict=True)):
            assert want is not None, name
            if not np.array_equal(machine.run(index, inputs[index]), want):
                wrong.append(name)
    return wrong


def test_sample_of_every_operator(tmp_path: Path) -> None:
    cases = [make_case(kind, seed) for kind in CASES for seed in SEEDS]
    models = {f"{case.kind}, {case.seed}": case.model for case in cases}
    assert different(models, [case.inputs for case in cases], tmp_path) == []


def test_whole_networks(tmp_path: Path) -> None:
    models = {name: make() for name, make in NETWORKS.items()}
    rng = np.random.default_rng(0)
    sizes = [
        sum(graph.tensors[index].bytes for index in graph.inputs)
        for graph in (parse_model(model, name) for name, model in models.items())
    ]
    inputs = [rng.integers(0, 256, (4, size), dtype=np.uint8) for size in sizes]
    assert different(models, inputs, tmp_path) == []
