"""Ahead-of-time compilation of an int8 graph to plain C11.

The result is a folder that any C project can take in: no heap, nothing of libc but memcpy and
memset, one static arena planned ahead of time, and only the kernels that this model uses. Its
output bytes equal those of TensorFlow Lite's reference kernels.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from math import inf

from edgemcu.compiler import emit, program
from edgemcu.compiler.passes import PASSES, selected_passes
from edgemcu.errors import ModelError, UnsupportedModelError
from edgemcu.graph.ir import Graph

__all__ = ["PASSES", "Activation", "CompiledModel", "LayerFacts", "compile_model"]


@dataclass(frozen=True)
class LayerFacts:
    """One layer as it was compiled.

    Attributes:
        number: from 1, in execution order.
        kind: the operator, by TensorFlow Lite's name; "A + B" where one kernel computes two.
        name: the output tensor's name in the model.
        calls: the C functions that compute it, one for each call.
        cost: what its kernels are estimated to cost; None where there was nothing to compare.
        input_shapes, output_shape: of the tensors it reads and writes at run time.
        macs: multiplications with weights.
        weights_bytes: flash for its constants, tables and scales included.
        scratch_bytes: memory that it needs beside its tensors.
        output_bytes: of its output.
        offset: where its output begins in the arena.
        overlaps: whether its output is written over what it has read of an input.
        notes: what lossless passes changed about it.
    """

    number: int
    kind: str
    name: str
    calls: tuple[str, ...]
    cost: float | None
    input_shapes: tuple[tuple[int, ...], ...]
    output_shape: tuple[int, ...]
    macs: int
    weights_bytes: int
    scratch_bytes: int
    output_bytes: int
    offset: int
    overlaps: bool
    notes: tuple[str, ...]

    @property
    def kernel(self) -> str:
        """The C function that computes it, or its first part."""
        return self.calls[0]


@dataclass(frozen=True)
class Activation:
    """A tensor's place in the arena: bytes [offset, offset + bytes).

    Attributes:
        name: in the model.
        first, last: the layers from which and to which it is needed, by `LayerFacts.number`; 0 is
            before the first (inputs), one more than the last layer after it (outputs).
    """

    name: str
    offset: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class CompiledModel:
    """A model as C.

    Attributes:
        files: C text by relative path; the same model always gives the same bytes.
        arena_bytes: RAM for all activations, inputs and outputs included.
        arena_lower_bound: no plan for these layers and kernels can be smaller.
        weights_bytes: flash for all constants.
        layers: in execution order.
        activations: where each lies in the arena; an output may overlap what its layer reads last.
        target: the kernel set.
    """

    files: dict[str, str]
    arena_bytes: int
    arena_lower_bound: int
    weights_bytes: int
    layers: tuple[LayerFacts, ...]
    activations: tuple[Activation, ...]
    target: str


def compile_model(
    graph: Graph,
    *,
    target: str = "portable",
    model_digest: str,
    without_passes: Collection[str] = (),
) -> CompiledModel:
    """Compile a checked graph to C.

    Args:
        graph: as the reader returns it.
        target: the kernel set; "portable" runs everywhere.
        model_digest: SHA-256 of the .tflite file, 64 hexadecimal digits; it goes into the code.
        without_passes: names of lossless passes (`PASSES`) to leave out.

    Raises:
        UnsupportedModelError: something that the reference kernels refuse, or an unknown target or
            pass.
        ModelError: the digest is not one.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", model_digest):
        raise ModelError(f"{model_digest!r} is not a SHA-256 digest in hexadecimal")
    if not graph.inputs or not graph.outputs:
        raise UnsupportedModelError("the model has no inputs or no outputs")
    compiled = program.build(graph, target, selected_passes(without_passes))
    graph = compiled.graph
    files, weights_bytes = emit.emit(compiled, target, model_digest)
    return CompiledModel(
        files=files,
        arena_bytes=compiled.plan.bytes,
        arena_lower_bound=compiled.plan.lower_bound,
        weights_bytes=weights_bytes,
        layers=tuple(_facts(compiled, layer) for layer in compiled.layers),
        activations=tuple(
            Activation(
                graph.tensors[place.tensor].name,
                place.offset,
                graph.tensors[place.tensor].bytes,
                place.first,
                place.last,
            )
            for place in compiled.placements.values()
        ),
        target=target,
    )


def _cost(layer: program.Layer) -> float | None:
    cost = sum(call.kernel.cost(call.operation) for call in layer.calls)
    return cost if 0 < cost < inf else None


def _facts(compiled: program.Program, layer: program.Layer) -> LayerFacts:
    tensors = compiled.graph.tensors
    return LayerFacts(
        number=layer.number,
        kind=" + ".join(layer.kinds),
        name=tensors[layer.output].name,
        calls=tuple(call.kernel.name for call in layer.calls),
        cost=_cost(layer),
        input_shapes=tuple(tensors[i].shape for call in layer.calls for i in call.inputs),
        output_shape=tensors[layer.output].shape,
        macs=layer.macs,
        weights_bytes=sum(call.binding.weights_bytes for call in layer.calls),
        scratch_bytes=layer.scratch_bytes,
        output_bytes=tensors[layer.output].bytes,
        offset=compiled.placements[compiled.storage[layer.output]].offset,
        overlaps=compiled.overlaps(layer),
        notes=layer.notes,
    )
