"""Log lines: of a real firmware, and as a reader without a session must stand them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgemcu.boards import load_board
from edgemcu.device.connect import open_board
from edgemcu.device.log import (
    LogDamage,
    LogEvent,
    LogFault,
    LogReader,
    LogRecord,
    LogStart,
    LogText,
)
from edgemcu.device.protocol import (
    LOG_FRAME,
    LOG_HEADER,
    Frame,
    LogLevel,
    crc32,
)
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, MODEL_DIGEST, expected


def line(
    text: bytes = b"cat 0.93  41.20 ms  #128  ",
    outputs: bytes = b"abc",
    *,
    said: bytes | None = None,
    output_bytes: int | None = None,
    outputs_crc: int | None = None,
    hz: int = 1_000_000,
) -> bytes:
    """A log line; `said` is what the frame says that the text was."""
    said = text if said is None else said
    header = LOG_HEADER.pack(
        *(0, 128, 41_200, hz, bytes.fromhex(MODEL_DIGEST[:16]), len(said), crc32(said)),
        len(outputs) if output_bytes is None else output_bytes,
        crc32(outputs) if outputs_crc is None else outputs_crc,
    )
    return text + Frame(LOG_FRAME, 0, header + outputs).encode()


RECORD = LogRecord(
    *(128, "cat 0.93  41.20 ms  #128", 41_200, MODEL_DIGEST[:16], b"abc", 3, "cat", 0.93, 41.2)
)


def read(data: bytes) -> list[LogEvent]:
    return LogReader().feed(data)


def test_the_page_s_line() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    (shown,) = [line for line in page.splitlines() if " @em1 l 0000 AA" in line]
    assert shown.encode() + b"\n" == line()
    assert read(line()) == [RECORD]


# ---- A firmware's own lines ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"), device_firmware.SANITIZE)


class Tap:
    """A transport that shows what it carries to a LogReader, as to a monitor beside it."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.events: list[LogEvent] = []
        self._reader = LogReader()

    def read(self, timeout: float) -> bytes:
        data: bytes = self._inner.read(timeout)  # type: ignore[attr-defined]
        self.events += self._reader.feed(data)
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_levels_of_a_firmware(firmware: Path) -> None:
    data = random.Random(3).randbytes(INPUT_BYTES)
    lines: list[str] = []
    with open_board(load_board("host"), firmware, on_line=lines.append) as session:
        tap = Tap(session._link.transport)
        session._link.transport = tap  # type: ignore[assignment]
        first = session.infer(data)
        session.log_level(LogLevel.TEXT)
        session.infer(data)
        session.log_level(LogLevel.OFF)
        session.infer(data)
        session.log_level(LogLevel.FRAME)
        last = session.infer(data)
    records = [event for event in tap.events if isinstance(event, LogRecord)]
    assert [record.number for record in records] == [1, 4]
    for record, result in zip(records, (first, last), strict=True):
        assert record.outputs == result.outputs == expected(data)
        assert record.model == MODEL_DIGEST[:16]
        assert record.ticks == result.ticks
        assert record.milliseconds == 1000 * result.ticks / 1e9
        assert record.label in ("cat", "dog", "bird", "fish") and record.score is not None
        assert record.text.endswith(f" ms  #{record.number}")
    (plain,) = [event for event in tap.events if isinstance(event, LogText)]
    assert plain.text.endswith("ms  #2")
    assert [text.rsplit("#")[-1] for text in lines if "#" in text] == ["1", "2", "4"]
    assert not [event for event in tap.events if isinstance(event, LogDamage)]


# ---- The reader ---------------------------------------------------------------------------------


def test_a_line_and_what_may_stand_around_it() -> None:
    assert read(line()) == [RECORD]
    assert read(b"I (24) boot: x\r\n" + line()) == [LogText("I (24) boot: x"), RECORD]
    # A reset has cut another line off.
    assert read(b"dog 0.1" + line()) != [RECORD]
    cut = b"dog 0.1" + line()
    assert read(cut) == [LogText("dog 0.1"), RECORD]
    cut = line()[:60] + line(b"")
    assert isinstance(read(cut)[-1], LogRecord)


