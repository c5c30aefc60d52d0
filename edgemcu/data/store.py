"""What was learnt from opening a folder's photos, kept so that each is opened once.

    files.json      path → size, time of change, digest of the file's bytes
    facts.json      digest → fingerprint and size of the photo, or why it cannot be read
    pairs.json      which photos show nearly the same, for the collection last asked about
    pixels-….bin    the photos as the network sees them, one row each; pixels-….json names the rows

Rows are only ever added, and the list that names them is replaced atomically after them: an
interrupted run loses at most the last seconds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.artefacts import sha256_file, sha256_json, write_text
from edgemcu.console import Console
from edgemcu.data.fingerprint import MINIATURE_SIDE, Fingerprint, fingerprint, is_grey, near_pairs
from edgemcu.data.scan import PhotoFile
from edgemcu.errors import DatasetError
from edgemcu.photo import open_photo, quiet_decoder
from edgemcu.preprocessing import Preprocessing, prepare_pixels

# Counts up when decoding, preprocessing or fingerprints change.
STORE_VERSION = 1

_CHECKPOINT_S = 15.0
# Photos in flight at once: each may be as large as `photo.MAX_PIXELS`.
_WINDOW = 8
_RECENT_NS = 2_000_000_000


@dataclass(frozen=True)
class Fact:
    """What is known of a file's contents.

    Attributes:
        problem: why it cannot be read; then the rest is empty.
        print: for comparing.
        width, height: of the upright photo, in pixels.
        grey: it has no colour.
    """

    problem: str | None = None
    print: Fingerprint | None = None
    width: int = 0
    height: int = 0
    grey: bool = False


class PhotoStore:
    """The cache of one folder of photos; the caller holds the folder's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._facts: dict[str, Fact] | None = None

    def file_digests(self, files: Sequence[PhotoFile], console: Console) -> dict[str, str]:
        """Digest of each file's bytes, by id; read again only if size or time changed.

        Files that cannot be read have the digest "".
        """
        known = _read_json(self.folder / "files.json")
        digests: dict[str, str] = {}
        fresh: dict[str, Any] = {}
        unknown = []
        for file in files:
            entry = known.get(file.id)
            if isinstance(entry, list) and entry[:2] == [file.size, file.mtime_ns]:
                digests[file.id], fresh[file.id] = str(entry[2]), entry
            else:
                unknown.append(file)
        if unknown:
            now = time.time_ns()
            with console.progress("Reading photos", len(unknown)) as bar:
                for file in unknown:
                    try:
                        digests[file.id] = sha256_file(file.path)
                    except OSError:
                        digests[file.id] = ""
                    # A file changed this very moment may change again within the same tick.
                    if now - file.mtime_ns > _RECENT_NS and digests[file.id]:
                        fresh[file.id] = [file.size, file.mtime_ns, digests[file.id]]
                    bar.advance()
        if fresh != known:
            self._write("files.json", fresh)
        return digests

    def open_all(
        self, photos: dict[str, Path], preprocessing: Preprocessing, console: Console
    ) -> tuple[dict[str, Fact], Pixels]:
        """Decode what was not decoded before.

        Args:
            photos: file digest → a file with these bytes.

        Returns:
            The facts of each digest, and the pixels of those that can be read.
        """
        facts = self._known_facts()
        pixels = Pixels.open(self.folder, preprocessing, keep=photos.keys())
        missing = [
            digest
            for digest in photos
            if digest not in facts or (facts[digest].problem is None and digest not in pixels.rows)
        ]
        if missing:
            saved = time.monotonic()
            try:
                with console.progress("Decoding photos", len(missing)) as bar:
                    for digest, fact, prepared in _decode(missing, photos, preprocessing):
                        if prepared is not None:
                            pixels.append(digest, prepared)
                        facts[digest] = fact
                        bar.advance()
                        if time.monotonic() - saved > _CHECKPOINT_S:
                            self._save(facts, pixels)
                            saved = time.monotonic()
            finally:
                self._save({digest: facts[digest] for digest in photos if digest in facts}, pixels)
        return {digest: facts[digest] for digest in photos}, pixels

    def near_pairs(self, prints: Sequence[Fingerprint], labels: Sequence[str]) -> NDArray[np.int64]:
        """`fingerprint.near_pairs`, remembered for the last collection."""
        key = sha256_json([[entry.pixels for entry in prints], list(labels)])
        known = _read_json(self.folder / "pairs.json")
        if known.get("key") != key:
            known = {"key": key, "pairs": near_pairs(prints, labels).tolist()}
            self._write("pairs.json", known)
        return np.array(known["pairs"], np.int64).reshape(-1, 2)

    def _known_facts(self) -> dict[str, Fact]:
        facts = {}
        for digest, entry in _read_json(self.folder / "facts.json").items():
            fact = _fact_from_json(entry)
            if fact is not None:
                facts[digest] = fact
        return facts

    def _save(self, facts: dict[str, Fact], pixels: Pixels) -> None:
        pixels.save()
        self._write("facts.json", {digest: _fact_to_json(fact) for digest, fact in facts.items()})

    def _write(self, name: str, entries: dict[str, Any]) -> None:
        write_text(self.folder / name, json.dumps({"version": STORE_VERSION, "entries": entries}))


