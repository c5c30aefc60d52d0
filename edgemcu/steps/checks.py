"""From figures and limits to checks: what passed, what failed, and what this target cannot tell."""

from __future__ import annotations

from dataclasses import dataclass

from edgemcu.device.checks import CHECKS as SELF_CHECKS
from edgemcu.device.checks import SelfTest
from edgemcu.device.protocol import Identity
from edgemcu.device.target import Target
from edgemcu.project import VerifyTable
from edgemcu.report.text import plural
from edgemcu.report.verification import Check, Figures, Outcome, Unit


@dataclass(frozen=True)
class Circumstances:
    """What the checks depend on beside the figures.

    Attributes:
        target: where it ran.
        hosted: whether the firmware was a program of this computer.
        runtime: "compiled" or "tflm", as was asked for.
        promised_kernels: what must compute the model.
        identity: what the firmware said about itself.
        self_test: what the device found when it checked itself; None if it cannot.
        sanitized: built with sanitizers.
    """

    target: Target
    hosted: bool
    runtime: str
    promised_kernels: str
    identity: Identity
    self_test: SelfTest | None
    sanitized: bool


def make_checks(
    figures: Figures, limits: VerifyTable, circumstances: Circumstances
) -> tuple[Check, ...]:
    """Every check, in the order in which they are shown; a limit that is not set is no check."""
    checks = [
        _bytes(figures),
        Check(
            "model", "the firmware holds this model", "passed", circumstances.identity.model[:16]
        ),
        _kernels(circumstances),
        _arena(figures),
        _self_test(circumstances.self_test),
    ]
    if circumstances.sanitized:
        # A finding ends the process, and the verification with it.
        checks.append(Check("sanitizers", "no finding of the sanitizers", "passed"))
    checks += _limits(figures, limits, circumstances)
    return tuple(checks)


def _bytes(figures: Figures) -> Check:
    differ = figures.inferences - figures.bytes_equal
    return Check(
        "bytes",
        "every output byte is the reference's",
        "failed" if differ or not figures.inferences else "passed",
        figures.bytes_equal,
        figures.inferences,
        -differ,
        "inferences",
        f"{plural(differ, 'output')} not the reference's" if differ else "",
    )


def _kernels(circumstances: Circumstances) -> Check:
    runs, promised = circumstances.identity.kernels, circumstances.promised_kernels
    runtime = circumstances.identity.runtime
    if runtime != circumstances.runtime:
        detail = f"the firmware has the {runtime} runtime, not {circumstances.runtime}"
    elif runs != promised:
        detail = f"the firmware computes with {runs!r} kernels, {promised!r} are promised"
    else:
        detail = ""
    outcome: Outcome = "failed" if detail else "passed"
    return Check("kernels", "the promised kernels", outcome, runs, promised, detail=detail)


def _arena(figures: Figures) -> Check:
    used, planned = figures.arena_used, figures.arena_planned
    assert used is not None and planned is not None
    return Check(
        "arena",
        "arena within what was computed",
        "failed" if used > planned else "passed",
        used,
        planned,
        planned - used,
        "bytes",
        "the device uses more than was computed" if used > planned else "",
    )


def _self_test(test: SelfTest | None) -> Check:
    name, title = "self_test", "the device's self-test"
    if test is None:
        detail = _not_here("this firmware has none, it is of an older edgemcu")
        return Check(name, title, "not checked", detail=detail)
    failed = [check for check, result in test.checks.items() if result == "failed"]
    detail = "; ".join(f"{check}: not so that {SELF_CHECKS[check]}" for check in failed)
    good = list(test.checks.values()).count("ok")
    told = f"{good} of {len(test.checks)}"
    return Check(name, title, "failed" if failed else "passed", told, detail=detail)


def _limits(figures: Figures, limits: VerifyTable, circumstances: Circumstances) -> list[Check]:
    c = circumstances
    latency = figures.latency_ms.max if figures.latency_ms else None
    instructions = figures.instructions.max if figures.instructions else None
    here = "this computer" if c.hosted else "an emulator" if c.target.emulated else "this board"
    of_host = "this is a program of this computer, not the board's"
    no_program = of_host if c.hosted else "the program that is on the board was not built here"
    no_stack = of_host if c.hosted else "the firmware does not tell"
    no_latency = (
        f"{here} has no latency of a board"
        if c.hosted or c.target.emulated
        else "the firmware does not know the rate of its clock"
    )
    # On a 64-bit computer TensorFlow Lite Micro's own structures are larger.
    arena = None if c.hosted and c.runtime == "tflm" else figures.arena_used
    flash, ram, stack = (
        (None, None, None)
        if c.hosted
        else (figures.flash_bytes, figures.ram_bytes, figures.stack_used)
    )
    asked: list[tuple[str, str, Unit, float | None, float | None, str]] = [
        ("max_latency_ms", "latency, slowest", "ms", latency, limits.max_latency_ms, no_latency),
        (
            *("max_instructions", "instructions, most", "instructions"),
            *(instructions, limits.max_instructions, f"{here} does not count instructions"),
        ),
        ("max_flash", "flash", "bytes", flash, limits.max_flash, no_program),
        ("max_ram", "RAM", "bytes", ram, limits.max_ram, no_program),
        ("max_arena", "arena in use", "bytes", arena, limits.max_arena, of_host),
        ("max_stack", "stack, most in use", "bytes", stack, limits.max_stack, no_stack),
    ]
    checks = [_at_most(*question) for question in asked if question[4] is not None]
    if limits.min_accuracy is not None:
        checks.insert(0, _accuracy(figures.accuracy, limits.min_accuracy))
    return checks


def _at_most(
    name: str, title: str, unit: Unit, value: float | None, limit: float | None, reason: str
) -> Check:
    assert limit is not None
    if value is None:
        return Check(name, title, "not checked", None, limit, None, unit, _not_here(reason))
    outcome: Outcome = "failed" if value > limit else "passed"
    return Check(name, title, outcome, value, limit, limit - value, unit)


def _accuracy(value: float | None, limit: float) -> Check:
    name, title = "min_accuracy", "accuracy"
    if value is None:
        reason = _not_here("there are no photos with labels")
        return Check(name, title, "not checked", None, limit, None, "share", reason)
    outcome: Outcome = "failed" if value < limit else "passed"
    return Check(name, title, outcome, value, limit, value - limit, "share")


def _not_here(reason: str) -> str:
    return f"not checked here: {reason}"
