"""What a run found out, as plain data: filled in by `edgemcu run`, drawn by the renderers beside.

Nothing here is computed from a device or a file; what follows from other fields is a property, so
that two figures in one report cannot contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgemcu.evaluation import Evaluation


@dataclass(frozen=True)
class ClassScore:
    """One class of an evaluation.

    Attributes:
        name: the class.
        photos: how many photos carry this label.
        correct: how many of them were predicted as this class.
        predicted: how many photos, right or wrong, were predicted as this class.
    """

    name: str
    photos: int
    correct: int
    predicted: int

    @property
    def recall(self) -> float | None:
        """correct / photos; None without photos."""
        return self.correct / self.photos if self.photos else None

    @property
    def precision(self) -> float | None:
        """correct / predicted; None when the class was never predicted."""
        return self.correct / self.predicted if self.predicted else None


def class_scores(evaluation: Evaluation) -> tuple[ClassScore, ...]:
    """One score per class, in the order of the model's outputs."""
    confusion = evaluation.confusion
    return tuple(
        ClassScore(name, sum(row), row[i], sum(other[i] for other in confusion))
        for i, (name, row) in enumerate(zip(evaluation.classes, confusion, strict=True))
    )


@dataclass(frozen=True)
class Epoch:
    """One epoch of training; accuracies in 0…1, over the training and the validation part."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class Sample:
    """One photo that the device saw.

    Attributes:
        png: the photo as the network saw it, a PNG file.
        name: where it came from: a file name, or an index in the test set.
        label: its true class, or None when nobody said.
        prediction: the class that the device answered.
        score: the device's own score of that class, dequantized, in 0…1.
        equal: every output byte was the reference interpreter's.
    """

    png: bytes
    name: str
    label: str | None
    prediction: str
    score: float
    equal: bool

    @property
    def wrong(self) -> bool:
        return self.label is not None and self.label != self.prediction


@dataclass(frozen=True)
class Layer:
    """One operator of the model.

    Attributes:
        name: of its output tensor, or whatever names it best.
        kind: the operator, by TensorFlow Lite's name.
        output_shape: with the batch of 1.
        macs: multiply-accumulates of one inference.
        weight_bytes: constants in flash: weights, biases, multipliers as the model stores them.
        kernel: the C function that runs it in the compiled runtime, when known.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    macs: int
    weight_bytes: int
    kernel: str | None = None


@dataclass(frozen=True)
class ArenaBuffer:
    """One tensor's place in the arena: bytes [offset, offset + bytes), while layers first…last run.

    Layers are counted from 0 as in `RunReport.layers`; both ends are inclusive.
    """

    name: str
    offset: int
    bytes: int
    first_layer: int
    last_layer: int


@dataclass(frozen=True)
class Mismatch:
    """An inference whose bytes were not the reference's."""

    inference: int
    expected: bytes
    got: bytes

    @property
    def differing(self) -> int:
        """Bytes that differ; a missing or surplus byte counts."""
        pairs = zip(self.expected, self.got, strict=False)
        return sum(a != b for a, b in pairs) + abs(len(self.expected) - len(self.got))


@dataclass(frozen=True)
class Provenance:
    """What the run was made from, so that anyone can make it again.

    Attributes:
        command: the command line, as a person would type it.
        finished: when, ISO 8601 with zone.
        digests: sha256, hex, by artefact: "model.tflite", "firmware.elf", "dataset", …
        versions: by tool: "edgemcu", "Python", "TensorFlow", "arm-none-eabi-gcc", "QEMU", …
        dataset: what the photos were, in words, by topic: "source", "classes", "training photos", …
        training: the recipe in words, by topic; empty for a model that was brought along.
        preprocessing: from photo to input, in words, by topic.
        board_file: the board's data, as text.
    """

    command: str
    finished: str
    digests: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    dataset: dict[str, str] = field(default_factory=dict)
    training: dict[str, str] = field(default_factory=dict)
    preprocessing: dict[str, str] = field(default_factory=dict)
    board_file: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "finished": self.finished,
            "digests": dict(self.digests),
            "versions": dict(self.versions),
            "dataset": dict(self.dataset),
            "training": dict(self.training),
            "preprocessing": dict(self.preprocessing),
            "board_file": self.board_file,
        }


