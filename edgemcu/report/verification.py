"""What a verification found out, as plain data, and the document that it is kept as.

The fields of these classes are the JSON that `edgemcu verify --json` prints and that --baseline
reads: docs/verify.md describes it. A change that an older edgemcu could not read counts up
`SCHEMA_VERSION`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from edgemcu.errors import ProjectError
from edgemcu.report.model import Sample
from edgemcu.report.text import figure

SCHEMA = "edgemcu-verify"
SCHEMA_VERSION = 1

Outcome = Literal["passed", "failed", "not checked"]
Unit = Literal["", "bytes", "instructions", "ms", "share", "inferences"]


@dataclass(frozen=True)
class Check:
    """One question that the verification answers.

    Attributes:
        name: for programs; that of the key in [verify] where there is one.
        title: for people.
        outcome: a check that this target cannot answer is "not checked", never "passed".
        value: what was found; text where it is no number.
        limit: what was asked for.
        margin: how far the value is from the limit, in the value's unit; negative beyond it.
        unit: of value, limit and margin; a share is 0…1.
        detail: why it failed, or why it could not be checked.
    """

    name: str
    title: str
    outcome: Outcome
    value: int | float | str | None = None
    limit: int | float | str | None = None
    margin: float | None = None
    unit: Unit = ""
    detail: str = ""


@dataclass(frozen=True)
class Distribution:
    """Of one figure over all inferences; percentiles by nearest rank."""

    p50: float
    p95: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Distribution:
        """Sum up at least one value."""
        ordered = sorted(values)

        def rank(share: float) -> float:
            return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

        return cls(rank(0.50), rank(0.95), ordered[-1])


@dataclass(frozen=True)
class Figures:
    """What was measured; None where this target, or this firmware, does not tell.

    Attributes:
        inferences: how many inputs were sent and answered.
        bytes_equal: how many outputs were the reference interpreter's in every byte.
        output_bytes: of one inference.
        accuracy: over `photos` photos that the network was not trained on, 0…1.
        latency_ms: by the clock of a board; never of an emulator or of this computer.
        instructions: counted by an emulator; no latency.
        flash_bytes, ram_bytes: of the program, by its ELF file.
        flash_limit, ram_limit: the board's.
        arena_planned, arena_used: bytes, computed ahead of time and in use on the device.
        stack_used, stack_limit: bytes, the most that was in use and what is kept for it.
        restarts, damaged: of the device and of lines on the way, all overcome.
    """

    inferences: int
    bytes_equal: int
    output_bytes: int
    accuracy: float | None = None
    photos: int = 0
    latency_ms: Distribution | None = None
    instructions: Distribution | None = None
    flash_bytes: int | None = None
    flash_limit: int | None = None
    ram_bytes: int | None = None
    ram_limit: int | None = None
    arena_planned: int | None = None
    arena_used: int | None = None
    stack_used: int | None = None
    stack_limit: int | None = None
    restarts: int = 0
    damaged: int = 0


@dataclass(frozen=True)
class Prediction:
    """The device's answer to one photo.

    Attributes:
        input: where the photo came from.
        label: its true class.
        answer: the class that the device answered.
        score: the device's own score of that class, dequantized.
    """

    input: str
    label: str
    answer: str
    score: float


@dataclass(frozen=True)
class Difference:
    """An inference whose bytes were not the reference's; bytes in hex.

    Attributes:
        inference: its index, from 0.
        input: where its photo came from, if it was one.
        offset: of the first byte that differs.
        differing: how many bytes do.
    """

    inference: int
    input: str | None
    offset: int
    differing: int
    expected: str
    got: str


@dataclass(frozen=True, repr=False)
class Verification:
    """One firmware on one target, over N inferences.

    Attributes:
        title: of the project or the model, for people.
        board, board_name: the board's id, and its name for people.
        target: as in --on.
        machine: what ran the firmware, with its version.
        runtime, kernels: what the firmware says computes the model.
        model_sha256, model_bytes: of the .tflite.
        firmware: the version of edgemcu that the firmware names.
        elf_sha256: of the program, where there is one here.
        sanitized: built with the address and undefined-behaviour sanitizers.
        inputs: what was sent, in words.
        inputs_sha256: of all that was sent.
        figures: what was measured.
        checks: in the order in which they are shown.
        predictions: for photos, one each.
        differences: the first few, where bytes differ.
        versions: of the tools, by name.
        finished: when, ISO 8601 with zone.
        command: as a person would type it.
        samples: photos for the page; not part of the document.
    """

    title: str
    board: str
    board_name: str
    target: str
    machine: str
    runtime: str
    kernels: str
    model_sha256: str
    model_bytes: int
    firmware: str
    elf_sha256: str | None
    sanitized: bool
    inputs: str
    inputs_sha256: str
    figures: Figures
    checks: tuple[Check, ...]
    predictions: tuple[Prediction, ...] = ()
    differences: tuple[Difference, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    finished: str = ""
    command: str = ""
    samples: tuple[Sample, ...] = ()

    @property
    def passed(self) -> bool:
        """No check failed, and at least one passed."""
        outcomes = {check.outcome for check in self.checks}
        return "failed" not in outcomes and "passed" in outcomes

    def __repr__(self) -> str:
        """What a failed assertion or a person at a prompt wants to see."""
        said = [
            f"{check.title}: {figure(check.value, check.unit)}, "
            f"limit {figure(check.limit, check.unit)} ({check.outcome})"
            for check in (self.failed_checks or self.checks)
        ]
        verdict = "passed" if self.passed else "FAILED"
        return f"<verification of {self.board} on {self.target} {verdict}: {'; '.join(said)}>"

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome == "failed")

    def to_json(self) -> dict[str, Any]:
        document = _ADAPTER.dump_python(self, mode="json", exclude={"samples"})
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "passed": self.passed,
            **document,
        }


_ADAPTER: TypeAdapter[Verification] = TypeAdapter(Verification)


def _finite(text: str) -> float:
    """What is no number, or beyond all numbers, would pass every comparison."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no figure")
    return value


def load_verification(path: Path) -> Verification:
    """A document that `Verification.to_json` made.

    Raises:
        ProjectError: there is none, it is not one, or of another version.
    """
    hint = "make one with `edgemcu verify --baseline FILE --save-baseline`"
    try:
        document = json.loads(
            path.read_text(encoding="utf-8"), parse_constant=_finite, parse_float=_finite
        )
    except FileNotFoundError:
        raise ProjectError("there is no such baseline", where=str(path), hint=hint) from None
    except (OSError, ValueError, RecursionError):
        raise ProjectError("is not a JSON document", where=str(path), hint=hint) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ProjectError("is no report of `edgemcu verify`", where=str(path), hint=hint)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise ProjectError(
            f"is of version {document.get('schema_version')!r:.20}, and this edgemcu reads "
            f"{SCHEMA_VERSION}",
            where=str(path),
            hint=hint,
        )
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ProjectError(f"{place}: {first['msg']}", where=str(path), hint=hint) from None
