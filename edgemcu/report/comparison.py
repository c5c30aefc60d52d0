"""Two verifications side by side: what a change did to the figures and to the answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgemcu.report.verification import Check, Figures, Unit, Verification


@dataclass(frozen=True)
class Change:
    """One figure before and now.

    Attributes:
        name, title, unit: as of a `Check`.
        old, new: None where it was not measured.
        smaller_is_better: what counts as an improvement.
    """

    name: str
    title: str
    unit: Unit
    old: float | None
    new: float | None
    smaller_is_better: bool = True

    @property
    def delta(self) -> float | None:
        return None if self.old is None or self.new is None else self.new - self.old

    @property
    def relative(self) -> float | None:
        """delta / old; None where there is none."""
        return self.delta / self.old if self.delta is not None and self.old else None

    @property
    def loss(self) -> float:
        """By how much it became worse, in percent; of a share, in percentage points."""
        if self.delta is None:
            return 0.0
        worse = self.delta if self.smaller_is_better else -self.delta
        if self.unit == "share":
            return 100 * worse
        if not self.old:
            return 0.0 if worse <= 0 else float("inf")
        return 100 * worse / self.old


@dataclass(frozen=True)
class ChangedAnswer:
    """A photo that the device answers differently now."""

    input: str
    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Comparison:
    """What is different from a baseline.

    Attributes:
        baseline: where it was read from.
        baseline_finished: when it was made.
        same_model, same_inputs: whether the two are about the same.
        changes: of the figures that either has.
        answers: photos in both, answered differently.
        compared: how many photos are in both.
        notes: what keeps figures from being compared, in sentences.
    """

    baseline: str
    baseline_finished: str
    same_model: bool
    same_inputs: bool
    changes: tuple[Change, ...]
    answers: tuple[ChangedAnswer, ...]
    compared: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "changes": [
                {**asdict(change), "delta": change.delta, "relative": change.relative}
                for change in self.changes
            ],
        }


def _changes(old: Figures, new: Figures, *, same_program: bool, same_clock: bool) -> list[Change]:
    """All figures; those of `old` only where they can be compared."""

    def of(name: str, title: str, unit: Unit) -> Change:
        timed = name.startswith(("latency", "instructions"))
        before = _value(old, name) if same_program and (same_clock or not timed) else None
        return Change(name, title, unit, before, _value(new, name))

    return [
        Change("accuracy", "accuracy", "share", old.accuracy, new.accuracy, False),
        of("latency_ms.p50", "latency, p50", "ms"),
        of("latency_ms.max", "latency, max", "ms"),
        of("instructions.p50", "instructions, p50", "instructions"),
        of("instructions.max", "instructions, max", "instructions"),
        of("flash_bytes", "flash", "bytes"),
        of("ram_bytes", "RAM", "bytes"),
        of("arena_used", "arena", "bytes"),
        of("stack_used", "stack, most in use", "bytes"),
    ]


def _value(figures: Figures, name: str) -> float | None:
    """A figure by its place in the document, such as "instructions.p50"."""
    value: Any = figures
    for part in name.split("."):
        value = None if value is None else getattr(value, part)
    return value if value is None else float(value)


def compare(old: Verification, new: Verification, baseline: str) -> Comparison:
    """`new` against `old`, which was read from `baseline`."""
    notes = []
    comparable = old.board == new.board and old.sanitized == new.sanitized
    if not comparable:
        notes.append(
            f"The baseline is of {_place(old)}, this is {_place(new)}: only accuracy and answers "
            "can be compared."
        )
    elif _machine(old) != _machine(new):
        notes.append(f"The baseline is of {_place(old)}: its times count something else.")
    if old.inputs_sha256 != new.inputs_sha256:
        notes.append(f"Other inputs: {old.inputs} then, {new.inputs} now.")
    changes = _changes(
        old.figures,
        new.figures,
        same_program=comparable,
        same_clock=_machine(old) == _machine(new),
    )
    before_by_input = {p.input: p.answer for p in old.predictions}
    both = [p for p in new.predictions if p.input in before_by_input]
    answers = tuple(
        ChangedAnswer(p.input, p.label, before_by_input[p.input], p.answer)
        for p in both
        if before_by_input[p.input] != p.answer
    )
    return Comparison(
        baseline=baseline,
        baseline_finished=old.finished,
        same_model=old.model_sha256 == new.model_sha256,
        same_inputs=old.inputs_sha256 == new.inputs_sha256,
        changes=tuple(c for c in changes if c.old is not None or c.new is not None),
        answers=answers,
        compared=len(both),
        notes=tuple(notes),
    )


def _machine(verification: Verification) -> str:
    """What its times are counted by; one port is as good as another."""
    emulators = ("host", "qemu", "renode")
    return verification.target if verification.target in emulators else "port"


def _place(verification: Verification) -> str:
    sanitized = ", with sanitizers" if verification.sanitized else ""
    return f"{verification.board} on {verification.target}{sanitized}"


def regression_checks(comparison: Comparison, tolerance: float) -> tuple[Check, ...]:
    """One check per figure that both have: it may be worse by `tolerance` percent.

    Args:
        tolerance: percent; of accuracy, percentage points.
    """
    return tuple(
        Check(
            name=f"regression.{change.name}",
            title=f"{change.title}, against the baseline",
            outcome="failed" if change.loss > tolerance else "passed",
            value=change.new,
            limit=_allowed(change, tolerance),
            margin=_margin(change, tolerance),
            unit=change.unit,
            detail=f"worse than the baseline by {change.loss:.2f} "
            f"{'points' if change.unit == 'share' else '%'}, {tolerance:g} are allowed"
            if change.loss > tolerance
            else "",
        )
        for change in comparison.changes
        if change.delta is not None
    )


def _allowed(change: Change, tolerance: float) -> float:
    assert change.old is not None
    allowed = tolerance / 100 * (1 if change.unit == "share" else change.old)
    return change.old + allowed if change.smaller_is_better else change.old - allowed


def _margin(change: Change, tolerance: float) -> float:
    assert change.new is not None
    room = _allowed(change, tolerance) - change.new
    return room if change.smaller_is_better else -room
