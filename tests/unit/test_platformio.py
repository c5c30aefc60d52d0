"""Building with PlatformIO: which compiler, what goes wrong, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest

from edgemcu.boards import load_board
from edgemcu.console import ProgressBar, QuietConsole
from edgemcu.device.emulator import start_process
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession
from edgemcu.errors import BuildError, DoesNotFitError, ToolMissingError
from edgemcu.platformio import build as build_module
from edgemcu.platformio import process
from edgemcu.platformio.build import build_project
from edgemcu.platformio.core import SCONS_VERSION, core_folder
from tests.support.firmware import MODEL, write_stand_in

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_arm = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


@pytest.fixture
def own_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PlatformIO folder of the user's own."""
    core = tmp_path / "own"
    core.mkdir()
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    return core


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def install(core: Path, kind: str, name: str, version: str) -> Path:
    folder = core / kind / name
    folder.mkdir(parents=True)
    (folder / ".piopm").write_text(json.dumps({"name": name, "version": version}))
    return folder


def install_compiler(core: Path) -> Path:
    folder = install(core, "packages", "toolchain-gccarmnoneeabi", "1.120301.0") / "bin"
    folder.mkdir()
    compiler = folder / "arm-none-eabi-gcc"
    compiler.write_text("#!/bin/sh\necho fake-gcc 12.3.1\n")
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    return compiler


def test_a_missing_compiler_is_said_at_once(
    own_core: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError) as error:
        core_folder(load_board("stm32f405"))
    assert "sudo apt-get install -y gcc-arm-none-eabi libnewlib-arm-none-eabi" in str(error.value)


