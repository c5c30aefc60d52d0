"""Sessions with the firmware as a process, and with a scripted device where it must misbehave."""

from __future__ import annotations

import os
import pty
import random
import signal
import socket
import subprocess
import sys
import time
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import start_process
from edgemcu.device.protocol import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_BODY,
    DATA,
    DATA_HEADER,
    IDENTIFY,
    IDENTITY,
    PING,
    PONG,
    RESULT,
    RESULT_HEADER,
    RUN_HEADER,
    Decoder,
    Frame,
    Kind,
    line_size,
)
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.transport import SerialTransport, connect_tcp
from edgemcu.errors import DeviceError, EmulatorError, ProtocolError, ToolMissingError
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, MODEL_DIGEST, TABLE, expected

QUICK = Limits(ready_s=0.5, answer_s=0.1, inference_s=0.5, attempts=3)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"))


def an_input(start: bytes = b"") -> bytes:
    return start + random.Random(0).randbytes(INPUT_BYTES - len(start))


# ---- The firmware as a process ----------------------------------------------------------------


def test_inference_of_tensors_and_of_pixels(firmware: Path) -> None:
    lines: list[str] = []
    with open_board(
        load_board("host"), firmware, model_digest=MODEL_DIGEST, on_line=lines.append
    ) as session:
        data = an_input()
        tensor = session.infer(data)
        pixels = session.infer(data, Kind.PIXELS)
        session.ping(b"x" * 1000)
    assert tensor.outputs == expected(data)
    assert pixels.outputs == expected(data.translate(TABLE))
    assert (tensor.sequence, pixels.sequence) == (1, 2)
    assert tensor.instructions is None and tensor.seconds == tensor.ticks / 1e9
    assert session.identity.arena_used == session.identity.arena_planned == 3008
    assert lines[0].startswith("edgemcu ") and MODEL_DIGEST in lines[0]
    # The class is the first of the highest output, the score softmax's scale of 1/256.
    scores = [byte - 256 if byte > 127 else byte for byte in pixels.outputs[:4]]
    best = max(range(4), key=lambda index: (scores[index], -index))
    name = ("cat", "dog", "bird", "fish")[best]
    assert lines[-1].startswith(f"{name} {(scores[best] + 128) / 256 + 1e-9:.2f}  ")
    assert lines[-1].endswith(" ms  #2")


def test_many_inputs_in_order(firmware: Path) -> None:
    inputs = [random.Random(seed).randbytes(INPUT_BYTES) for seed in range(20)]
    with open_board(load_board("host"), firmware) as session:
        results = list(session.infer_many(inputs))
    assert [result.outputs for result in results] == [expected(data) for data in inputs]


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"too short", Kind.TENSOR, "9 bytes, but the model"),
        (an_input(b"FAIL"), 0, "failed to run"),
    ],
)
def test_what_the_model_refuses(firmware: Path, data: bytes, kind: Kind, message: str) -> None:
    with open_board(load_board("host"), firmware) as session:
        with pytest.raises(DeviceError, match=message):
            session.infer(data, kind)
        session.infer(an_input())  # and goes on


def test_a_crash_is_reported_with_the_signal_and_the_last_output(firmware: Path) -> None:
    with (
        open_board(load_board("host"), firmware) as session,
        pytest.raises(EmulatorError, match=r"signal 4.*\n.*edgemcu .* on host"),
    ):
        session.infer(an_input(b"TRAP"))


def test_a_hang_ends_within_the_limits(firmware: Path) -> None:
    with (
        open_board(load_board("host"), firmware, limits=QUICK) as session,
        pytest.raises(EmulatorError, match=r"gave up after 3 attempts.*still running"),
    ):
        session.infer(an_input(b"HANG"))


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60",
        "cat > /dev/null",
        "yes",
        "yes '@em1 '",
        "yes | tr -d '\\n'",
        "exit 3",
        "kill -9 $$",
    ],
)
def test_programs_that_are_no_firmware(tmp_path: Path, script: str) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho oops >&2\n{script}\n")
    program.chmod(0o755)
    session = DeviceSession(start_process(program), QUICK)
    with session, pytest.raises(EmulatorError, match=r"oops"):
        session.identify()


def test_another_model_than_expected_is_refused(firmware: Path) -> None:
    with pytest.raises(DeviceError, match="not ffff"):
        open_board(load_board("host"), firmware, model_digest="f" * 64)


def test_firmware_of_another_board_is_refused(firmware: Path, tmp_path: Path) -> None:
    board = load_board("host").model_copy(update={"name": "my-board"})
    with pytest.raises(DeviceError, match="is for board 'host'"):
        open_board(board, firmware)


def test_a_board_without_emulator_and_a_firmware_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="cannot be emulated"):
        open_board(load_board("host").model_copy(update={"emulator": None}), tmp_path / "x")
    with pytest.raises(EmulatorError, match="no such firmware"):
        open_board(load_board("host"), tmp_path / "x")


def test_qemu_that_is_not_installed(firmware: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match=r"apt-get install qemu-system-arm"):
        open_board(load_board("stm32f405"), firmware)


