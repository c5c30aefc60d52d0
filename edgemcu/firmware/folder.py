"""The folder of a generated project: only changes are written, only what was written is removed.

Unlike a step's folder it is not replaced as a whole, because PlatformIO keeps its objects inside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from edgemcu.artefacts import sha256_bytes, sha256_file, write_if_changed, write_json
from edgemcu.errors import ProjectError

RECORD = ".edgemcu.json"


def write_project(folder: Path, files: Mapping[str, str], *, force: bool = False) -> int:
    """Make `folder` hold `files`, and remove what an earlier call wrote and this one does not.

    Args:
        files: relative path with forward slashes → text.
        force: overwrite files that were edited by hand.

    Returns:
        How many files were written or removed.

    Raises:
        ProjectError: the folder holds something that edgemcu did not write, or was edited.
    """
    known = _known(folder)
    if known is None and folder.exists() and any(folder.iterdir()) and not force:
        raise ProjectError(
            "this folder is not empty and was not made by edgemcu",
            where=str(folder),
            hint="choose another folder with --out, or empty this one",
        )
    known = known or {}
    new = {name: text.encode() for name, text in files.items()}
    if not force:
        _refuse_edits(folder, known, new)

    # Recorded before anything is touched: after an interruption both states are known.
    digests = {name: [sha256_bytes(data)] for name, data in new.items()}
    both = {name: [*known.get(name, []), *digests.get(name, [])] for name in {*known, *digests}}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RECORD, {"files": both})
    changed = sum(write_if_changed(folder / name, data) for name, data in new.items())
    for name in known.keys() - new.keys():
        changed += _remove(folder, name)
    write_json(folder / RECORD, {"files": digests})
    return changed


def _known(folder: Path) -> dict[str, list[str]] | None:
    """Digests that each file may have by what was written here; None where nothing was."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = {str(name): [str(d) for d in digests] for name, digests in record["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    # A damaged record must not make us touch anything outside the folder.
    inside = {name for name in files if ".." not in PurePosixPath(name).parts and name[:1] != "/"}
    return {name: files[name] for name in inside}


def _refuse_edits(folder: Path, known: Mapping[str, list[str]], new: Mapping[str, bytes]) -> None:
    edited = []
    for name in sorted({*known, *new}):
        path = folder / name
        if path.is_file():
            allowed = [*known.get(name, []), *([sha256_bytes(new[name])] if name in new else [])]
            if sha256_file(path) not in allowed:
                edited.append(name)
    if edited:
        raise ProjectError(
            f"edited by hand: {', '.join(edited[:8])}{', …' if len(edited) > 8 else ''}",
            where=str(folder),
            hint="copy the folder to go on from your changes, or pass --force to overwrite them",
        )


def _remove(folder: Path, name: str) -> int:
    path = folder / name
    if not path.is_file():
        return 0
    path.unlink()
    for parent in path.relative_to(folder).parents:
        try:
            (folder / parent).rmdir()
        except OSError:
            break
    return 1
