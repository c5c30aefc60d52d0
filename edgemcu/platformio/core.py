"""PlatformIO's own folder (PLATFORMIO_CORE_DIR): the user's, or one that edgemcu prepares.

PlatformIO installs platforms and toolchains from its registry. Where the user's own PlatformIO has
what a project needs, that is used. Otherwise edgemcu keeps a core folder in its cache with
stand-ins: platforms and packages of the right names and versions that use the compilers and the
SCons which are installed on this computer, so that building needs no network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from edgemcu.artefacts import write_if_changed
from edgemcu.board_schema import Board
from edgemcu.errors import ToolMissingError
from edgemcu.platformio.manifest import board_manifest
from edgemcu.shipped import shipped

SCONS_VERSION = "4.41101.0"  # PlatformIO's way to write SCons 4.11.1, which pyproject.toml pins
_PLATFORMS = {
    # name → version that the stand-in goes by, and its builder in firmware_templates/
    "ststm32": ("19.6.0", "project/platform/builder/main.py"),
    "native": ("1.2.1", "platforms/native_builder.py"),
}
_PLATFORM = re.compile(r"platformio/([a-z0-9]+)@(\S+)")
_TOOLCHAIN = ("toolchain-gccarmnoneeabi", "1.120301.0")
_LOCK_SECONDS = 60

# The compiler with its C library, and what C++ needs in addition.
_APT = {
    "arm-none-eabi-gcc": (
        "gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "libstdc++-arm-none-eabi-newlib",
    ),
    "gcc": ("gcc libc6-dev", "g++"),
}


@dataclass(frozen=True)
class CoreFolder:
    """Which PlatformIO core folder a build uses.

    Attributes:
        path: PLATFORMIO_CORE_DIR.
        way: "installed" (the user's own), "stand-in" (edgemcu's, with this computer's compiler), or
            "download" (the user's own, where PlatformIO still has to get the platform).
        toolchain: the compiler and its version, for people and for the record.
    """

    path: Path
    way: str
    toolchain: str


def core_folder(board: Board) -> CoreFolder:
    """The core folder that `board` is built with.

    A compiler that no distribution has can only come from PlatformIO's registry: there PlatformIO
    is left to download it.

    Raises:
        ToolMissingError: neither PlatformIO nor this computer has a compiler for the board.
    """
    own = Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio")
    compiler = _installed_compiler(own, board)
    if compiler is not None:
        return CoreFolder(own, "installed", _version_of(compiler))
    found = shutil.which(board.core.compiler)
    if _registry_only(board):
        return CoreFolder(own, "download", board.core.compiler)
    if found is None:
        raise missing_compiler(board.core.compiler)
    return CoreFolder(_prepare(board), "stand-in", _version_of(found))


def missing_compiler(command: str, part: str = "") -> ToolMissingError:
    """The error that says how to get a compiler, or its `part` "C library" or "C++ library"."""
    c, cplusplus = _APT.get(command, (command, command))
    packages = cplusplus if part == "C++ library" else c
    what = f"the {part} of {command}" if part else f"the compiler {command}"
    return ToolMissingError(
        f"{what} is not installed",
        where=command,
        hint=f"on Debian and Ubuntu: sudo apt-get install -y {packages}",
    )


def _installed_compiler(core: Path, board: Board) -> str | None:
    """The compiler that the user's own PlatformIO would build with, if nothing is missing there."""
    if not (core / "packages" / "tool-scons" / ".piopm").is_file():
        return None
    platform = _PLATFORM.fullmatch(board.platformio.platform)
    if platform is not None and _find(core / "platforms", platform[1], platform[2]) is None:
        return None
    if platform is not None and platform[1] == "native":
        return shutil.which(board.core.compiler)
    if _registry_only(board):
        compilers = sorted((core / "packages").glob(f"*/bin/{board.core.compiler}*"))
        return str(compilers[0]) if compilers else None
    name, version = _TOOLCHAIN
    toolchain = _find(core / "packages", name, f"~{version}")
    if toolchain is None:
        return None
    return shutil.which(board.core.compiler, path=str(toolchain / "bin"))


def _registry_only(board: Board) -> bool:
    """Whether the board's compiler comes with PlatformIO's platform, and from nowhere else."""
    return board.core.compiler not in _APT and board.platformio.platform.startswith("platformio/")


def _find(folder: Path, name: str, requirement: str) -> Path | None:
    """The package `name` in `folder` whose version satisfies `requirement`."""
    from semantic_version import NpmSpec, Version

    for record in sorted(folder.glob(f"{name}*/.piopm")):
        try:
            facts = json.loads(record.read_text(encoding="utf-8"))
            if facts["name"] == name and Version.coerce(facts["version"]) in NpmSpec(requirement):
                return record.parent
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _version_of(compiler: str) -> str:
    try:
        done = subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return Path(compiler).name
    return done.stdout.splitlines()[0].strip() if done.stdout else Path(compiler).name


def _prepare(board: Board) -> Path:
    """Write the stand-ins for `board`, or what of them is missing; return their core folder."""
    core = user_cache_path("edgemcu") / "platformio"
    core.mkdir(parents=True, exist_ok=True)
    with FileLock(core / ".lock", timeout=_LOCK_SECONDS):
        for name, text in (_stand_ins() | _own_board(board)).items():
            write_if_changed(core / name, text.encode())
    return core


def _own_board(board: Board) -> dict[str, str]:
    """What the stand-in platform knows of a board that goes by PlatformIO's own name."""
    facts = board.platformio.board
    match = _PLATFORM.fullmatch(board.platformio.platform)
    if facts is None or facts.id is None or match is None or match[1] not in _PLATFORMS:
        return {}
    return {f"platforms/{match[1]}/boards/{facts.id}.json": board_manifest(board)}


def _stand_ins() -> dict[str, str]:
    files = {
        "packages/tool-scons/scons.py": (
            "import sys\n\nfrom SCons.Script.Main import main\n\nsys.exit(main())\n"
        ),
        **_package("packages", "tool", "tool-scons", SCONS_VERSION),
        # Without files of its own: the compiler is found on the PATH.
        **_package("packages", "tool", *_TOOLCHAIN),
    }
    for name, (version, builder) in _PLATFORMS.items():
        folder = f"platforms/{name}"
        text = (shipped("firmware_templates") / builder).read_text(encoding="utf-8")
        files[f"{folder}/builder/main.py"] = text
        files |= _package("platforms", "platform", name, version)
    return files


def _package(folder: str, kind: str, name: str, version: str) -> dict[str, str]:
    """The manifest and PlatformIO's record of an installed package."""
    manifest: dict[str, Any] = {
        "name": name,
        "version": version,
        "description": "edgemcu's stand-in, with what is installed on this computer",
    }
    if kind == "platform":
        manifest |= {"title": name, "frameworks": {}, "packages": {}}
        if name != "native":
            manifest["packages"] = {
                _TOOLCHAIN[0]: {
                    "type": "toolchain",
                    "owner": "platformio",
                    "version": f"~{_TOOLCHAIN[1]}",
                }
            }
    spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
    record = {"type": kind, "name": name, "version": version, "spec": spec}
    file = "platform.json" if kind == "platform" else "package.json"
    return {
        f"{folder}/{name}/{file}": json.dumps(manifest, indent=2) + "\n",
        f"{folder}/{name}/.piopm": json.dumps(record) + "\n",
    }