def test_a_serial_port(firmware: Path) -> None:
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    with (
        subprocess.Popen([firmware], stdin=ours, stdout=ours) as process,
        DeviceSession(SerialTransport(os.ttyname(theirs), 115_200)) as session,
    ):
        data = an_input()
        assert session.infer(data).outputs == expected(data)
        process.kill()
        process.wait()
        os.close(ours)
        with pytest.raises(DeviceError, match="/dev/pts/"):
            session.infer(data)
    os.close(theirs)


def test_a_serial_port_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="plugged in"):
        SerialTransport("/dev/no-such-port", 115_200)


def test_a_firmware_over_tcp(firmware: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        transport = connect_tcp("127.0.0.1", port)
        connection, _ = server.accept()
    with (
        connection,
        subprocess.Popen([firmware], stdin=connection, stdout=connection),
        DeviceSession(transport) as session,
    ):
        connection.close()
        data = an_input()
        assert session.infer(data).outputs == expected(data)
    with pytest.raises(DeviceError, match="is something listening"):
        connect_tcp("127.0.0.1", port)


def test_a_killed_parent_takes_the_firmware_along(firmware: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; "
        "from edgemcu.device.emulator import start_process; "
        "line = start_process(Path(sys.argv[1])); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(firmware)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"up\n"
        wait_until(lambda: running(firmware))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not running(firmware))


def test_a_closed_session_leaves_nothing_behind(firmware: Path) -> None:
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with open_board(load_board("host"), firmware, limits=QUICK) as session:
        with pytest.raises(EmulatorError):
            session.infer(an_input(b"HANG"))
        assert running(firmware)
    assert not running(firmware)
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208


def running(program: Path) -> bool:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "exe").readlink() == program.resolve():
                return True
        except OSError:
            continue
    return False


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---- A scripted device ------------------------------------------------------------------------


class ScriptedDevice:
    """A transport whose other end is a function from request to answers, without any delay."""

    def __init__(self, answer: Callable[[Frame], list[bytes]], speed: float | None = None) -> None:
        self.name = "script"
        self.bytes_per_second = speed
        self.requests: list[Frame] = []
        self._answer = answer
        self._decoder = Decoder()
        self._out: deque[bytes] = deque()

    def read(self, timeout: float) -> bytes:
        if not self._out:
            time.sleep(max(0.0, timeout))
        return self._out.popleft() if self._out else b""

    def write(self, data: bytes, timeout: float) -> None:
        for request in self._decoder.feed(data):
            assert isinstance(request, Frame)
            self.requests.append(request)
            self._out.extend(self._answer(request))

    def failure(self, message: str, last_output: str) -> DeviceError:
        return DeviceError(message)

    def close(self) -> None:
        return None


class Device:
    """A correct device in Python, with parts to be replaced: 20 bytes of input, 10 in a frame."""

    def __init__(self, **identity: object) -> None:
        self.session = b"\0\0\0\0"
        self.input_id = self.received = 0
        self.identity = {
            **{"protocol": 1, "firmware": "0", "board": "b", "model": "0", "runtime": "compiled"},
            **{"kernels": "portable", "model_ok": 1, "input_bytes": 20, "output_bytes": 3},
            **{"pixels": 0, "arena_planned": 1, "arena_used": 1, "counter_hz": 0},
            **{"max_payload": DATA_HEADER.size + 10, "window": 0},
            **identity,
        }

    def __call__(self, request: Frame) -> list[bytes]:
        return [frame.encode() for frame in self.answers(request)]

    def answers(self, request: Frame) -> list[Frame]:
        if request.type == IDENTIFY:
            self.session = request.payload
            text = "".join(f"{key}={value}\n" for key, value in self.identity.items())
            return [Frame(IDENTITY, request.sequence, self.session + text.encode())]
        if request.type == PING:
            return [Frame(PONG, request.sequence, self.session + request.payload)]
        if request.type == DATA:
            input_id, offset, _ = DATA_HEADER.unpack_from(request.payload)
            if offset == 0:
                self.input_id, self.received = input_id, 0
            if offset == self.received:
                self.received += len(request.payload) - DATA_HEADER.size
            return [self.acknowledge(request)]
        return [self.acknowledge(request), self.result(request)]

    def acknowledge(self, request: Frame) -> Frame:
        (session,) = (int.from_bytes(self.session, "little"),)
        body = ACKNOWLEDGE_BODY.pack(session, self.input_id, self.received)
        return Frame(ACKNOWLEDGE, request.sequence, body)

    def result(self, request: Frame, *, crc_change: int = 0, outputs: bytes = b"abc") -> Frame:
        input_id, crc = RUN_HEADER.unpack(request.payload)
        session = int.from_bytes(self.session, "little")
        body = RESULT_HEADER.pack(session, input_id, crc ^ crc_change, 1, 99) + outputs
        return Frame(RESULT, request.sequence, body)


DATA20 = bytes(range(20))