def test_ticks_of_an_emulator_are_no_time() -> None:
    (record,) = read(line(b"cat 0.93  41200 ticks  #128  ", hz=0))
    assert record == replace(RECORD, text="cat 0.93  41200 ticks  #128", milliseconds=None)


def test_a_model_without_classes_and_classes_with_strange_names() -> None:
    (record,) = read(line(b"41.20 ms  #128  "))
    assert record == replace(RECORD, text="41.20 ms  #128", label=None, score=None)
    (record,) = read(line("a 0.5  @em1 b\u00eerd -0.07  41.20 ms  #128  ".encode()))
    assert isinstance(record, LogRecord)
    assert (record.label, record.score) == ("a 0.5  @em1 b\u00eerd", -0.07)


def test_text_that_was_damaged_is_not_shown_as_if_it_were_right() -> None:
    damage, record = read(line(b"car 0.93  41.20 ms  #128  ", said=b"cat 0.93  41.20 ms  #128  "))
    assert isinstance(damage, LogDamage) and "car" in damage.text
    assert record == replace(RECORD, text="", label=None, score=None)


def test_long_outputs_are_told_in_part() -> None:
    outputs = bytes(256)
    (record,) = read(line(outputs=outputs, output_bytes=1000, outputs_crc=1))
    assert isinstance(record, LogRecord)
    assert (record.outputs, record.output_bytes) == (outputs, 1000)


@pytest.mark.parametrize(
    "bad",
    [
        line(outputs_crc=5),
        line(output_bytes=4),
        line(output_bytes=2),
        line(outputs=bytes(257)),
        Frame(LOG_FRAME, 0, bytes(LOG_HEADER.size - 1)).encode(),
        line().replace(b"@em1 l 0000 A", b"@em1 l 0000 B"),
        b"@em1 l 0000\n",
        Frame("i", 0, b"\0\0\0\0protocol=9\n").encode(),
        Frame("i", 0, b"").encode(),
    ],
)
def test_frames_that_contradict_themselves(bad: bytes) -> None:
    events = read(bad)
    assert events and not [event for event in events if isinstance(event, LogRecord)]
    assert [event for event in events if isinstance(event, LogDamage)]


def test_a_fault_and_a_start() -> None:
    fault = b"edgemcu fault: HardFault pc=00000000"
    assert read(fault + b"\r\n") == [LogFault(fault.decode())]
    identity = (
        b"\0\0\0\0protocol=1\nfirmware=0.1.0\nboard=b\nmodel=00\nruntime=compiled\n"
        b"kernels=portable\nmodel_ok=1\ninput_bytes=3\noutput_bytes=3\npixels=0\n"
        b"arena_planned=9\narena_used=8\ncounter_hz=0\nmax_payload=1033\nwindow=4096\n"
    )
    (start,) = read(Frame("i", 0, identity).encode())
    assert isinstance(start, LogStart) and start.identity.board == "b"


@given(st.integers(0, len(line()) - 1), st.integers(1, 255))
def test_no_changed_byte_changes_what_is_believed(position: int, change: int) -> None:
    """Every field that is shown is that of the line as it was sent, or is not shown."""
    damaged = bytearray(line())
    damaged[position] ^= change
    for event in read(bytes(damaged) + b"\n"):
        if isinstance(event, LogRecord):
            assert event in (RECORD, replace(RECORD, text="", label=None, score=None))


@given(st.binary(max_size=40), st.integers(0, 200), st.binary(max_size=40))
def test_any_bytes_around_and_inside_a_line(before: bytes, cut: int, after: bytes) -> None:
    data = before + line()[:cut] + after + b"\n" + line()
    events = read(data)
    assert events[-1] == RECORD
    # However the bytes are cut, the events are the same.
    reader = LogReader()
    assert [event for byte in data for event in reader.feed(bytes([byte]))] == events
