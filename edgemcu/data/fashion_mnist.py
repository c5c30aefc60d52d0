"""Fashion-MNIST: 70,000 grey pictures of clothes, 28×28 pixels, in ten classes.

Han Xiao, Kashif Rasul, Roland Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms", 2017; https://github.com/zalandoresearch/fashion-mnist
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemcu.console import Console
from edgemcu.data.builtin import Arrays, BuiltInSource, NothingThereError, Origin
from edgemcu.data.download import RemoteFile, download
from edgemcu.data.packages import debian_package
from edgemcu.errors import DownloadError

SIDE = 28
DEBIAN_PACKAGE = "dataset-fashion-mnist"
_DEBIAN_BYTES = 30_900_652
INSTALLED = Path("/usr/share/datasets/fashion-mnist")

AUTHORS_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
AUTHORS_FILES = (
    RemoteFile("train-images-idx3-ubyte.gz", 26_421_880, "md5", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    RemoteFile("train-labels-idx1-ubyte.gz", 29_515, "md5", "25c81989df183df01b3e8a0aad5dffbe"),
    RemoteFile("t10k-images-idx3-ubyte.gz", 4_422_102, "md5", "bef4ecab320f06d8554ea6380940ec79"),
    RemoteFile("t10k-labels-idx1-ubyte.gz", 5_148, "md5", "bb300cfdad3c16e7a12a480ee83cd310"),
)

# Debian packs the same files with other gzip headers, so what counts is what is inside.
_CONTENTS = (
    ((60_000, SIDE, SIDE, 1), "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    ((60_000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    ((10_000, SIDE, SIDE, 1), "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    ((10_000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
)


def decode_folder(folder: Path) -> Arrays:
    """Read the four idx files, each checked by the sha256 of its contents.

    Raises:
        DownloadError: a file is missing, damaged, or another one.
    """
    parts: list[NDArray[np.uint8]] = []
    for file, (shape, digest) in zip(AUTHORS_FILES, _CONTENTS, strict=True):
        path = folder / file.name
        size = int(np.prod(shape))
        # Magic number, then one big-endian uint32 for each axis (pictures have no channel axis).
        header = 16 if len(shape) > 1 else 8
        try:
            with gzip.open(path) as stream:
                data = stream.read(header + size + 1)
        except FileNotFoundError:
            raise DownloadError("no such file", where=str(path)) from None
        except (OSError, EOFError, zlib.error) as problem:
            raise DownloadError(f"is damaged: {problem}", where=str(path)) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise DownloadError("is not the file of that name", where=str(path))
        parts.append(np.frombuffer(data, np.uint8, offset=header).reshape(shape))
    return Arrays(*parts)


def _placed_by_hand(folder: Path, console: Console) -> Arrays:
    return _lying_in(folder)


def _installed(folder: Path, console: Console) -> Arrays:
    return _lying_in(INSTALLED)


def _lying_in(folder: Path) -> Arrays:
    if not any((folder / file.name).exists() for file in AUTHORS_FILES):
        raise NothingThereError("no file there")
    return decode_folder(folder)


def _by_apt(folder: Path, console: Console) -> Arrays:
    work = folder / "debian.tmp"
    try:
        root = debian_package(DEBIAN_PACKAGE, work, _DEBIAN_BYTES, console)
        return decode_folder(root / INSTALLED.relative_to("/"))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _by_authors(folder: Path, console: Console) -> Arrays:
    fetched = [
        download(f"{AUTHORS_URL}/{file.name}", file, folder, console=console)
        for file in AUTHORS_FILES
    ]
    arrays = decode_folder(folder)
    for path in fetched:
        path.unlink()
    return arrays


FASHION_MNIST = BuiltInSource(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=(
        "t-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    shape=(SIDE, SIDE, 1),
    counts=(60_000, 10_000),
    origins=(
        Origin("files put there by hand", _placed_by_hand),
        Origin(f"installed package {DEBIAN_PACKAGE}", _installed),
        Origin(f"Debian package {DEBIAN_PACKAGE}", _by_apt),
        Origin("authors' files", _by_authors),
    ),
    by_hand=(
        f"on Debian or Ubuntu `apt install {DEBIAN_PACKAGE}`; elsewhere put the authors' four "
        "*-ubyte.gz files into {folder}"
    ),
)
