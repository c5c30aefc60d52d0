"""Files that a step writes: never in place, traced by digest, skipped while nothing changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemcu._version import __version__

MANIFEST = "manifest.json"


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Digest of a JSON-able value, independent of the order of its keys."""
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write `path` whole or not at all: temporary file in the same folder, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def write_if_changed(path: Path, data: bytes) -> bool:
    """Write only what differs, so that incremental builds stay incremental."""
    if path.is_file() and path.read_bytes() == data:
        return False
    write_bytes(path, data)
    return True


@dataclass(frozen=True)
class StepFolder:
    """A step's folder below `build/`: its artefacts and the manifest that says what made them.

    Attributes:
        path: the folder, replaced as a whole when the step runs again.
        name: the step's name, as in the manifest.
    """

    path: Path
    name: str

    def result(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """The recorded result, if it came from just these inputs and no artefact was touched."""
        try:
            manifest = json.loads((self.path / MANIFEST).read_text())
            same = (
                manifest["step"] == self.name
                and manifest["edgemcu"] == __version__
                and manifest["inputs"] == json.loads(json.dumps(dict(inputs)))
                and all(
                    sha256_file(self.path / name) == digest
                    for name, digest in manifest["outputs"].items()
                )
            )
            return dict(manifest["result"]) if same else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    @contextmanager
    def rewriting(self, inputs: Mapping[str, Any]) -> Iterator[StagedFolder]:
        """Yield a staging folder that replaces this one when the block ends without an error."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=self.path.parent, prefix=f".{self.path.name}."))
        try:
            staged = StagedFolder(staging)
            yield staged
            outputs = {
                file.relative_to(staging).as_posix(): sha256_file(file)
                for file in sorted(staging.rglob("*"))
                if file.is_file()
            }
            write_json(
                staging / MANIFEST,
                {
                    "step": self.name,
                    "edgemcu": __version__,
                    "inputs": dict(inputs),
                    "outputs": outputs,
                    "result": staged.result,
                },
            )
            staging.chmod(0o755)
            old = staging.with_name(staging.name + ".old")
            if self.path.exists():
                self.path.rename(old)
            staging.rename(self.path)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


class StagedFolder:
    """A folder being filled; `result` is what the manifest will hold for the next run to read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.result: dict[str, Any] = {}
