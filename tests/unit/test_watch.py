"""Lines that break off and come back, and firmware that is fed while it is watched."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgemcu.device.emulator import start_process
from edgemcu.device.log import LogReader, LogRecord
from edgemcu.device.protocol import Kind
from edgemcu.device.target import Target, connect
from edgemcu.device.transport import connect_tcp
from edgemcu.device.watch import (
    Connected,
    FedLine,
    Line,
    Lost,
    Received,
    WatchEvent,
    WatchLimits,
    watch,
)
from edgemcu.errors import DeviceError
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES
from tests.support.monitored import Port

QUICK = WatchLimits(reconnects=3, pause_s=0.02, poll_s=0.01)


def take(
    open_line: Callable[[], Line], until: Callable[[list[WatchEvent]], bool], limits: WatchLimits
) -> list[WatchEvent]:
    """Events until there are enough of them, ten seconds at most."""
    seen: list[WatchEvent] = []
    events = watch(open_line, limits)
    ends = time.monotonic() + 10
    try:
        for event in events:
            seen += [event] if event is not None else []
            if until(seen) or time.monotonic() > ends:
                break
    finally:
        events.close()
    return seen


def text(events: list[WatchEvent]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Received))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_cable_pulled_in_mid_line_and_plugged_in_again(listener: socket.socket) -> None:
    def serve() -> None:
        for data in (b"one\ntw", b"two\nthree\n"):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    events = take(
        lambda: connect_tcp(host, port), lambda seen: text(seen).endswith(b"three\n"), QUICK
    )
    thread.join()
    kinds = [type(event) for event in events]
    assert kinds == [Connected, Received, Lost, Connected, Received]
    assert text(events) == b"one\ntwtwo\nthree\n"
    assert [e.again for e in events if isinstance(e, Connected)] == [False, True]


def test_a_line_that_does_not_come_back_is_given_up(listener: socket.socket) -> None:
    host, port = listener.getsockname()
    opened = []

    def open_line() -> Line:
        opened.append(1)
        if len(opened) > 1:
            raise DeviceError("no such port")
        return connect_tcp(host, port)

    thread = threading.Thread(target=lambda: listener.accept()[0].close())
    thread.start()
    with pytest.raises(DeviceError, match="has not come back in 3 attempts"):
        take(open_line, lambda seen: False, QUICK)
    thread.join()
    assert len(opened) == 4


def test_without_reconnecting_the_end_is_the_end(listener: socket.socket) -> None:
    host, port = listener.getsockname()
    thread = threading.Thread(target=lambda: listener.accept()[0].close())
    thread.start()
    with pytest.raises(DeviceError, match="the connection is lost") as error:
        take(
            lambda: connect_tcp(host, port),
            lambda seen: False,
            WatchLimits(reconnects=0, poll_s=0.01),
        )
    thread.join()
    assert "attempts" not in str(error.value)


def test_a_first_connection_that_fails_is_an_error_at_once() -> None:
    def nothing() -> Line:
        raise DeviceError("no such port")

    with pytest.raises(DeviceError, match="no such port"):
        next(watch(nothing, QUICK))


def test_a_serial_port_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    """By name, as after a chip with USB of its own was reset."""
    name = tmp_path / "ttyACM0"
    first, second = Port(), Port()
    name.symlink_to(first.name)

    def reached(seen: list[WatchEvent]) -> bool:
        last = seen[-1] if seen else None
        if isinstance(last, Connected) and not text(seen).endswith(b"after\n"):
            (second.send(b"after\n") if last.again else first.send(b"before\n"))
        elif isinstance(last, Received) and name.is_symlink() and last.data.endswith(b"before\n"):
            name.unlink()
            first.pull()
        elif isinstance(last, Lost) and not name.is_symlink():
            name.symlink_to(second.name)
        return text(seen).endswith(b"after\n")

    events = take(lambda: connect(Target("port", str(name))), reached, QUICK)
    assert text(events) == b"before\nafter\n"
    assert [e.again for e in events if isinstance(e, Connected)] == [False, True]
    second.pull()


def test_closing_leaves_nothing_open(listener: socket.socket) -> None:
    host, port = listener.getsockname()
    thread = threading.Thread(target=lambda: listener.accept()[0].sendall(b"x"))
    thread.start()
    before = open_files()
    take(lambda: connect_tcp(host, port), lambda seen: bool(text(seen)), QUICK)
    thread.join()
    assert open_files() <= before + 1  # the other end, not yet collected


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# ---- Fed firmware ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"))


def test_a_firmware_is_fed_and_its_log_read(firmware: Path) -> None:
    inputs = [bytes(INPUT_BYTES), b"\1" * INPUT_BYTES]
    reader = LogReader()
    records: list[LogRecord] = []
    line = FedLine(start_process(firmware), inputs, Kind.TENSOR, 0.0)
    ends = time.monotonic() + 20
    while len(records) < 5 and time.monotonic() < ends:
        records += [e for e in reader.feed(line.read(0.2)) if isinstance(e, LogRecord)]
    line.close()
    assert [record.number for record in records[:5]] == [1, 2, 3, 4, 5]
    expected = [device_firmware.expected(data) for data in inputs]
    assert [record.outputs for record in records[:4]] == expected * 2


def test_what_goes_wrong_while_feeding_is_heard_after_the_last_words(firmware: Path) -> None:
    inputs = [b"TRAP" + bytes(INPUT_BYTES - 4)]
    line = FedLine(start_process(firmware), inputs, Kind.TENSOR, 0.0)
    reader = LogReader()
    with pytest.raises(DeviceError):
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            assert not any(isinstance(e, LogRecord) for e in reader.feed(line.read(0.2)))
    line.close()


def test_an_input_that_does_not_suit_is_an_error(firmware: Path) -> None:
    line = FedLine(start_process(firmware), [b"short"], Kind.TENSOR, 0.0)
    with pytest.raises(DeviceError, match="an input of 5 bytes"):
        for _ in range(100):
            line.read(0.2)
    line.close()
