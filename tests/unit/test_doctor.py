from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgemcu.steps import doctor
from edgemcu.steps.doctor import Diagnosis, Finding, diagnose


def by_name(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {finding.name: finding for finding in diagnosis.findings}


def fake_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_says_what_is_there() -> None:
    diagnosis = diagnose()
    found = by_name(diagnosis)
    assert found["Python"].path == sys.executable
    assert found["ai-edge-litert"].version
    assert found["PlatformIO with SCons"].fine
    assert {"TensorFlow", "arm-none-eabi-gcc", "gcc", "newlib-nano", "npm"} <= set(found)
    document = json.loads(json.dumps(diagnosis.to_json()))
    assert document["ready"] is diagnosis.ready
    assert len(document["findings"]) == len(diagnosis.findings)


def test_names_the_boards_that_a_compiler_is_for() -> None:
    assert "stm32f405" in by_name(diagnose())["arm-none-eabi-gcc"].purpose
    assert "host" in by_name(diagnose())["gcc"].purpose


def test_missing_tools_come_with_a_way_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    diagnosis = diagnose()
    found = by_name(diagnosis)
    for name in ("arm-none-eabi-gcc", "newlib-nano", "qemu-system-arm", "gcc", "npm"):
        assert found[name].status == "missing"
        assert found[name].get
    assert not diagnosis.ready
    assert diagnosis.exit_code == 1


@pytest.mark.skipif(os.name != "posix", reason="needs shell scripts as programs")
@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("apt", "apt install qemu-system-arm"),
        ("dnf", "dnf install qemu-system-arm"),
        ("pacman", "pacman -S qemu-system-arm"),
        ("brew", "brew install qemu"),
    ],
)
def test_speaks_for_the_package_manager_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str, line: str
) -> None:
    fake_program(tmp_path, manager, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    get = by_name(diagnose())["qemu-system-arm"].get
    assert get is not None
    assert get.removeprefix("sudo ") == line


@pytest.mark.skipif(os.name != "posix", reason="needs shell scripts as programs")
def test_an_old_qemu_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(
        tmp_path,
        "qemu-system-arm",
        'case "$1" in --version) echo "QEMU emulator version 5.2.0";;'
        ' *) echo "Supported machines are:"; echo "mps2-an386  ARM MPS2";; esac',
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = by_name(diagnose())["qemu-system-arm"]
    assert finding.status == "problem"
    assert finding.version == "5.2.0"
    assert finding.note is not None
    assert "netduinoplus2" in finding.note
    assert "mps2-an386" not in finding.note


@pytest.mark.skipif(os.name != "posix", reason="needs shell scripts as programs")
def test_a_tool_that_hangs_or_crashes_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_program(tmp_path, "gcc", "while :; do :; done")
    fake_program(tmp_path, "clang", "exit 3")
    monkeypatch.setattr(doctor, "TOOL_TIMEOUT_S", 0.2)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = by_name(diagnose())
    assert found["gcc"].status == "problem"
    assert found["clang"].status == "problem"


def test_the_pinned_pair_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: {"scons": "4.0.0"}.get(name, "6.2.0"))
    monkeypatch.setattr(doctor, "_pinned", lambda: {"platformio": "6.2.0", "scons": "4.11.1"})
    finding = by_name(diagnose())["PlatformIO with SCons"]
    assert finding.status == "problem"
    assert finding.note == "edgemcu needs scons 4.11.1"
    assert finding.get is not None
    assert '"platformio==6.2.0" "scons==4.11.1"' in finding.get


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Finding:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(doctor, "_npm", broken)
    finding = by_name(diagnose())["broken"]
    assert finding.status == "problem"
    assert finding.note is not None
    assert "no such luck" in finding.note


def test_the_photo_cache_is_where_the_user_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos.bin").write_bytes(bytes(3_000_000))
    monkeypatch.setenv("EDGEMCU_CACHE", str(tmp_path))
    finding = by_name(diagnose())["photo cache"]
    assert finding.path == str(tmp_path)
    assert finding.note == "3 MB"


def test_serial_ports_are_named_with_the_boards_they_may_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plugged: list[SimpleNamespace] = []
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: plugged)
    monkeypatch.setattr("edgemcu.device.ports.SYS_USB", tmp_path)
    assert doctor._serial_ports().note == "no board is plugged in"
    device = tmp_path / "ttyUSB0"
    device.touch()
    port = SimpleNamespace(
        device=str(device), description="n/a", vid=0x303A, pid=0x1001, serial_number="1"
    )
    plugged.append(port)
    note = doctor._serial_ports().note
    assert note is not None and str(device) in note and "esp32s3" in note
    monkeypatch.setattr("os.access", lambda *args: False)
    finding = doctor._serial_ports()
    assert finding.status == "problem" and finding.get is not None and "usermod" in finding.get


def test_imports_nothing_heavy() -> None:
    script = (
        "import sys; from edgemcu.steps.doctor import diagnose; diagnose();"
        "print([m for m in ('tensorflow', 'keras', 'matplotlib', 'platformio', 'ai_edge_litert')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
