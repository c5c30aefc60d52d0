"""`edgemcu inspect`: what is in a .tflite, what it costs, and where it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, get_args

from edgemcu.artefacts import sha256_bytes
from edgemcu.boards import Board, list_boards, load_board
from edgemcu.errors import DoesNotFitError, UnsupportedModelError
from edgemcu.firmware.estimate import estimate_memory
from edgemcu.firmware.fit import Needs, check_fit
from edgemcu.firmware.runtime import ModelSource, runtime_sources
from edgemcu.graph.facts import graph_facts, layer_name
from edgemcu.graph.ir import Graph, Tensor
from edgemcu.preprocessing import METADATA_NAME
from edgemcu.project import Runtime
from edgemcu.steps.layers import CompiledPlan, compiled_plans
from edgemcu.tflite.file import FileTensor, ModelFile, open_model
from edgemcu.tflite.metadata import ModelMetadata, decode_metadata, read_metadata
from edgemcu.tflite.reader import convert, read_bytes
from edgemcu.tflite.unsupported import UnsupportedOperator, UnsupportedOperatorsError


@dataclass(frozen=True)
class Port:
    """An input or output of the model; real = scale × (q − zero_point) where it is quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "shape": list(self.shape)}


@dataclass(frozen=True)
class InspectedLayer:
    """One operator.

    Attributes:
        index: in the order of execution.
        name: of its output tensor, shortened.
        kind: the operator, by TensorFlow Lite's name.
        macs, live_bytes: multiply-accumulates, and bytes of activations that exist while it runs;
            None in a model that edgemcu cannot run.
        parameters, weight_bytes: of its constants.
    """

    index: int
    name: str
    kind: str
    output_shape: tuple[int, ...]
    macs: int | None
    parameters: int
    weight_bytes: int
    live_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "output_shape": list(self.output_shape)}


@dataclass(frozen=True)
class Placement:
    """A runtime on a board. Flash and RAM are estimates before any build.

    Attributes:
        kernels: what computes the model there.
        arena_bytes, weights_bytes: activations and constants, exactly as they will be generated.
        flash_bytes, ram_bytes: with the sketch, its drivers and the stack.
        flash_limit, ram_limit: the board's, None where there is none (host).
        reason: why it does not fit, or why the runtime cannot compute the model; None if it fits.
    """

    board: str
    runtime: str
    kernels: str | None = None
    arena_bytes: int | None = None
    weights_bytes: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    flash_limit: int | None = None
    ram_limit: int | None = None
    reason: str | None = None

    @property
    def fits(self) -> bool:
        """Whether `generate` accepts it; the last word is the linker's."""
        return self.reason is None

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "fits": self.fits}


@dataclass(frozen=True)
class Inspection:
    """What is known about a model without running it.

    Attributes:
        model: its path.
        digest: SHA-256 of the file, hex.
        description: what its converter wrote into it.
        preprocessing: from photo to input, and `classes`: where edgemcu made the model.
        layers: in the order of execution.
        operators: how often each kind occurs.
        peak_activation_bytes: the least RAM for activations, inputs and outputs included, that
            any runtime gets along with which keeps an operator's inputs and outputs apart.
        unsupported: what edgemcu cannot run; empty for a model that it can.
        problem: the same in a sentence.
        plans: what the compiled runtime makes of it, by kernel set, if asked for.
    """

    model: Path
    digest: str
    model_bytes: int
    description: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: ModelMetadata | None
    layers: tuple[InspectedLayer, ...]
    macs: int | None
    parameters: int
    weight_bytes: int
    peak_activation_bytes: int | None
    placements: tuple[Placement, ...]
    unsupported: tuple[UnsupportedOperator, ...] = ()
    problem: str | None = None
    plans: tuple[CompiledPlan, ...] = ()

    @property
    def supported(self) -> bool:
        return self.problem is None

    @property
    def operators(self) -> dict[str, int]:
        return dict(sorted(Counter(layer.kind for layer in self.layers).items()))

    @property
    def fitting_boards(self) -> tuple[str, ...]:
        """Boards on which at least one runtime fits."""
        return tuple(dict.fromkeys(place.board for place in self.placements if place.fits))

    def to_json(self) -> dict[str, Any]:
        metadata = self.metadata
        return {
            "model": str(self.model),
            "digest": self.digest,
            "model_bytes": self.model_bytes,
            "description": self.description,
            "supported": self.supported,
            "problem": self.problem,
            "unsupported": [dict(vars(operator)) for operator in self.unsupported],
            "inputs": [port.to_json() for port in self.inputs],
            "outputs": [port.to_json() for port in self.outputs],
            "preprocessing": metadata.preprocessing.to_json() if metadata else None,
            "classes": list(metadata.classes) if metadata else None,
            "operators": self.operators,
            "layers": [layer.to_json() for layer in self.layers],
            "macs": self.macs,
            "parameters": self.parameters,
            "weight_bytes": self.weight_bytes,
            "peak_activation_bytes": self.peak_activation_bytes,
            "placements": [place.to_json() for place in self.placements],
            "fits": list(self.fitting_boards),
            "plans": [plan.to_json() for plan in self.plans],
        }


