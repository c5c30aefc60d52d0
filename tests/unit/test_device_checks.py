"""Self-test and timing loops, with the firmware as a process and with a scripted device."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgemcu.boards import load_board
from edgemcu.device.checks import CHECKS, TIME_ANSWER, LoopTiming, SelfTest
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import start_process
from edgemcu.device.protocol import Frame, Kind, LogLevel
from edgemcu.device.session import DeviceSession
from edgemcu.errors import DeviceError, ProtocolError
from edgemcu.firmware.self_test import self_test_pattern
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, expected
from tests.unit.test_session import DATA20, QUICK, Device, ScriptedDevice


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"), device_firmware.SANITIZE)


def test_self_test_of_a_sound_firmware(firmware: Path) -> None:
    data = random.Random(1).randbytes(INPUT_BYTES)
    with open_board(load_board("host"), firmware) as session:
        before = session.infer(data)
        result = session.self_test()
        after = session.infer(data)
    assert result.passed
    assert set(result.checks) == set(CHECKS)
    assert [name for name, what in result.checks.items() if what != "ok"] == ["stack"]
    assert result.checks["stack"] == "skipped" and result.stack_used is None
    assert (result.arena_used, result.serial_lost) == (3008, 0)
    # It computes, but what it computes is no inference of the log's.
    assert (before.sequence, after.sequence) == (1, 2)
    assert before.outputs == after.outputs == expected(data)


def test_self_test_of_a_model_that_computes_something_else(tmp_path: Path) -> None:
    firmware = device_firmware.build("host", tmp_path, ["-DMODEL_IS_WRONG"])
    with open_board(load_board("host"), firmware) as session:
        result = session.self_test()
    assert not result.passed
    assert [name for name, what in result.checks.items() if what == "failed"] == ["answer"]


def test_self_test_of_a_damaged_model_computes_nothing(tmp_path: Path) -> None:
    firmware = device_firmware.build("host", tmp_path, ["-DMODEL_FAILS=-1"])
    with DeviceSession(start_process(firmware)) as session:
        result = session.self_test()
    assert not result.passed
    assert result.checks["constants"] == "failed" and result.checks["answer"] == "skipped"
    assert (result.answer_crc, result.arena_used) == (0, 0)


def test_the_pattern_is_the_firmware_s(firmware: Path) -> None:
    with open_board(load_board("host"), firmware) as session:
        outputs = session.infer(self_test_pattern(INPUT_BYTES)).outputs
        assert session.self_test().answer_crc == zlib.crc32(outputs)


@pytest.mark.parametrize("count", [1, 2, 25])
def test_timing_loops(firmware: Path, count: int) -> None:
    data = random.Random(2).randbytes(INPUT_BYTES)
    lines: list[str] = []
    with open_board(load_board("host"), firmware, on_line=lines.append) as session:
        timing = session.time(data, Kind.PIXELS, count)
        result = session.infer(data)
    assert (timing.count, timing.counter_hz) == (count, 10**9)
    assert 0 < timing.least <= timing.total / count <= timing.most
    assert result.outputs == expected(data)
    # One inference that brings the input there, and the last one; none of the loop's is logged.
    assert [line.rsplit("#")[1] for line in lines if "#" in line] == ["1", "2"]


def test_the_kept_input_is_the_one_that_is_timed(firmware: Path) -> None:
    """An input that makes the model fail would show: it is the pattern that must not be run."""
    with open_board(load_board("host"), firmware) as session:
        session.time(bytes(INPUT_BYTES), count=3)
        request = struct.pack("<II", session._input_id ^ 1, 3)
        refusal = session._exchange("T", request, "t", 1.0)
    assert "has not run here" in str(refusal)


@pytest.mark.parametrize("count", [0, 10_001, 0xFFFF_FFFF])
def test_numbers_of_inferences_that_a_device_refuses(firmware: Path, count: int) -> None:
    with open_board(load_board("host"), firmware) as session:
        session.infer(bytes(INPUT_BYTES))
        refusal = session._exchange("T", struct.pack("<II", session._input_id, count), "t", 1.0)
        assert "not accepted" in str(refusal)
        with pytest.raises(DeviceError, match="at least one"):
            session.time(bytes(INPUT_BYTES), count=0)


def test_firmware_from_before_these_messages() -> None:
    """Its identity does not list them: nothing is sent that it would not understand."""
    device = ScriptedDevice(Device())
    with DeviceSession(device, QUICK) as session:
        for call, name in (
            (session.self_test, "self-test"),
            (lambda: session.time(DATA20), "timing loops"),
            (lambda: session.log_level(LogLevel.OFF), "log settings"),
        ):
            with pytest.raises(DeviceError, match=f"knows no {name}.*edgemcu 0 gen.*\\n.*again"):
                call()
        assert session.infer(DATA20).outputs == b"abc"
    assert {request.type for request in device.requests} == {"I", "D", "R"}


def test_settings_survive_a_reset() -> None:
    device = Device(messages="PIDRL")
    levels: list[bytes] = []
    resets = iter([True, False])

    def answer(request: Frame) -> list[bytes]:
        if request.type == "L":
            levels.append(request.payload)
            return [Frame("k", request.sequence, device.session).encode()]
        if request.type == "R" and next(resets, False):
            device.session, device.received = b"\0\0\0\0", 0
        return device(request)

    with DeviceSession(ScriptedDevice(answer), QUICK) as session:
        session.log_level(LogLevel.OFF)
        assert session.infer(DATA20).outputs == b"abc"
        assert session.restarts == 1
    # Once more after the reset; and in the end what the next one to listen expects.
    assert levels == [b"\0", b"\0", b"\2"]


def test_timings_add_up() -> None:
    total = LoopTiming(1, 5, 5, 5, 0) + LoopTiming(3, 4, 9, 20, 0)
    assert total == LoopTiming(4, 4, 9, 25, 0)


@pytest.mark.parametrize(
    "answer",
    [
        (0, 8, 3, 1, 2, 4),
        (0, 7, 2, 1, 2, 4),
        (0, 7, 3, 2, 1, 4),
        (0, 7, 3, 1, 2, 2),
        (0, 7, 3, 1, 2, 7),
    ],
)
def test_timings_that_contradict_themselves(answer: tuple[int, ...]) -> None:
    assert LoopTiming.decode(TIME_ANSWER.pack(0, 7, 3, 1, 2, 5), 7, 3, 0).total == 5
    with pytest.raises(ProtocolError):
        LoopTiming.decode(TIME_ANSWER.pack(*answer), 7, 3, 0)


@given(st.binary(max_size=80))
def test_no_payload_does_more_than_a_protocol_error(payload: bytes) -> None:
    for decode in (SelfTest.decode, lambda data: LoopTiming.decode(data, 1, 1, 0)):
        with pytest.raises(ProtocolError):
            decode(payload)
