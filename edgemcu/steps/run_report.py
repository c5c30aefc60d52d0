"""From what a run brought up to the report's figures."""

from __future__ import annotations

import datetime
import platform
import shlex
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu._version import __version__
from edgemcu.artefacts import sha256_file
from edgemcu.board_schema import Board
from edgemcu.compiler import compile_model
from edgemcu.data import LabelledImages
from edgemcu.device.streaming import DeviceOutputs
from edgemcu.device.target import default_target
from edgemcu.graph.facts import GraphFacts, graph_facts
from edgemcu.graph.ir import Graph
from edgemcu.reference import reference_name
from edgemcu.report.model import (
    ArenaBuffer,
    Epoch,
    Layer,
    Provenance,
    RunReport,
)
from edgemcu.steps.build import BuiltFirmware
from edgemcu.steps.evidence import (
    device_evaluation,
    find_mismatches,
    machine_name,
    output_scores,
    photo_samples,
)
from edgemcu.steps.quantize import QuantizedModel
from edgemcu.steps.request import DEFAULT_KERNELS, FirmwareRequest
from edgemcu.steps.train import TrainedModel
from edgemcu.tflite import ModelMetadata, read_metadata


def compose_report(
    *,
    request: FirmwareRequest,
    board: Board,
    built: BuiltFirmware,
    graph: Graph,
    sent: NDArray[np.uint8],
    photos: LabelledImages | None,
    what: str,
    device: DeviceOutputs,
    expected: NDArray[np.uint8],
    expected_tflite: NDArray[np.uint8] | None,
    training: TrainedModel | None,
    quantized: QuantizedModel | None,
) -> RunReport:
    """Compare `device` with `expected`, row by row, and gather all that is known.

    Args:
        sent: uint8, (N, …): what the device was given.
        photos: what it showed, for a model with classes.
        what: the inputs in words.
        device: what it answered.
        expected: uint8, (N, output bytes): what the reference interpreter answered.
        expected_tflite: the same with TensorFlow Lite's own FULLY_CONNECTED, if it has one.
        training, quantized: of a project's own model.
    """
    equal = (device.outputs == expected).all(axis=1)
    facts = graph_facts(graph)
    layers, arena = _layers(graph, facts, built, request.no_passes)
    scores = output_scores(graph, device.outputs)
    project = request.project if request.own_model else None
    return RunReport(
        title=project.name if project else request.model.stem,
        board=board.name,
        board_name=board.title,
        machine=machine_name(board, default_target(board)),
        runtime=built.project.runtime,
        kernels=device.identity.kernels,
        inferences=len(sent),
        bytes_equal=int(equal.sum()),
        output_bytes=graph.output_bytes,
        bytes_equal_tflite=(
            None
            if expected_tflite is None
            else int((device.outputs == expected_tflite).all(axis=1).sum())
        ),
        flash_bytes=built.build.flash_bytes,
        ram_bytes=built.build.ram_bytes,
        arena_bytes=built.project.arena_bytes,
        model_bytes=built.project.model_bytes,
        macs=facts.macs,
        elf=str(built.build.elf),
        model=str(request.model),
        flash_limit=built.build.flash_limit,
        ram_limit=built.build.ram_limit,
        arena_used_bytes=device.identity.arena_used,
        instructions_per_inference=instructions_per_inference(device),
        host_float=training.result.test if training else None,
        host_int8=quantized.result.int8 if quantized else None,
        device=device_evaluation(photos, scores),
        history=_history(training),
        best_epoch=training.result.best_epoch if training else None,
        samples=photo_samples(photos, scores, equal),
        layers=layers,
        arena=arena,
        mismatches=find_mismatches(expected, device.outputs),
        provenance=_provenance(
            request,
            board,
            built,
            what,
            read_metadata(graph, str(request.model)),
            training,
            quantized,
        ),
    )


def instructions_per_inference(device: DeviceOutputs) -> int | None:
    """The median over all inferences; None where the counter does not follow instructions."""
    return None if device.instructions is None else round(median(device.instructions))


def _history(training: TrainedModel | None) -> tuple[Epoch, ...]:
    return tuple(Epoch(**epoch) for epoch in training.history) if training else ()


def _layers(
    graph: Graph, facts: GraphFacts, built: BuiltFirmware, no_passes: tuple[str, ...]
) -> tuple[tuple[Layer, ...], tuple[ArenaBuffer, ...]]:
    """The layers as they run, and where their tensors lie, if that was planned ahead of time."""
    if built.project.runtime != "compiled":
        plain = (
            Layer(fact.name, fact.kind, fact.output_shape, fact.macs, fact.weight_bytes)
            for fact in facts.layers
        )
        return tuple(plain), ()
    compiled = compile_model(
        graph,
        target=built.project.kernels,
        model_digest=built.project.model_digest,
        without_passes=no_passes,
    )
    last = len(compiled.layers) - 1
    layers = tuple(
        Layer(fact.name, fact.kind, fact.output_shape, fact.macs, fact.weights_bytes, fact.kernel)
        for fact in compiled.layers
    )
    arena = tuple(
        ArenaBuffer(
            place.name,
            place.offset,
            place.bytes,
            max(0, place.first - 1),
            min(last, place.last - 1),
        )
        for place in compiled.activations
    )
    return layers, arena


def _provenance(
    request: FirmwareRequest,
    board: Board,
    built: BuiltFirmware,
    what: str,
    metadata: ModelMetadata | None,
    training: TrainedModel | None,
    quantized: QuantizedModel | None,
) -> Provenance:
    versions = {
        "edgemcu": __version__,
        "Python": platform.python_version(),
        "reference": reference_name(),
        "compiler": built.build.toolchain,
        "machine": machine_name(board, default_target(board)),
    }
    digests = {
        "model.tflite": built.project.model_digest,
        built.build.elf.name: sha256_file(built.build.elf),
    }
    return Provenance(
        command=_command(request, board, what),
        finished=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        digests=digests,
        versions=versions,
        dataset={"inputs": what, **_words(training.recipe["dataset"] if training else {})},
        training=_recipe(training, quantized),
        preprocessing=_words(metadata.preprocessing.to_json() if metadata else {}),
        board_file=board.model_dump_json(indent=2, exclude_none=True),
    )


def _command(request: FirmwareRequest, board: Board, what: str) -> str:
    source = ["--project", str(request.project.directory)] if request.project else []
    if not request.own_model:
        source = ["--model", str(request.model), "--inputs", what]
    words = ["edgemcu", "run", *source, "--board", board.name, "--runtime", request.runtime]
    if request.kernels != DEFAULT_KERNELS:
        words += ["--kernels", request.kernels]
    return shlex.join(words)


def _recipe(training: TrainedModel | None, quantized: QuantizedModel | None) -> dict[str, str]:
    if training is None or quantized is None:
        return {}
    recipe = training.recipe
    return {
        **_words(recipe["network"]),
        **_words(recipe["config"]),
        "calibration photos": str(quantized.result.calibration_images),
    }


def _words(facts: Mapping[str, Any]) -> dict[str, str]:
    """What is set, with keys as words."""
    return {
        key.replace("_", " "): _word(value) for key, value in facts.items() if value is not None
    }


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