class Pixels:
    """Rows of prepared pixels in a file that only grows."""

    def __init__(self, path: Path, shape: tuple[int, int, int], rows: dict[str, int]) -> None:
        self.path = path
        self.shape = shape
        self.rows = rows
        self._count = len(rows)

    @classmethod
    def open(cls, folder: Path, preprocessing: Preprocessing, keep: Iterable[str]) -> Pixels:
        """What earlier runs left for this preprocessing; started anew if most of it is stale."""
        shape = preprocessing.shape
        path = folder / f"pixels-{sha256_json(preprocessing.to_json())[:16]}.bin"
        names = _read_json(path.with_suffix(".json")).get("rows", [])
        size = int(np.prod(shape))
        on_disk = path.stat().st_size // size if path.exists() else 0
        wanted = set(keep)
        if on_disk < len(names) or len(names) > 2 * len(wanted) + 100:
            names = []
        folder.mkdir(parents=True, exist_ok=True)
        # Rows that no list names were written just before an interruption.
        with path.open("ab") as stream:
            stream.truncate(len(names) * size)
        return cls(path, shape, {name: row for row, name in enumerate(names)})

    def append(self, digest: str, pixels: NDArray[np.uint8]) -> None:
        with self.path.open("ab") as stream:
            stream.write(np.ascontiguousarray(pixels).data)
        self.rows[digest] = self._count
        self._count += 1

    def save(self) -> None:
        names = sorted(self.rows, key=self.rows.__getitem__)
        document = {"version": STORE_VERSION, "entries": {"rows": names}}
        write_text(self.path.with_suffix(".json"), json.dumps(document))

    def take(self, digests: Sequence[str]) -> NDArray[np.uint8]:
        """The pixels of these photos: uint8, (len(digests), H, W, C)."""
        if not digests:
            return np.zeros((0, *self.shape), np.uint8)
        every = np.memmap(self.path, np.uint8, "r", shape=(self._count, *self.shape))
        return np.asarray(every[[self.rows[digest] for digest in digests]])


def _decode(
    missing: Sequence[str], photos: dict[str, Path], preprocessing: Preprocessing
) -> Iterator[tuple[str, Fact, NDArray[np.uint8] | None]]:
    """Decode in a few threads (the decoders run outside Python's lock), in order."""

    def one(digest: str) -> tuple[str, Fact, NDArray[np.uint8] | None]:
        try:
            pixels = open_photo(photos[digest])
        except DatasetError as problem:
            return digest, Fact(problem=problem.message), None
        height, width = pixels.shape[:2]
        fact = Fact(None, fingerprint(pixels), width, height, is_grey(pixels))
        return digest, fact, prepare_pixels(pixels, preprocessing)

    workers = min(4, os.cpu_count() or 1)
    with quiet_decoder(), ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(missing), _WINDOW):
            yield from pool.map(one, missing[start : start + _WINDOW])


def _fact_to_json(fact: Fact) -> Any:
    if fact.print is None:
        return fact.problem
    known = fact.print
    miniature = base64.b64encode(known.miniature.tobytes()).decode()
    return [known.pixels, miniature, fact.width, fact.height, fact.grey]


def _fact_from_json(entry: Any) -> Fact | None:
    if isinstance(entry, str):
        return Fact(problem=entry)
    try:
        digest, miniature, width, height, grey = entry
        small = np.frombuffer(base64.b64decode(miniature), np.uint8)
        small = small.reshape(MINIATURE_SIDE, MINIATURE_SIDE, 3)
        return Fact(None, Fingerprint(digest, small), width, height, grey)
    except (TypeError, ValueError):
        return None


def _read_json(path: Path) -> dict[str, Any]:
    """A document of this store; an unreadable, damaged or older one is as good as none."""
    try:
        document = json.loads(path.read_text())
        if document["version"] == STORE_VERSION:
            return dict(document["entries"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {}


def store_folder(cache: Path, root: Path) -> Path:
    """Where the store of the photos below `root` lies."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:24]
    return cache / "folders" / name
