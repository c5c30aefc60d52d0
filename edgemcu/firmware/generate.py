"""From a .tflite and a board to a PlatformIO project."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgemcu.artefacts import sha256_bytes
from edgemcu.board_schema import Board
from edgemcu.firmware.assemble import AppFacts, assemble, image_digest
from edgemcu.firmware.fit import ArenaMemory, Needs, check_fit
from edgemcu.firmware.folder import write_project
from edgemcu.firmware.pictures import Pictures, check_source, flash_photos
from edgemcu.firmware.runtime import AUTO, ModelSource, runtime_sources
from edgemcu.graph.ir import DType, Graph, Tensor
from edgemcu.preprocessing import Preprocessing, input_table
from edgemcu.tflite import ModelMetadata, parse_model, read_metadata
from edgemcu.tflite.reader import read_bytes

SERIAL = Pictures()
# The MLPerf Tiny benchmark's models, by the shapes of input and output.
_MLPERF_MODELS: dict[tuple[tuple[int, ...], tuple[int, ...]], str] = {
    ((1, 32, 32, 3), (1, 10)): "ic01",
    ((1, 96, 96, 3), (1, 2)): "vww01",
    ((1, 49, 10, 1), (1, 12)): "kws01",
}
# Those whose inputs its runner sends as uint8 pixels: its reference code subtracts 128.
_MLPERF_PIXELS = ("ic01", "vww01")
# Of scores with a larger scale, thousandths do not fit the firmware's 64 bits.
_MAX_SCORE_SCALE = 65_536.0


@dataclass(frozen=True)
class GeneratedProject:
    """A PlatformIO project that was written.

    Attributes:
        path: its folder.
        board, runtime, kernels: what it is for, and what computes the model.
        source: where its pictures come from: "serial", "flash" or "camera".
        photos: how many test photos lie in flash.
        model_digest: SHA-256 of the .tflite, hex.
        model_bytes: the .tflite's size.
        arena_bytes: RAM for activations.
        arena_memory: where that is, "internal" or "psram".
        weights_bytes: constants in flash.
        files: all that was generated, relative to `path`.
        image: what the firmware calls itself: changes with all that it is made of.
        changed: how many files were written or removed this time.
    """

    path: Path
    board: str
    runtime: str
    source: str
    photos: int
    kernels: str
    model_digest: str
    model_bytes: int
    arena_bytes: int
    arena_memory: ArenaMemory
    weights_bytes: int
    files: tuple[str, ...]
    image: str
    changed: int

    def to_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**facts, "path": str(self.path), "files": list(self.files)}


def generate_project(
    model: Path,
    board: Board,
    runtime: str,
    out: Path,
    *,
    title: str | None = None,
    library: str | None = None,
    pictures: Pictures = SERIAL,
    kernels: str = AUTO,
    no_passes: Collection[str] = (),
    others: Sequence[Board] = (),
    known_answer: Callable[[], int | None] = lambda: None,
    force: bool = False,
) -> GeneratedProject:
    """Write the PlatformIO project that runs `model` on `board`.

    Args:
        model: a full int8 .tflite.
        runtime: "compiled" or "tflm".
        out: the project's folder.
        title: what people call it; by default the model file's name.
        library: where TensorFlow Lite Micro comes from, when not from its usual place.
        pictures: where the firmware's pictures come from beside the serial line.
        kernels: the compiled runtime's kernel set; "auto" is the one that the board names.
        no_passes: lossless passes of the compiled runtime to leave out.
        others: boards that may be proposed when the model does not fit this one.
        known_answer: gives the CRC-32 of the right outputs for the self-test's input, if known.
        force: overwrite files that were edited by hand.

    Raises:
        ModelError: the file is damaged, or edgemcu's metadata in it is.
        UnsupportedModelError: a valid model that edgemcu cannot run.
        DoesNotFitError: the model cannot fit the board.
        BoardError: the board lacks what `pictures` needs.
        ProjectError: `out` holds something else, or was edited by hand.
    """
    data = read_bytes(model)
    source = ModelSource(parse_model(data, str(model)), data, sha256_bytes(data))
    metadata = read_metadata(source.graph, str(model))
    sources = runtime_sources(runtime, source, board, library, kernels, no_passes)
    needs = Needs(arena=sources.arena_bytes, weights=sources.weights_bytes)
    memory = check_fit(needs, board, others)
    check_source(pictures.source, board, metadata, str(model))
    app = app_facts(source, metadata, model.name, title or model.stem)
    app = replace(app, pattern_outputs_crc32=known_answer())
    if pictures.source == "flash":
        assert metadata is not None
        photos = flash_photos(pictures, metadata, board, needs)
        app = replace(app, source="flash", photos=photos)
    elif pictures.source == "camera":
        assert metadata is not None
        app = replace(app, source="camera", picture=metadata.preprocessing)
    files = assemble(board, sources, app, arena_in_psram=memory == "psram")
    changed = write_project(out, files, force=force)
    return GeneratedProject(
        path=out,
        board=board.name,
        runtime=runtime,
        source=pictures.source,
        photos=len(app.photos.labels) if app.photos else 0,
        kernels=sources.kernels,
        model_digest=source.digest,
        model_bytes=len(data),
        arena_bytes=sources.arena_bytes,
        arena_memory=memory,
        weights_bytes=sources.weights_bytes,
        files=tuple(files),
        image=image_digest(files),
        changed=changed,
    )


def app_facts(
    model: ModelSource, metadata: ModelMetadata | None, name: str, title: str
) -> AppFacts:
    """What the sketch and the README say about a model."""
    graph = model.graph
    table: tuple[int, ...] | None = None
    formula = ""
    classes: tuple[str, ...] = ()
    score_zero_point, score_scale_q30 = 0, 0
    source, target = (graph.tensors[ends[0]] for ends in (graph.inputs, graph.outputs))
    scores = target.quantization if target.dtype is DType.INT8 else None
    if scores is not None and scores.scale <= _MAX_SCORE_SCALE:
        score_zero_point = scores.zero_point
        score_scale_q30 = max(1, round(scores.scale * 2**30))
    mlperf_model = _MLPERF_MODELS.get((source.shape, target.shape))
    if metadata is not None:
        if source.dtype is DType.INT8 and source.quantization is not None:
            spec, to = metadata.preprocessing, source.quantization
            table = tuple(int(value) for value in input_table(spec, to.scale, to.zero_point))
            formula = _input_formula(spec, source)
        if score_scale_q30:
            classes = metadata.classes
    return AppFacts(
        title=title,
        model_name=name,
        model_digest=model.digest,
        model_bytes=len(model.data),
        input_text=_describe(graph, graph.inputs),
        output_text=_describe(graph, graph.outputs),
        input_table=table,
        input_formula=formula,
        classes=classes,
        score_zero_point=score_zero_point,
        score_scale_q30=score_scale_q30,
        input_bytes=graph.input_bytes,
        mlperf_model=mlperf_model or re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(name).stem)[:40],
        mlperf_flip=table is None and mlperf_model in _MLPERF_PIXELS,
    )


def _input_formula(spec: Preprocessing, tensor: Tensor) -> str:
    assert tensor.quantization is not None
    return (
        f"round((p x {spec.scale:.9g} + {spec.offset:.9g}) / {tensor.quantization.scale:.9g})"
        f" + {tensor.quantization.zero_point}, kept within -128 to 127"
    )


def _describe(graph: Graph, indices: Sequence[int]) -> str:
    return "; ".join(_describe_tensor(graph.tensors[index]) for index in indices)


def _describe_tensor(tensor: Tensor) -> str:
    text = f"{'x'.join(str(size) for size in tensor.shape) or 'scalar'} {tensor.dtype.value}"
    if tensor.quantization is None:
        return text
    quantization = tensor.quantization
    return f"{text}, scale {quantization.scale:.9g}, zero point {quantization.zero_point}"
