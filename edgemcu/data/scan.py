"""Finding the photos in a folder of class folders, without opening any."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgemcu.artefacts import sha256_json
from edgemcu.data.dataset import Skipped
from edgemcu.errors import DatasetError
from edgemcu.photo import EXTENSIONS

Split = Literal["train", "test"]

TRAIN_NAMES = frozenset({"train", "training"})
TEST_NAMES = frozenset({"test", "testing"})
VALIDATION_NAMES = frozenset({"val", "valid", "validation"})

# What operating systems and photo programs leave behind.
_LITTER = frozenset({"__macosx", "@eadir", "thumbs.db", "desktop.ini"})
_MAX_FILE_BYTES = 512 << 20
_MAX_CLASS_NAME = 100


@dataclass(frozen=True)
class PhotoFile:
    """A file that may be a photo.

    Attributes:
        path: where it is.
        id: its path inside the folder, with / and without undecodable bytes.
        label: its class.
        split: the side that its folder puts it on; None if the folder does not say.
        size, mtime_ns: of the file, to know it again.
    """

    path: Path
    id: str
    label: str
    split: Split | None
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Scan:
    """What lies in the folder.

    Attributes:
        files: candidates, sorted by id.
        classes: names of the class folders, sorted without regard to case.
        presplit: whether the folder brings its own test photos.
        broken: files that cannot even be looked at.
        unsupported: files of other formats inside class folders.
        notes: about the layout, in sentences.
    """

    files: tuple[PhotoFile, ...]
    classes: tuple[str, ...]
    presplit: bool
    broken: tuple[Skipped, ...]
    unsupported: tuple[Skipped, ...]
    notes: tuple[str, ...]

    def digest(self) -> str:
        """Of names, sizes and times of change of all that was found."""
        files = [[file.id, file.size, file.mtime_ns] for file in self.files]
        skipped = [[skip.path, skip.reason] for skip in (*self.broken, *self.unsupported)]
        return sha256_json([files, skipped, self.classes, self.notes])


def scan_folder(root: Path) -> Scan:
    """List the photos below `root`: class folders, or train/ and test/ with class folders inside.

    Folders inside a class folder belong to the class. Links are followed, loops are not. With
    val/ but no test/, val/ is the test; with both, val/ joins train/ (a validation part is drawn
    from the training photos when it is needed).

    Raises:
        DatasetError: not a folder, no class folders, test/ without train/, or a class folder
            whose name cannot be a class's name.
    """
    if not root.is_dir():
        problem = "is a file, not a folder" if root.exists() else "there is no such folder"
        raise DatasetError(
            problem,
            where=str(root),
            hint="give a folder with one folder of photos for each class (unpack archives first)",
        )
    try:
        os.scandir(root).close()
    except OSError as problem:
        raise DatasetError(f"cannot be read: {problem.strerror}", where=str(root)) from None
    notes: list[str] = []
    sides = _sides(root, notes)
    walker = _Walker(root)
    class_names: set[str] = set()
    for side, split in sides:
        for folder in _subfolders(side):
            name = _class_name(folder)
            class_names.add(name)
            walker.walk(folder, name, split)
        if loose := sum(_looks_like_photo(entry) for entry in _entries(side)):
            notes.append(f"{loose} photos in {side.name}/ lie outside any class folder: ignored")
    if not class_names:
        raise DatasetError(
            "there are no class folders in it",
            where=str(root),
            hint="sort the photos into one folder for each class; its name is the class's name",
        )
    return Scan(
        files=tuple(sorted(walker.files, key=lambda file: file.id)),
        classes=tuple(sorted(class_names, key=lambda name: (name.casefold(), name))),
        presplit=any(split == "test" for _, split in sides),
        broken=tuple(sorted(walker.broken, key=lambda file: file.path)),
        unsupported=tuple(sorted(walker.unsupported, key=lambda file: file.path)),
        notes=tuple(notes),
    )


def _sides(root: Path, notes: list[str]) -> list[tuple[Path, Split | None]]:
    """The folders that hold class folders, and the side of the split that each stands for."""
    folders = _subfolders(root)

    def named(names: frozenset[str]) -> list[Path]:
        return [f for f in folders if f.name.casefold() in names and _subfolders(f)]

    train, test, validation = named(TRAIN_NAMES), named(TEST_NAMES), named(VALIDATION_NAMES)
    if not train:
        if folders and len(test) + len(validation) == len(folders):
            raise DatasetError(
                f"there is {folders[0].name}/ but no train/",
                where=str(root),
                hint="add train/, or put the class folders directly into the folder: "
                "edgemcu then holds back test photos itself",
            )
        return [(root, None)]
    others = [f.name for f in folders if f not in (*train, *test, *validation)]
    if others:
        notes.append(f"folders beside train/ are ignored: {_text(', '.join(others[:10]))}")
    if not test and not validation:
        return [(folder, None) for folder in train]
    if not test:
        notes.append(f"{validation[0].name}/ is used as the test photos: there is no test/")
        test, validation = validation, []
    elif validation:
        notes.append(f"{validation[0].name}/ joins the training photos")
    sides: list[tuple[Path, Split | None]] = [(f, "train") for f in (*train, *validation)]
    return sides + [(f, "test") for f in test]


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, sorted, without hidden things; nothing if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in listed:
        if not entry.name.startswith(".") and entry.name.casefold() not in _LITTER:
            yield entry


def _subfolders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir()]


def _looks_like_photo(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.casefold() in EXTENSIONS and entry.is_file()


def _text(name: str) -> str:
    """A file's name as printable text, whatever bytes it is made of."""
    return name.encode("utf-8", "backslashreplace").decode()