def inspect_model(
    model: Path,
    boards: Sequence[str] | None = None,
    *,
    layers: bool = False,
    project_directory: Path | None = None,
) -> Inspection:
    """Look into a .tflite, whoever made it.

    A model that edgemcu cannot run is described as far as it can be read, with what is
    unsupported.

    Args:
        boards: names; all of them by default.
        layers: whether to compile it, and show each layer's kernel, cost and place in memory.
        project_directory: where a user's own boards/ lie.

    Raises:
        ModelError: the file is missing or damaged, or edgemcu's metadata in it is.
        BoardError: there is no such board.
    """
    chosen = (
        list_boards(project_directory)
        if boards is None
        else [load_board(name, project_directory) for name in boards]
    )
    data = read_bytes(model)
    digest = sha256_bytes(data)
    file = open_model(data, str(model))
    try:
        graph = convert(file)
    except UnsupportedModelError as error:
        return _inspect_unsupported(model, data, digest, file, error)
    facts = graph_facts(graph)
    source = ModelSource(graph, data, digest)
    return Inspection(
        model=model,
        digest=digest,
        model_bytes=len(data),
        description=graph.description,
        inputs=_ports(graph, graph.inputs),
        outputs=_ports(graph, graph.outputs),
        metadata=read_metadata(graph, str(model)),
        layers=tuple(
            InspectedLayer(**{f.name: getattr(layer, f.name) for f in fields(InspectedLayer)})
            for layer in facts.layers
        ),
        macs=facts.macs,
        parameters=facts.parameters,
        weight_bytes=facts.weight_bytes,
        peak_activation_bytes=facts.peak_activation_bytes,
        placements=tuple(
            _place(source, board, runtime) for board in chosen for runtime in get_args(Runtime)
        ),
        plans=compiled_plans(source, chosen) if layers else (),
    )


def _place(model: ModelSource, board: Board, runtime: str) -> Placement:
    place = partial(Placement, flash_limit=board.flash_bytes, ram_limit=board.ram_bytes)
    try:
        sources = runtime_sources(runtime, model, board, None)
    except UnsupportedModelError as error:
        return place(board.name, runtime, reason=error.message)
    flash, ram = estimate_memory(sources, model.graph.ops, board, model.graph.input_bytes)
    reason = None
    try:
        check_fit(Needs(arena=sources.arena_bytes, weights=sources.weights_bytes), board)
    except DoesNotFitError as error:
        reason = error.message
    return place(
        board=board.name,
        runtime=runtime,
        kernels=sources.kernels,
        arena_bytes=sources.arena_bytes,
        weights_bytes=sources.weights_bytes,
        flash_bytes=flash,
        ram_bytes=ram,
        reason=reason,
    )


def _inspect_unsupported(
    model: Path, data: bytes, digest: str, file: ModelFile, error: UnsupportedModelError
) -> Inspection:
    """What the file says of itself, unchecked."""
    layers = []
    for operator in file.operators:
        used = {index for index in operator.inputs if index >= 0}
        constants = [file.tensors[index] for index in sorted(used) if file.tensors[index].constant]
        outputs = [file.tensors[index] for index in operator.outputs]
        layers.append(
            InspectedLayer(
                index=operator.index,
                name=layer_name(outputs[0].name) if outputs else "",
                kind=operator.name,
                output_shape=outputs[0].shape if outputs else (),
                macs=None,
                parameters=sum(_elements(tensor) for tensor in constants),
                weight_bytes=sum(len(tensor.data) for tensor in constants),
                live_bytes=None,
            )
        )
    constants = [tensor for tensor in file.tensors if tensor.constant]
    stored = file.metadata.get(METADATA_NAME)
    return Inspection(
        model=model,
        digest=digest,
        model_bytes=len(data),
        description=file.description,
        inputs=tuple(_file_port(file.tensors[index]) for index in file.inputs),
        outputs=tuple(_file_port(file.tensors[index]) for index in file.outputs),
        metadata=decode_metadata(stored, str(model)) if stored is not None else None,
        layers=tuple(layers),
        macs=None,
        parameters=sum(_elements(tensor) for tensor in constants),
        weight_bytes=sum(len(tensor.data) for tensor in constants),
        peak_activation_bytes=None,
        placements=(),
        unsupported=error.operators if isinstance(error, UnsupportedOperatorsError) else (),
        problem=f"{error.message}\n{error.hint}" if error.hint else error.message,
    )


def _elements(tensor: FileTensor) -> int:
    count = 1
    for size in tensor.shape:
        count *= max(size, 0)
    return count


def _ports(graph: Graph, indices: Sequence[int]) -> tuple[Port, ...]:
    return tuple(_port(graph.tensors[index]) for index in indices)


def _port(tensor: Tensor) -> Port:
    quantization = tensor.quantization
    return Port(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype.value,
        scale=quantization.scale if quantization else None,
        zero_point=quantization.zero_point if quantization else None,
    )


def _file_port(tensor: FileTensor) -> Port:
    return Port(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scale=float(tensor.scales[0]) if len(tensor.scales) == 1 else None,
        zero_point=int(tensor.zero_points[0]) if len(tensor.zero_points) == 1 else None,
    )
