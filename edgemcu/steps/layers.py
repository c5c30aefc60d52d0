"""What the compiled runtime makes of a model: layers, kernels, costs, places in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgemcu.board_schema import Board
from edgemcu.compiler import compile_model
from edgemcu.compiler.kernels import least_per_mac
from edgemcu.errors import UnsupportedModelError
from edgemcu.firmware.runtime import ModelSource


@dataclass(frozen=True)
class PlannedLayer:
    """One layer as it will run.

    Attributes:
        number: from 1, in the order of execution.
        kernel: the C function that was chosen for it.
        macs: multiply-accumulates that the lossless passes left.
        cost: estimated for the kernel: cycles of a Cortex-M4 with its kernels, else instructions;
            None where it was the only one.
        bound: what the core's widest multiplication would need for these multiply-accumulates, if
            loading, storing and rescaling were free.
        weights_bytes, output_bytes, scratch_bytes: constants in flash; its output and what it
            needs beside its tensors, in the arena.
        offset: where its output begins in the arena.
        overlaps: whether the output is written over what the layer has read.
        notes: what passes changed.
    """

    number: int
    kind: str
    name: str
    output_shape: tuple[int, ...]
    kernel: str
    macs: int
    cost: float | None
    bound: float
    weights_bytes: int
    output_bytes: int
    scratch_bytes: int
    offset: int
    overlaps: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CompiledPlan:
    """A model, compiled with one kernel set.

    Attributes:
        kernels: the set.
        boards: those among the ones asked for that use it.
        arena_bytes: RAM for activations.
        arena_lower_bound: no plan for these layers and kernels needs less.
        weights_bytes: constants in flash.
        layers: in the order of execution; none if the model cannot be compiled.
        reason: why not; None if it can.
    """

    kernels: str
    boards: tuple[str, ...]
    arena_bytes: int = 0
    arena_lower_bound: int = 0
    weights_bytes: int = 0
    layers: tuple[PlannedLayer, ...] = ()
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "boards": list(self.boards),
            "layers": [
                {
                    **vars(layer),
                    "output_shape": list(layer.output_shape),
                    "notes": list(layer.notes),
                }
                for layer in self.layers
            ],
        }


def compiled_plans(model: ModelSource, boards: Sequence[Board]) -> tuple[CompiledPlan, ...]:
    """One plan for each kernel set that the boards use."""
    users: dict[str, list[str]] = {}
    for board in boards:
        users.setdefault(board.kernels.compiled, []).append(board.name)
    return tuple(_plan(model, kernels, tuple(names)) for kernels, names in users.items())


def _plan(model: ModelSource, kernels: str, boards: tuple[str, ...]) -> CompiledPlan:
    try:
        compiled = compile_model(model.graph, target=kernels, model_digest=model.digest)
    except UnsupportedModelError as error:
        return CompiledPlan(kernels, boards, reason=error.message)
    return CompiledPlan(
        kernels=kernels,
        boards=boards,
        arena_bytes=compiled.arena_bytes,
        arena_lower_bound=compiled.arena_lower_bound,
        weights_bytes=compiled.weights_bytes,
        layers=tuple(
            PlannedLayer(
                number=layer.number,
                kind=layer.kind,
                name=layer.name.split(";", 1)[0],
                output_shape=layer.output_shape,
                kernel=layer.kernel,
                macs=layer.macs,
                cost=layer.cost,
                bound=layer.macs * least_per_mac(kernels),
                weights_bytes=layer.weights_bytes,
                output_bytes=layer.output_bytes,
                scratch_bytes=layer.scratch_bytes,
                offset=layer.offset,
                overlaps=layer.overlaps,
                notes=layer.notes,
            )
            for layer in compiled.layers
        ),
    )
