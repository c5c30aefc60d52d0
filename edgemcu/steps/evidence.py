"""What a device's answers show, for every verb that compares them."""

from __future__ import annotations

import io
import platform
import shutil
import subprocess

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgemcu.board_schema import Board
from edgemcu.data import LabelledImages
from edgemcu.device.emulator import QEMU
from edgemcu.device.target import Target
from edgemcu.evaluation import Evaluation, evaluate
from edgemcu.graph.ir import DType, Graph
from edgemcu.report.model import Mismatch, Sample

MAX_SAMPLES = 60
MAX_MISMATCHES = 5


def find_mismatches(expected: NDArray[np.uint8], got: NDArray[np.uint8]) -> tuple[Mismatch, ...]:
    """The first rows that differ; both uint8, (N, output bytes)."""
    unequal = np.flatnonzero((got != expected).any(axis=1))
    return tuple(
        Mismatch(int(row), expected[row].tobytes(), got[row].tobytes())
        for row in unequal[:MAX_MISMATCHES]
    )


def output_scores(graph: Graph, outputs: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The first output tensor's real values, (N, elements); None for int32 outputs."""
    tensor = graph.tensors[graph.outputs[0]]
    raw = np.ascontiguousarray(outputs[:, : tensor.bytes])
    if tensor.dtype is DType.FLOAT32:
        return raw.view("<f4").astype(np.float64)
    if tensor.dtype is DType.INT8 and tensor.quantization is not None:
        quantized = raw.view(np.int8).astype(np.float64)
        return (quantized - tensor.quantization.zero_point) * tensor.quantization.scale
    return None


def device_evaluation(
    photos: LabelledImages | None, scores: NDArray[np.float64] | None
) -> Evaluation | None:
    """What the device's answers are worth; ties go to the first class, as on the device."""
    if photos is None or scores is None:
        return None
    return evaluate(photos.labels, scores.argmax(axis=1), photos.classes)


def machine_name(board: Board, target: Target) -> str:
    """What ran the firmware, with its version."""
    if target.kind == "port":
        return f"what answers at {target}"
    if target.kind == "renode":
        return "Renode"
    if board.emulator is None or board.emulator.kind != "qemu":
        return f"a process on {platform.machine()}"
    return f"QEMU {_qemu_version()}, {board.emulator.machine}"


def _qemu_version() -> str:
    program = shutil.which(QEMU)
    if program is None:
        return "?"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    words = said.stdout.split()
    return words[3] if len(words) > 3 else "?"


def photo_samples(
    photos: LabelledImages | None,
    scores: NDArray[np.float64] | None,
    equal: NDArray[np.bool_],
) -> tuple[Sample, ...]:
    """The first photos, as a page shows them."""
    if photos is None or scores is None:
        return ()
    return tuple(
        Sample(
            png=_png(photos.images[i]),
            name=photos.ids[i],
            label=photos.classes[int(photos.labels[i])],
            prediction=photos.classes[int(scores[i].argmax())],
            score=float(scores[i].max()),
            equal=bool(equal[i]),
        )
        for i in range(min(len(photos), MAX_SAMPLES))
    )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, "PNG")
    return stream.getvalue()