@dataclass(frozen=True)
class RunReport:
    """One firmware, on one board, over N inferences.

    Attributes:
        title: of the project or the model, for people.
        board: the board's id, as in `--board`.
        board_name: for people: "STM32F405 (Cortex-M4F, 168 MHz)".
        machine: what ran the firmware: "QEMU 7.2 netduinoplus2", "native process", …
        runtime: "compiled" or "tflm".
        kernels: what the firmware said its kernels are: "portable", "reference", "cmsis-nn", …
        inferences: how many inputs were sent and answered.
        bytes_equal: how many of these were the reference interpreter's in every byte.
        bytes_equal_tflite: how many were equal to TensorFlow Lite's own arithmetic of
            FULLY_CONNECTED, from which TFLM's differs; None for a model without one.
        output_bytes: of one inference.
        flash_bytes, ram_bytes: from the linker.
        flash_limit, ram_limit: the board's; None where there is none (host).
        arena_bytes: as planned or computed ahead of time.
        arena_used_bytes: what the firmware said it really uses; None if it said nothing.
        model_bytes: size of the .tflite file.
        macs: multiply-accumulates of one inference.
        elf: path of the program that ran.
        model: path of the .tflite file.
        instructions_per_inference: counted by the emulator, never a latency; None on the host.
        host_float, host_int8: over the whole test set; None without photos (or float model).
        device: over the photos that were streamed to the device; None without labels.
        history: one entry per epoch; empty for a model that was brought along.
        best_epoch: the epoch whose weights were kept.
        samples: photos for the sheet.
        layers, arena: the model, and its memory plan where the runtime has a static one.
        mismatches: the first few, when bytes_equal < inferences.
        provenance: what made it.
    """

    title: str
    board: str
    board_name: str
    machine: str
    runtime: str
    kernels: str
    inferences: int
    bytes_equal: int
    output_bytes: int
    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    model_bytes: int
    macs: int
    elf: str
    model: str
    bytes_equal_tflite: int | None = None
    flash_limit: int | None = None
    ram_limit: int | None = None
    arena_used_bytes: int | None = None
    instructions_per_inference: int | None = None
    host_float: Evaluation | None = None
    host_int8: Evaluation | None = None
    device: Evaluation | None = None
    history: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    samples: tuple[Sample, ...] = ()
    layers: tuple[Layer, ...] = ()
    arena: tuple[ArenaBuffer, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance(command="", finished=""))

    @property
    def proven(self) -> bool:
        """Every byte of every inference was the reference's, and there was at least one."""
        return 0 < self.inferences == self.bytes_equal

    def to_json(self) -> dict[str, Any]:
        """The document that `edgemcu run --json` prints; accuracies in 0…1, absent ones null."""

        def accuracy(evaluation: Evaluation | None) -> float | None:
            return evaluation.accuracy if evaluation else None

        return {
            "title": self.title,
            "board": self.board,
            "machine": self.machine,
            "runtime": self.runtime,
            "kernels": self.kernels,
            "proven": self.proven,
            "inferences": self.inferences,
            "bytes_equal": self.bytes_equal,
            "bytes_equal_tflite": self.bytes_equal_tflite,
            "output_bytes": self.output_bytes,
            "instructions_per_inference": self.instructions_per_inference,
            "flash_bytes": self.flash_bytes,
            "flash_limit": self.flash_limit,
            "ram_bytes": self.ram_bytes,
            "ram_limit": self.ram_limit,
            "arena_bytes": self.arena_bytes,
            "arena_used_bytes": self.arena_used_bytes,
            "model_bytes": self.model_bytes,
            "macs": self.macs,
            "elf": self.elf,
            "model": self.model,
            "accuracy_device": accuracy(self.device),
            "accuracy_host_int8": accuracy(self.host_int8),
            "accuracy_host_float": accuracy(self.host_float),
            "evaluations": {
                name: evaluation.to_json() if evaluation else None
                for name, evaluation in (
                    ("device", self.device),
                    ("host_int8", self.host_int8),
                    ("host_float", self.host_float),
                )
            },
            "mismatches": [
                {"inference": m.inference, "expected": m.expected.hex(), "got": m.got.hex()}
                for m in self.mismatches
            ],
            "provenance": self.provenance.to_json(),
        }
