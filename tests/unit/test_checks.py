from __future__ import annotations

from dataclasses import replace

import pytest

from edgemcu.device.checks import CHECKS, SelfTest
from edgemcu.device.protocol import Identity
from edgemcu.device.target import Target
from edgemcu.project import VerifyTable
from edgemcu.report.verification import Check, Distribution
from edgemcu.steps.checks import Circumstances, make_checks
from tests.support.verifications import make_verification

FIGURES = replace(make_verification().figures, accuracy=0.75)
IDENTITY = Identity(
    protocol=1, firmware="0.1.0", board="stm32f405", model="9f2c" * 16, runtime="tflm",
    kernels="cmsis-nn", model_ok=True, input_bytes=1, output_bytes=1, pixels=True,
    arena_planned=1, arena_used=1, counter_hz=0, max_payload=100, window=0,
)  # fmt: skip
ALL_OK = SelfTest(dict.fromkeys(CHECKS, "ok"), 1, 49_152, 1200, 0)
QEMU = Circumstances(Target("qemu"), False, "tflm", "cmsis-nn", IDENTITY, ALL_OK, False)
PORT = replace(QEMU, target=Target("port", "/dev/ttyACM0"))
HOST = replace(QEMU, target=Target("host"), hosted=True)
ALL = VerifyTable(
    max_latency_ms=40, max_instructions=31_000_000, min_accuracy=0.75, max_flash=300_000,
    max_ram=80_000, max_arena=49_152, max_stack=2_000,
)  # fmt: skip


def checks(
    limits: VerifyTable = ALL, circumstances: Circumstances = QEMU, **figures: object
) -> dict[str, Check]:
    made = make_checks(replace(FIGURES, **figures), limits, circumstances)  # type: ignore[arg-type]
    assert len({check.name for check in made}) == len(made)
    return {check.name: check for check in made}


def test_in_an_emulator_a_latency_is_not_checked_and_all_else_is() -> None:
    made = checks()
    assert made.pop("max_latency_ms").detail == (
        "not checked here: an emulator has no latency of a board"
    )
    assert {check.outcome for check in made.values()} == {"passed"}
    assert list(made) == [
        *("bytes", "model", "kernels", "arena", "self_test", "min_accuracy"),
        *("max_instructions", "max_flash", "max_ram", "max_arena", "max_stack"),
    ]


def test_without_limits_only_what_always_holds_is_checked() -> None:
    assert list(checks(VerifyTable())) == ["bytes", "model", "kernels", "arena", "self_test"]


def test_on_a_board_instructions_are_not_checked() -> None:
    latency = Distribution.of([39.0, 40.0])
    made = checks(circumstances=PORT, latency_ms=latency, instructions=None)
    assert made["max_latency_ms"].outcome == "passed"
    assert made["max_latency_ms"].margin == 0
    assert made["max_instructions"].outcome == "not checked"
    unclear = checks(circumstances=PORT, instructions=None, flash_bytes=None, stack_used=None)
    assert "rate of its clock" in unclear["max_latency_ms"].detail
    assert "was not built here" in unclear["max_flash"].detail
    assert "does not tell" in unclear["max_stack"].detail


def test_a_program_of_this_computer_has_no_flash_ram_stack_nor_latency() -> None:
    made = checks(circumstances=HOST, instructions=None)
    outcomes = {name: check.outcome for name, check in made.items()}
    for name in ("max_latency_ms", "max_instructions", "max_flash", "max_ram", "max_stack"):
        assert outcomes[name] == "not checked"
    assert outcomes["max_arena"] == "not checked", "TFLM's is another one there"
    compiled = replace(HOST, runtime="compiled", promised_kernels="cmsis-nn")
    assert checks(circumstances=compiled)["max_arena"].outcome == "passed"


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("bytes", {"bytes_equal": 2}),
        ("bytes", {"inferences": 0, "bytes_equal": 0}),
        ("arena", {"arena_used": 49_153}),
        ("min_accuracy", {"accuracy": 0.7499}),
        ("max_instructions", {"instructions": Distribution(1, 1, 31_000_001)}),
        ("max_flash", {"flash_bytes": 300_001}),
        ("max_ram", {"ram_bytes": 80_001}),
        ("max_arena", {"arena_used": 49_153}),
        ("max_stack", {"stack_used": 2_001}),
    ],
)
def test_each_check_can_fail(name: str, figures: dict[str, object]) -> None:
    check = checks(**figures)[name]
    assert check.outcome == "failed"
    assert check.margin is None or check.margin < 0 or name == "bytes"


def test_reference_kernels_where_others_are_promised() -> None:
    slow = replace(QEMU, identity=replace(IDENTITY, kernels="reference"))
    check = checks(circumstances=slow)["kernels"]
    assert (check.outcome, check.value, check.limit) == ("failed", "reference", "cmsis-nn")
    assert "'cmsis-nn' are promised" in check.detail
    other = replace(QEMU, identity=replace(IDENTITY, runtime="compiled"))
    assert "has the compiled runtime, not tflm" in checks(circumstances=other)["kernels"].detail


def test_an_accuracy_without_labels_and_a_run_with_sanitizers() -> None:
    made = checks(accuracy=None, circumstances=replace(HOST, sanitized=True))
    assert made["min_accuracy"].detail == "not checked here: there are no photos with labels"
    assert made["sanitizers"].outcome == "passed"


def test_what_the_device_finds_itself() -> None:
    bad = replace(ALL_OK, checks={**ALL_OK.checks, "stack": "failed", "memory": "skipped"})
    check = checks(circumstances=replace(QEMU, self_test=bad))["self_test"]
    assert check.outcome == "failed"
    assert check.detail == "stack: not so that the stack has never been used up"
    assert check.value == "3 of 5"
    old = checks(circumstances=replace(QEMU, self_test=None))["self_test"]
    assert (old.outcome, old.detail[:16]) == ("not checked", "not checked here")
