"""Inference over lines that damage, lose, double, reorder and repeat, and devices that reset."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from edgemcu.device.emulator import start_process
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession, Limits
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, TABLE, expected
from tests.support.faulty_line import FaultyLine

# Time-outs as short as the line is fast; patience enough that only a real defect gives up.
LIMITS = Limits(ready_s=20.0, answer_s=0.05, inference_s=0.2, attempts=40)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"), device_firmware.SANITIZE)


def exchange(firmware: Path, seed: int, count: int, rate: float, resets: float) -> FaultyLine:
    """`count` inferences over a faulty line, every result checked."""
    numbers = random.Random(seed)
    line = FaultyLine(partial(start_process, firmware), seed, rate, resets)
    with DeviceSession(line, LIMITS) as session:
        for _ in range(count):
            data = numbers.randbytes(INPUT_BYTES)
            kind = numbers.choice(list(Kind))
            result = session.infer(data, kind)
            tensor = data.translate(TABLE) if kind is Kind.PIXELS else data
            assert result.outputs == expected(tensor)
    return line


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


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
    before = open_files()
    faults = exchange(firmware, seed=3, count=8000, rate=0.02, resets=0.001).faults
    faults += exchange(firmware, seed=4, count=2000, rate=0.08, resets=0.004).faults
    assert all(faults[name] > 20 for name in ("drop", "flip", "double", "delay", "reset", "replay"))
    assert open_files() == before