def test_the_window_bounds_what_is_sent_ahead() -> None:
    data, run = line_size(DATA_HEADER.size + 10), line_size(RUN_HEADER.size)
    for window, at_once in ((0, 1), (data - 1, 1), (data, 2), (data + run - 1, 2), (data + run, 3)):
        device = ScriptedDevice(Device(window=window))
        with DeviceSession(device, QUICK) as session:
            session.identify()
            device._answer = lambda request: []
            device.requests.clear()
            with pytest.raises(DeviceError, match="no answer in time"):
                session.infer(DATA20)
        assert len(device.requests) == at_once * QUICK.attempts


def test_a_result_for_another_input_is_never_taken() -> None:
    device = Device()
    wrong = ScriptedDevice(
        lambda request: (
            [device.result(request, crc_change=1).encode()]
            if request.type == "R"
            else device(request)
        )
    )
    with (
        DeviceSession(wrong, QUICK) as session,
        pytest.raises(ProtocolError, match="another input"),
    ):
        session.infer(DATA20)


def test_a_result_of_another_size_is_refused() -> None:
    device = Device()
    wrong = ScriptedDevice(
        lambda request: (
            [device.result(request, outputs=b"abcd").encode()]
            if request.type == "R"
            else device(request)
        )
    )
    with DeviceSession(wrong, QUICK) as session, pytest.raises(ProtocolError, match="4 bytes"):
        session.infer(DATA20)


def test_a_late_result_of_an_earlier_input_is_ignored() -> None:
    device = Device()
    results: list[bytes] = []

    def answer(request: Frame) -> list[bytes]:
        answers = device(request)
        if request.type == "R":
            results.append(answers[-1])
            return [*results[:-1], *answers]
        return [*results, *answers]

    with DeviceSession(ScriptedDevice(answer), QUICK) as session:
        for _ in range(5):
            assert session.infer(DATA20).outputs == b"abc"


def test_a_reset_is_noticed_and_the_input_sent_again() -> None:
    device = Device()
    resets = iter([True, False])

    def answer(request: Frame) -> list[bytes]:
        if request.type == "R" and next(resets, False):
            device.session, device.received = b"\0\0\0\0", 0
        return device(request)

    with DeviceSession(ScriptedDevice(answer), QUICK) as session:
        assert session.infer(DATA20).outputs == b"abc"
        assert session.restarts == 1


def test_a_device_that_restarts_for_ever_is_given_up() -> None:
    device = Device()

    def answer(request: Frame) -> list[bytes]:
        if request.type == "R":
            device.session, device.received = b"\0\0\0\0", 0
        return device(request)

    with (
        DeviceSession(ScriptedDevice(answer), QUICK) as session,
        pytest.raises(DeviceError, match="keeps restarting"),
    ):
        session.infer(DATA20)


def test_another_firmware_after_a_reset_is_refused() -> None:
    device = Device()

    def answer(request: Frame) -> list[bytes]:
        if request.type == "R":
            device.session = b"\0\0\0\0"
            device.identity["model"] = "1"
        return device(request)

    with (
        DeviceSession(ScriptedDevice(answer), QUICK) as session,
        pytest.raises(ProtocolError, match="another firmware"),
    ):
        session.infer(DATA20)


@pytest.mark.parametrize("chatter", [Frame("i", 0, b"\1\0\0\0"), Frame("p", 9, b"\1\0\0\0")])
def test_a_device_that_talks_on_and_on_is_given_up(chatter: Frame) -> None:
    device = Device()
    line = ScriptedDevice(device)
    with DeviceSession(line, QUICK) as session:
        session.identify()
        line.read = lambda timeout: chatter.encode()  # type: ignore[method-assign]
        with pytest.raises(DeviceError, match="no answer in time"):
            session.infer(DATA20)
        with pytest.raises(DeviceError, match="gave up after 3"):
            session.ping()
        with pytest.raises(DeviceError, match="identified itself"):
            session.identify()


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ({"protocol": 9}, "version '9'"),
        ({"output_bytes": 1 << 31}, "claims outputs"),
        ({"input_bytes": "many"}, "no number"),
    ],
)
def test_identities_that_are_refused(identity: dict[str, object], message: str) -> None:
    with (
        DeviceSession(ScriptedDevice(Device(**identity)), QUICK) as session,
        pytest.raises(ProtocolError, match=message),
    ):
        session.identify()


def test_pixels_for_a_firmware_that_takes_none() -> None:
    with (
        DeviceSession(ScriptedDevice(Device()), QUICK) as session,
        pytest.raises(DeviceError, match="no pixels"),
    ):
        session.infer(DATA20, Kind.PIXELS)


def test_a_slow_line_gets_the_time_that_it_needs() -> None:
    """At 300 bytes per second an input's line takes longer than an answer may."""
    device = Device(window=0)
    line = ScriptedDevice(device, speed=300.0)
    answers: list[bytes] = []

    def late(request: Frame) -> list[bytes]:
        answers.extend(device(request))
        return []

    with DeviceSession(line, QUICK) as session:
        session.identify()
        line._answer = late

        def read(timeout: float) -> bytes:
            time.sleep(min(timeout, 0.15))
            return answers.pop(0) if answers else b""

        line.read = read  # type: ignore[method-assign]
        line.requests.clear()
        assert session.infer(DATA20).outputs == b"abc"
    assert len(line.requests) == 3
