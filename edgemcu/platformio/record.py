"""What a build was made from, so that one from the same sources need not be asked for again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from edgemcu._version import __version__
from edgemcu.artefacts import sha256_file, sha256_json, write_json
from edgemcu.board_schema import Board


def inputs_digest(project: Path, board: Board, toolchain: str) -> str | None:
    """Digest of all that a build of `project` depends on.

    None where it also depends on libraries outside of the project, which may change by themselves.
    """
    if "lib_deps" in (project / "platformio.ini").read_text(encoding="utf-8"):
        return None
    files = {}
    for folder, folders, names in os.walk(project):
        if Path(folder) == project:
            folders[:] = [name for name in folders if name != ".pio"]
        for name in names:
            path = Path(folder, name)
            files[path.relative_to(project).as_posix()] = sha256_file(path)
    return sha256_json([__version__, toolchain, board.to_json(), files])


def recall(record: Path, digest: str | None, elf: Path) -> bool:
    """Whether `elf` is what a build from these inputs gave."""
    try:
        known: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        same_inputs = digest is not None and known["inputs"] == digest
        return bool(same_inputs and known["elf"] == sha256_file(elf))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def remember(record: Path, digest: str | None, elf: Path) -> None:
    write_json(record, {"inputs": digest, "elf": sha256_file(elf)})