def _class_name(folder: Path) -> str:
    name = unicodedata.normalize("NFC", folder.name)
    if not name.isprintable() or not name.strip() or len(name) > _MAX_CLASS_NAME:
        raise DatasetError(
            f"{_text(folder.name)!r:.120} cannot be the name of a class",
            where=str(folder.parent),
            hint=f"rename the folder: printable characters only, {_MAX_CLASS_NAME} at most",
        )
    return name


class _Walker:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[PhotoFile] = []
        self.broken: list[Skipped] = []
        self.unsupported: list[Skipped] = []

    def walk(self, folder: Path, label: str, split: Split | None) -> None:
        # A link may lead back to where we came from: to the class, to the root, or above it.
        above = (self.root, *self.root.resolve().parents)
        seen = {(status.st_dev, status.st_ino) for status in map(Path.stat, above)}
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            try:
                status = current.stat()
                os.scandir(current).close()
            except OSError as problem:
                self._skip(self.broken, current, problem.strerror or "cannot be read", label)
                continue
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            for entry in _entries(current):
                path = Path(entry.path)
                try:
                    status = entry.stat()
                except OSError:
                    self._skip(self.broken, path, "a link that leads nowhere", label)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path)
                else:
                    self._file(path, status, label, split)

    def _file(self, path: Path, status: os.stat_result, label: str, split: Split | None) -> None:
        suffix = path.suffix.casefold()
        if not stat.S_ISREG(status.st_mode):
            self._skip(self.unsupported, path, "not a regular file", label)
        elif suffix not in EXTENSIONS:
            kind = f"{suffix} files are not supported" if suffix else "no photo by its name"
            self._skip(self.unsupported, path, kind, label)
        elif status.st_size > _MAX_FILE_BYTES:
            self._skip(self.broken, path, f"larger than {_MAX_FILE_BYTES >> 20} MiB", label)
        else:
            self.files.append(
                PhotoFile(path, self._id(path), label, split, status.st_size, status.st_mtime_ns)
            )

    def _skip(self, into: list[Skipped], path: Path, reason: str, label: str) -> None:
        into.append(Skipped(self._id(path), reason, label))

    def _id(self, path: Path) -> str:
        return _text(path.relative_to(self.root).as_posix())