def test_what_the_user_has_installed_is_used(
    own_core: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(own_core, "packages", "tool-scons", SCONS_VERSION)
    install(own_core, "platforms", "ststm32", "19.3.0")
    install_compiler(own_core)
    chosen = core_folder(load_board("stm32f405"))
    assert (chosen.path, chosen.way, chosen.toolchain) == (
        own_core, "installed", "fake-gcc 12.3.1",
    )  # fmt: skip
    assert not cache.exists()


@needs_arm
@pytest.mark.parametrize("lacks", ["tool-scons", "ststm32", "compiler", "version"])
def test_what_is_incomplete_is_not(own_core: Path, cache: Path, lacks: str) -> None:
    if lacks != "tool-scons":
        install(own_core, "packages", "tool-scons", SCONS_VERSION)
    if lacks != "ststm32":
        install(own_core, "platforms", "ststm32", "17.0.0" if lacks == "version" else "19.3.0")
    if lacks != "compiler":
        install_compiler(own_core)
    chosen = core_folder(load_board("stm32f405"))
    assert chosen.way == "stand-in"
    assert chosen.path.is_relative_to(cache)


@needs_arm
def test_stand_ins_are_written_once_and_repaired(own_core: Path, cache: Path) -> None:
    core = core_folder(load_board("stm32f405")).path
    record = core / "platforms/ststm32/.piopm"
    before = record.stat().st_mtime_ns
    core_folder(load_board("stm32f405"))
    assert record.stat().st_mtime_ns == before
    record.unlink()
    core_folder(load_board("stm32f405"))
    assert record.is_file()


def test_what_only_the_registry_has_is_left_to_platformio(
    own_core: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board("esp32s3")
    chosen = core_folder(board)
    assert (chosen.path, chosen.way) == (own_core, "download")
    install(own_core, "packages", "tool-scons", SCONS_VERSION)
    install(own_core, "platforms", "espressif32", "6.13.0")
    assert core_folder(board).way == "download"
    compiler = own_core / "packages" / "toolchain-xtensa-esp-elf" / "bin" / board.core.compiler
    compiler.parent.mkdir(parents=True)
    compiler.write_text("#!/bin/sh\necho xtensa-gcc 14.2.0\n")
    compiler.chmod(0o755)
    assert core_folder(board) == build_module.CoreFolder(own_core, "installed", "xtensa-gcc 14.2.0")


def test_the_pinned_scons_is_the_one_that_stands_in() -> None:
    import SCons
    from platformio.dependencies import get_core_dependencies
    from semantic_version import SimpleSpec, Version

    major, minor, patch = (int(number) for number in SCons.__version__.split(".")[:3])
    assert f"4.{major}{minor:02d}{patch:02d}.0" == SCONS_VERSION
    assert Version(SCONS_VERSION) in SimpleSpec(get_core_dependencies()["tool-scons"])


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"no platformio\.ini"):
        build_project(tmp_path, load_board("host"))


def test_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    (tmp_path / "platformio.ini").touch()
    with pytest.raises(BuildError, match="sanitize"):
        build_project(tmp_path, load_board("host"), variant="fast")


# ---- With PlatformIO -------------------------------------------------------------------------


@needs_gcc
@pytest.mark.slow
def test_host_builds_and_a_second_build_compiles_nothing(tmp_path: Path) -> None:
    board = load_board("host")
    project = write_stand_in(board, tmp_path)
    first = build_project(project, board)
    assert os.access(first.elf, os.X_OK)
    assert first.flash_limit is None and first.flash_bytes > 1000
    assert build_project(project, board) == replace(first, skipped=True, seconds=ANY)
    before = first.elf.stat().st_mtime_ns
    third = build_project(project, board, force=True)
    assert not third.skipped
    assert third.elf.stat().st_mtime_ns == before
    assert "Compiling" not in third.log.read_text()
    (project / "src/main.c").write_text((project / "src/main.c").read_text() + "int again;\n")
    assert not build_project(project, board).skipped


@needs_gcc
@pytest.mark.slow
def test_a_compiler_error_is_shown(tmp_path: Path) -> None:
    board = load_board("host")
    project = write_stand_in(board, tmp_path, "#error the model is broken\n")
    with pytest.raises(BuildError) as error:
        build_project(project, board)
    assert "model.c:1:2: error: #error the model is broken" in str(error.value)
    assert "the whole log: " in str(error.value)


@needs_gcc
@pytest.mark.slow
def test_a_warning_in_generated_code_is_an_error(tmp_path: Path) -> None:
    board = load_board("host")
    source = (MODEL / "model.c").read_text() + "\nstatic int unused;\n"
    with pytest.raises(BuildError, match="unused"):
        build_project(write_stand_in(board, tmp_path, source), board)


@needs_arm
@pytest.mark.slow
@pytest.mark.parametrize("name", ["stm32f405", "mps2-an386", "mps2-an500", "mps3-an547"])
def test_boards_build_and_are_measured(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    project = write_stand_in(board, tmp_path)
    result = build_project(project, board)
    assert result.flash_limit == board.flash_bytes
    assert 4_000 < result.flash_bytes < 20_000
    stack = getattr(board.startup, "stack", 0)
    assert stack + 3008 < result.ram_bytes < stack + 16_000
    assert result.regions == {"flash": result.flash_bytes, "ram": result.ram_bytes}
    first = result.elf.read_bytes()
    assert str(tmp_path).encode() not in first
    shutil.rmtree(project / ".pio")
    assert build_project(project, board).elf.read_bytes() == first


@needs_arm
@pytest.mark.slow
def test_an_overflow_is_told_in_numbers(tmp_path: Path) -> None:
    board = load_board("stm32f405")
    start = "int edgemcu_init(void)\n{\n"
    source = (MODEL / "model.c").read_text()
    assert start in source
    source = source.replace(
        start, f"static volatile uint8_t big[200000];\n\n{start}    big[0] = 1;\n"
    )
    with pytest.raises(DoesNotFitError, match=r"ram needs \d+ bytes, stm32f405 has 131072"):
        build_project(write_stand_in(board, tmp_path, source), board)


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PlatformIO is replaced by a program that starts a child, says so, and waits.

    Returns the file that will hold the child's process id.
    """
    fake = tmp_path / "fake" / "platformio"
    fake.mkdir(parents=True)
    pid_file = tmp_path / "child"
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text(
        "import pathlib, signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "print('Compiling main.o', flush=True)\n"
        "child.wait()\n"
        "import time; time.sleep(600)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(fake.parent))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "STOP_TIMEOUT_S", 0.2)
    monkeypatch.setattr(
        build_module, "core_folder", lambda _: build_module.CoreFolder(tmp_path, "stand-in", "gcc")
    )
    (tmp_path / "platformio.ini").touch()
    return pid_file


@pytest.mark.slow
def test_a_build_that_hangs_is_ended_with_all_its_children(hanging: Path) -> None:
    with pytest.raises(BuildError, match="did not end within"):
        build_project(hanging.parent, load_board("host"), timeout_s=3.0)
    assert _ends(int(hanging.read_text()))


class InterruptedConsole(QuietConsole):
    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> Iterator[ProgressBar]:
        class Bar:
            def advance(self, amount: float = 1, note: str = "") -> None:
                raise KeyboardInterrupt

        yield Bar()


def test_an_interrupted_build_leaves_nothing_behind(hanging: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_project(hanging.parent, load_board("host"), console=InterruptedConsole())
    assert _ends(int(hanging.read_text()))


def _ends(pid: int) -> bool:
    """Whether a killed process is gone, or a zombie, within seconds."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_users_settings_do_not_reach_platformio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_BUILD_FLAGS", "-DX")
    core = build_module.CoreFolder(Path(sys.prefix), "stand-in", "gcc")
    environment = build_module.platformio_environment(core)
    assert "PLATFORMIO_BUILD_FLAGS" not in environment
    assert environment["PLATFORMIO_CORE_DIR"] == sys.prefix


@needs_gcc
@pytest.mark.slow
def test_the_host_firmware_runs_under_sanitizers(tmp_path: Path) -> None:
    board = load_board("host")
    result = build_project(write_stand_in(board, tmp_path), board, variant="sanitize")
    with DeviceSession(start_process(result.elf)) as session:
        assert session.identity.counter_hz == 10**9
        assert len(session.infer(bytes(session.identity.input_bytes)).outputs) == 8
        assert len(session.infer(bytes(3000), Kind.PIXELS).outputs) == 8
