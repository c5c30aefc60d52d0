"""Inference over lines that damage, lose, double, reorder and repeat, and devices that reset."""

from __future__ import annotations

import os
import random
import threading
from functools import partial
from pathlib import Path

import pytest

from edgemcu.device.emulator import start_process
from edgemcu.device.log import LogReader, LogRecord
from edgemcu.device.protocol import Kind, LogLevel
from edgemcu.device.session import DeviceSession, Limits
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, MODEL_DIGEST, TABLE, expected
from tests.support.faulty_line import FaultyLine

# Time-outs as short as the line is fast; patience enough that only a real defect gives up.
LIMITS = Limits(ready_s=20.0, answer_s=0.05, inference_s=0.2, attempts=40)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"), device_firmware.SANITIZE)


class Listener:
    """A monitor beside the session: whatever it believes must be so."""

    def __init__(self, line: FaultyLine) -> None:
        self.records = 0
        self._read = line.read
        self._reader = LogReader()
        self._right: dict[bytes, str] = {}  # outputs → label and score of their line
        line.read = self.read  # type: ignore[method-assign]

    def expect(self, outputs: bytes) -> None:
        scores = [byte - 256 if byte > 127 else byte for byte in outputs[:4]]
        best = max(range(4), key=lambda index: (scores[index], -index))
        steps = (scores[best] + 128) * 100 / 256
        self._right[outputs] = (
            f"{('cat', 'dog', 'bird', 'fish')[best]} {int(steps + 0.5) / 100:.2f}"
        )

    def read(self, timeout: float) -> bytes:
        data = self._read(timeout)
        for event in self._reader.feed(data):
            if isinstance(event, LogRecord):
                self.records += 1
                assert event.model == MODEL_DIGEST[:16]
                label_and_score = self._right[event.outputs]
                if event.text:
                    assert event.text.startswith(f"{label_and_score}  ")
                    assert event.text.endswith(f" ms  #{event.number}")
                    assert f"{event.label} {event.score:.2f}" == label_and_score
        return data


def exchange(firmware: Path, seed: int, count: int, rate: float, resets: float) -> FaultyLine:
    """`count` requests over a faulty line, every answer checked: inferences nearly all of them,
    now and then a timing loop, a self-test or another level of the log."""
    numbers = random.Random(seed)
    line = FaultyLine(partial(start_process, firmware), seed, rate, resets)
    listener = Listener(line)
    with DeviceSession(line, LIMITS) as session:
        for _ in range(count):
            data = numbers.randbytes(INPUT_BYTES)
            kind = numbers.choice(list(Kind))
            tensor = data.translate(TABLE) if kind is Kind.PIXELS else data
            listener.expect(expected(tensor))
            what = numbers.random()
            if what < 0.04:
                asked = numbers.randrange(1, 5)
                timing = session.time(data, kind, asked)
                assert timing.count == asked and timing.least > 0
            elif what < 0.08:
                tested = session.self_test()
                assert tested.passed and tested.checks["answer"] == "ok"
            elif what < 0.1:
                session.log_level(numbers.choice(list(LogLevel)))
            elif what < 0.12:
                session.ping(data[:100])
            else:
                result = session.infer(data, kind)
                assert result.outputs == expected(tensor)
    assert listener.records > count / 10
    return line


def leftovers() -> tuple[int, int, int]:
    """Open files, threads and child processes."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), len(children)


def test_a_sample_of_faults(firmware: Path) -> None:
    line = exchange(firmware, seed=1, count=60, rate=0.03, resets=0.005)
    assert sum(line.faults.values()) > 10


@pytest.mark.parametrize("fault", ["drop", "flip", "double", "delay", "cut", "insert", "replay"])
def test_each_fault_alone(firmware: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random.Random, "choice", _only(fault))
    line = exchange(firmware, seed=2, count=6, rate=0.1, resets=0.0)
    assert set(line.faults) <= {fault}


def _only(fault: str):  # type: ignore[no-untyped-def]
    original = random.Random.choice

    def choice(self: random.Random, options):  # type: ignore[no-untyped-def]
        return fault if "replay" in options else original(self, options)

    return choice


@pytest.mark.slow
def test_ten_thousand_exchanges_over_a_faulty_line(firmware: Path) -> None:
    before = leftovers()
    faults = exchange(firmware, seed=3, count=8000, rate=0.02, resets=0.001).faults
    faults += exchange(firmware, seed=4, count=2000, rate=0.08, resets=0.004).faults
    assert all(faults[name] > 20 for name in ("drop", "flip", "double", "delay", "reset", "replay"))
    assert leftovers() == before
