"""Flashing into an emulator, and monitoring what runs there, crashes included."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgemcu.device.crash import Symbols
from edgemcu.device.emulator import QemuMachine
from edgemcu.device.log import LogFault, LogReader
from edgemcu.device.protocol import Kind
from edgemcu.device.watch import FedLine
from edgemcu.errors import DeviceError
from edgemcu.steps.flash import flash_firmware
from edgemcu.steps.request import firmware_request
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES
from tests.support.tiny_classifier import tiny_classifier

pytestmark = [
    pytest.mark.emulator,
    *(
        pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")
        for tool in ("arm-none-eabi-gcc", "qemu-system-arm")
    ),
]


def test_flash_into_the_emulator(tmp_path: Path) -> None:
    model = tmp_path / "tiny.tflite"
    model.write_bytes(tiny_classifier())
    request = firmware_request(tmp_path, model=model, board="stm32f405", out=tmp_path / "out")
    result = flash_firmware(request, emulator="qemu")
    assert result.identified and result.port == "qemu" and result.protocol is None
    assert result.identity is not None and result.identity.image == result.image


def test_an_emulated_firmware_is_started_and_fed(tmp_path: Path) -> None:
    model = tmp_path / "tiny.tflite"
    model.write_bytes(tiny_classifier())
    command = [
        *(sys.executable, "-m", "edgemcu", "monitor"),
        *("--model", str(model), "--board", "stm32f405", "--out", str(tmp_path / "out")),
        *("--on", "qemu", "--interval", "0", "--count", "20", "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    inferences = [d for d in documents if d["event"] == "inference"]
    assert len(inferences) >= 20
    assert all(d["milliseconds"] is None and d["instructions"] > 1000 for d in inferences)
    summary = documents[-1]
    assert (summary["unit"], summary["missed"], summary["damaged"]) == ("instructions", 0, 0)


def test_a_crash_in_the_emulator_leads_to_its_source_line(tmp_path: Path) -> None:
    elf = device_firmware.build("stm32f405", tmp_path, ["-g1"])
    inputs = [b"TRAP" + bytes(INPUT_BYTES - 4)]
    line = FedLine(QemuMachine("netduinoplus2", 3).boot(elf), inputs, Kind.TENSOR, 0.0)
    reader, faults = LogReader(), []
    with pytest.raises(DeviceError, match="faulted"):
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            faults += [e for e in reader.feed(line.read(0.2)) if isinstance(e, LogFault)]
    line.close()
    [fault] = faults
    symbols = Symbols(elf, tmp_path)
    places = symbols.explain(fault.text)
    symbols.close()
    model = (tmp_path / "lib/edgemcu_model/model.c").read_text().splitlines()
    trap = next(n for n, row in enumerate(model, 1) if "__builtin_trap" in row)
    assert places[0].endswith(f"edgemcu_invoke at lib/edgemcu_model/model.c:{trap}")
    # What called it.
    assert "inference_run at src/inference.c:" in places[1]
