"""Libraries that a project's platformio.ini asks for: whether they are here, or can be had.

PlatformIO finds out late, and after long time-outs; this asks first.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

from edgemcu.errors import ToolMissingError

REACH_TIMEOUT_S = 30.0

_LOCAL = re.compile(r"(?:symlink|file)://(.+)")
_GIT = re.compile(r"(?:git\+)?((?:https?|ssh|git)://[^#]+\.git)(?:#.*)?")
_HINT = (
    'where TensorFlow Lite Micro comes from can be set in edgemcu.toml: [tflm] library = "FOLDER", '
    "or by the environment variable EDGEMCU_TFLM_LIBRARY (docs/tflm.md)"
)


def require_libraries(project: Path, environment: str) -> None:
    """Make sure that PlatformIO will find what `lib_deps` names.

    Folders must be there. A git repository must have been installed into the project before, or
    answer now. What else there is, PlatformIO's registry has to know.

    Raises:
        ToolMissingError: a library is not there, and cannot be had.
    """
    installed = project / ".pio" / "libdeps" / environment
    for dependency in _dependencies(project, environment):
        if match := _LOCAL.fullmatch(dependency):
            folder = project / unquote(match[1])
            if not folder.is_dir():
                raise ToolMissingError("there is no such library", where=str(folder), hint=_HINT)
        elif (match := _GIT.fullmatch(dependency)) and not _installed(installed, dependency):
            _require_repository(match[1])


def _dependencies(project: Path, environment: str) -> list[str]:
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(project / "platformio.ini", encoding="utf-8")
    section = f"env:{environment}"
    while ini.has_section(section):
        if text := ini.get(section, "lib_deps", fallback=""):
            return [line.strip() for line in text.splitlines() if line.strip()]
        section = ini.get(section, "extends", fallback="")
    return []


def _installed(libraries: Path, dependency: str) -> bool:
    for record in libraries.glob("*/.piopm"):
        try:
            uri = json.loads(record.read_text(encoding="utf-8"))["spec"]["uri"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(uri, str) and uri.removeprefix("git+") == dependency.removeprefix("git+"):
            return True
    return False


def _require_repository(address: str) -> None:
    if shutil.which("git") is None:
        raise ToolMissingError(
            f"git is not installed, and the library {address} is fetched with it",
            where="git",
            hint=f"on Debian and Ubuntu: sudo apt-get install -y git; {_HINT}",
        )
    try:
        done = subprocess.run(
            ["git", "ls-remote", "--exit-code", address, "HEAD"],
            env={
                **os.environ,
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=REACH_TIMEOUT_S,
        )
        said = (done.stderr.strip().splitlines() or ["no answer"])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        said = f"no answer within {REACH_TIMEOUT_S:g} s"
    if said:
        raise ToolMissingError(
            f"the library {address} cannot be reached: {said}", where="lib_deps", hint=_HINT
        )
