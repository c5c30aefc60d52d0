"""A person's folder of photos: layouts, doubles, contradictions, refusals, and what is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgemcu.data import Dataset, DatasetSpec, dataset_digest, dataset_inventory, load_dataset
from edgemcu.data import store as store_module
from edgemcu.errors import DatasetError
from edgemcu.preprocessing import Preprocessing
from tests.support.photos import class_folders, picture, save

SPEC = Preprocessing(24, 24)
CATS, DOGS, BIRDS = range(100, 120), range(200, 220), range(300, 330)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    def load(root: Path, preprocessing: Preprocessing = SPEC, **options: object) -> Dataset:
        spec = DatasetSpec(str(root), **options)  # type: ignore[arg-type]
        return load_dataset(spec, preprocessing, cache=tmp_path / "cache")

    return load


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "pets", {"cat": CATS, "dog": DOGS})


def sides(dataset: Dataset) -> tuple[set[str], set[str]]:
    return set(dataset.train.ids), set(dataset.test.ids)


def test_class_folders_are_split_by_class(load: Callable[..., Dataset], pets: Path) -> None:
    dataset = load(pets)
    assert dataset.classes == ("cat", "dog")
    assert dataset.train.counts() == (16, 16)
    assert dataset.test.counts() == (4, 4)
    assert dataset.train.images.shape == (32, 24, 24, 3)
    assert dataset.train.images.dtype == np.uint8
    train, test = sides(dataset)
    assert not train & test
    assert all(
        f"{dataset.classes[label]}/" in id_
        for label, id_ in zip(dataset.train.labels, dataset.train.ids, strict=True)
    )


def test_pixels_belong_to_their_id(load: Callable[..., Dataset], pets: Path) -> None:
    from edgemcu.preprocessing import load_pixels

    dataset = load(pets)
    for side in (dataset.train, dataset.test):
        for image, id_ in zip(side.images, side.ids, strict=True):
            assert np.array_equal(image, load_pixels(pets / id_, SPEC))


def test_chosen_classes_keep_their_order(load: Callable[..., Dataset], tmp_path: Path) -> None:
    root = class_folders(tmp_path / "zoo", {"ape": BIRDS, "cat": CATS, "dog": DOGS})
    dataset = load(root, classes=("dog", "ape"))
    assert dataset.classes == ("dog", "ape")
    assert dataset.train.counts() == (16, 24)


def test_the_split_hangs_on_contents_alone(load: Callable[..., Dataset], tmp_path: Path) -> None:
    one = load(class_folders(tmp_path / "one", {"cat": CATS, "dog": DOGS}))
    root = tmp_path / "two"
    for name, numbers in (("cat", CATS), ("dog", DOGS)):
        for place, number in enumerate(reversed(numbers)):
            save(root / name / "deeper" / f"photo {place} ü.png", picture(number))
    other = load(root)
    assert np.array_equal(one.test.images, other.test.images)
    assert np.array_equal(one.train.labels, other.train.labels)
    assert one.digest == other.digest


def test_another_seed_splits_in_another_way(load: Callable[..., Dataset], pets: Path) -> None:
    one, other = load(pets), load(pets, seed=1)
    assert sides(one) != sides(other)
    assert one.digest != other.digest


def test_a_new_photo_moves_few_others(load: Callable[..., Dataset], pets: Path) -> None:
    _, before = sides(load(pets))
    save(pets / "cat" / "new.png", picture(999))
    _, after = sides(load(pets))
    assert len(before - after) <= 1


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("Training", "testing"), ("train", "val")]
)
def test_given_sides_are_kept(
    load: Callable[..., Dataset], tmp_path: Path, train: str, test: str
) -> None:
    root = tmp_path / "photos"
    class_folders(root / train, {"cat": CATS, "dog": DOGS})
    class_folders(root / test, {"cat": [1, 2, 3], "dog": [4, 5]})
    dataset = load(root)
    assert dataset.train.counts() == (20, 20)
    assert dataset.test.counts() == (3, 2)
    assert all(id_.startswith(test) for id_ in dataset.test.ids)


def test_validation_photos_join_the_training(load: Callable[..., Dataset], tmp_path: Path) -> None:
    root = tmp_path / "photos"
    class_folders(root / "train", {"cat": CATS, "dog": DOGS})
    class_folders(root / "validation", {"cat": [11], "dog": [12]})
    class_folders(root / "test", {"cat": [1], "dog": [2]})
    dataset = load(root)
    assert dataset.train.counts() == (21, 21)
    assert any("validation/ joins" in note for note in dataset.findings.notes)


def test_train_alone_is_split(load: Callable[..., Dataset], tmp_path: Path) -> None:
    class_folders(tmp_path / "photos" / "train", {"cat": CATS, "dog": DOGS})
    assert load(tmp_path / "photos").test.counts() == (4, 4)


def test_copies_count_once(load: Callable[..., Dataset], pets: Path) -> None:
    shutil.copy(pets / "cat" / "100.png", pets / "cat" / "z.png")
    save(pets / "cat" / "y.bmp", picture(100))
    dataset = load(pets)
    assert sum(dataset.train.counts()) + sum(dataset.test.counts()) == 40
    assert dataset.findings.duplicates == (("cat/100.png", "cat/y.bmp", "cat/z.png"),)


def test_near_duplicates_stay_on_one_side(load: Callable[..., Dataset], pets: Path) -> None:
    original = Image.fromarray(picture(100))
    original.resize((200, 160), Image.Resampling.LANCZOS).save(pets / "cat" / "large.png")
    original.save(pets / "cat" / "recompressed.jpg", quality=40)
    original.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(pets / "cat" / "mirrored.png")
    original.point(lambda value: min(255, value + 20)).save(pets / "cat" / "brighter.png")
    group = {f"cat/{n}" for n in ("100.png", "brighter.png", "large.png", "mirrored.png")}
    group.add("cat/recompressed.jpg")
    for seed in range(6):
        dataset = load(pets, seed=seed)
        assert [set(ids) for ids in dataset.findings.near_duplicates] == [group]
        assert group <= sides(dataset)[0] or group <= sides(dataset)[1]


def test_flat_pictures_are_not_thrown_together(load: Callable[..., Dataset], pets: Path) -> None:
    for level in range(12):
        pixels = np.full((40, 40, 3), 100 + level, np.uint8)
        pixels[level, level] += 3
        save(pets / "flat" / f"{level}.png", pixels)
    dataset = load(pets)
    assert dataset.findings.near_duplicates == ()
    assert dataset.train.counts()[2] + dataset.test.counts()[2] == 12


def test_leaks_leave_the_training_side(load: Callable[..., Dataset], tmp_path: Path) -> None:
    root = tmp_path / "photos"
    class_folders(root / "train", {"cat": CATS, "dog": DOGS})
    class_folders(root / "test", {"cat": [1, 2], "dog": [3]})
    shutil.copy(root / "test" / "cat" / "1.png", root / "train" / "cat" / "exact.png")
    nearly = Image.fromarray(picture(3)).resize((100, 90), Image.Resampling.BICUBIC)
    nearly.save(root / "train" / "dog" / "near.jpg", quality=80)
    dataset = load(root)
    assert dataset.train.counts() == (20, 20)
    assert dataset.test.counts() == (2, 1)
    assert [(leak.path, leak.reason) for leak in dataset.findings.leaks] == [
        ("train/cat/exact.png", "is the test photo test/cat/1.png"),
        ("train/dog/near.jpg", "is nearly the test photo test/dog/3.png"),
    ]


def test_contradicting_labels_are_left_out(load: Callable[..., Dataset], pets: Path) -> None:
    shutil.copy(pets / "cat" / "100.png", pets / "dog" / "also.png")
    dataset = load(pets)
    assert dataset.findings.conflicts == (("cat/100.png", "dog/also.png"),)
    used = set.union(*sides(dataset))
    assert not used & {"cat/100.png", "dog/also.png"}


def test_nearly_the_same_in_two_classes_is_said(load: Callable[..., Dataset], pets: Path) -> None:
    Image.fromarray(picture(100)).save(pets / "dog" / "near.jpg", quality=60)
    assert any("check their class" in note for note in load(pets).findings.notes)


def test_broken_and_foreign_files_are_listed(load: Callable[..., Dataset], pets: Path) -> None:
    whole = (pets / "cat" / "100.png").read_bytes()
    (pets / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (pets / "cat" / "empty.jpg").write_bytes(b"")
    (pets / "cat" / "text.jpg").write_text("no photo")
    (pets / "dog" / "phone.heic").write_bytes(b"ftypheic")
    (pets / "dog" / ".hidden.png").write_bytes(b"")
    (pets / "dog" / "Thumbs.db").write_bytes(b"")
    (pets / ".git").mkdir()
    dataset = load(pets)
    assert [skip.path for skip in dataset.findings.broken] == [
        "cat/cut.png",
        "cat/empty.jpg",
        "cat/text.jpg",
    ]
    assert [skip.path for skip in dataset.findings.unsupported] == ["dog/phone.heic"]
    assert dataset.classes == ("cat", "dog")
    assert dataset.train.counts() == (16, 16)


def test_links_are_followed_but_not_in_circles(load: Callable[..., Dataset], pets: Path) -> None:
    (pets / "cat" / "self").symlink_to(pets / "cat", target_is_directory=True)
    (pets / "cat" / "up").symlink_to(pets, target_is_directory=True)
    (pets / "dog" / "gone.png").symlink_to(pets / "nowhere.png")
    outside = class_folders(pets.parent / "outside", {"more": range(400, 405)})
    (pets / "dog" / "more").symlink_to(outside / "more", target_is_directory=True)
    dataset = load(pets)
    assert [skip.path for skip in dataset.findings.broken] == ["dog/gone.png"]
    assert dataset.findings.conflicts == dataset.findings.duplicates == ()
    assert dataset.train.counts() == (16, 20)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hang(load: Callable[..., Dataset], pets: Path) -> None:
    os.mkfifo(pets / "cat" / "pipe.png")
    assert [s.path for s in load(pets).findings.unsupported] == ["cat/pipe.png"]


def test_names_may_be_anything_printable(load: Callable[..., Dataset], tmp_path: Path) -> None:
    root = class_folders(tmp_path / "Fotos äöü", {"Käse & Brot": CATS, "猫 'quoted\"": DOGS})
    assert load(root).classes == ("Käse & Brot", "猫 'quoted\"")


def test_undecodable_file_names_are_fine(load: Callable[..., Dataset], pets: Path) -> None:
    source = (pets / "cat" / "100.png").read_bytes()
    try:
        with open(os.fsencode(pets / "cat") + b"/\xff\xfe.png", "wb") as stream:  # noqa: PTH123
            stream.write(source)
    except OSError:
        pytest.skip("this file system takes only decodable names")
    assert load(pets).findings.duplicates == (("cat/100.png", "cat/\\udcff\\udcfe.png"),)


def refusal(load: Callable[..., Dataset], root: Path, **options: object) -> str:
    with pytest.raises(DatasetError) as caught:
        load(root, **options)
    return str(caught.value)


def test_refused_no_such_folder(load: Callable[..., Dataset], tmp_path: Path) -> None:
    assert "there is no such folder" in refusal(load, tmp_path / "missing")


def test_refused_a_file(load: Callable[..., Dataset], tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK")
    assert "unpack archives" in refusal(load, tmp_path / "photos.zip")


def test_refused_without_class_folders(load: Callable[..., Dataset], tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.png", picture(1))
    assert "no class folders" in refusal(load, tmp_path / "photos")


def test_refused_one_class(load: Callable[..., Dataset], tmp_path: Path) -> None:
    root = class_folders(tmp_path / "photos", {"cat": CATS})
    assert "only the class 'cat'" in refusal(load, root)


def test_refused_one_class_with_the_slip_named(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    class_folders(tmp_path / "photos" / "animals", {"cat": CATS, "dog": DOGS})
    assert str(tmp_path / "photos" / "animals") in refusal(load, tmp_path / "photos")


def test_refused_unknown_class(load: Callable[..., Dataset], pets: Path) -> None:
    assert "did you mean 'cat'" in refusal(load, pets, classes=("cats", "dog"))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_refused_too_few(load: Callable[..., Dataset], pets: Path, count: int) -> None:
    (pets / "owl").mkdir()
    class_folders(pets, {"owl": range(500, 500 + count)})
    message = refusal(load, pets)
    assert f"class 'owl' has {count} usable different photos" in message
    assert "at least 10" in message


def test_refused_too_few_says_where_they_went(load: Callable[..., Dataset], pets: Path) -> None:
    class_folders(pets, {"owl": range(500, 508)})
    for number in range(3):
        (pets / "owl" / f"broken{number}.jpg").write_text("no photo")
    shutil.copy(pets / "cat" / "100.png", pets / "owl" / "cat.png")
    message = refusal(load, pets)
    assert "1 are in other classes, too" in message
    assert "3 cannot be read" in message


def test_refused_all_nearly_the_same(load: Callable[..., Dataset], pets: Path) -> None:
    for number in range(15):
        nearly = picture(77).copy()
        nearly[number, number] = 0
        save(pets / "statue" / f"{number}.png", nearly)
    assert "nearly all the same" in refusal(load, pets)


def test_refused_test_without_train(load: Callable[..., Dataset], tmp_path: Path) -> None:
    class_folders(tmp_path / "photos" / "test", {"cat": CATS, "dog": DOGS})
    assert "no train/" in refusal(load, tmp_path / "photos")


def test_refused_class_without_test_photos(load: Callable[..., Dataset], tmp_path: Path) -> None:
    root = tmp_path / "photos"
    class_folders(root / "train", {"cat": CATS, "dog": DOGS})
    class_folders(root / "test", {"cat": [1]})
    assert "class 'dog' has 0 usable test photos" in refusal(load, root)


def test_refused_unprintable_class(load: Callable[..., Dataset], pets: Path) -> None:
    (pets / "new\nline").mkdir()
    assert "cannot be the name of a class" in refusal(load, pets)


def test_photos_are_opened_once(
    load: Callable[..., Dataset], pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(pets)
    opened: list[Path] = []
    original = store_module.open_photo

    def counting(path: Path) -> np.ndarray:
        opened.append(path)
        return original(path)

    monkeypatch.setattr(store_module, "open_photo", counting)
    again = load(pets)
    assert opened == []
    assert np.array_equal(first.train.images, again.train.images)
    save(pets / "cat" / "new.png", picture(999))
    load(pets)
    assert [path.name for path in opened] == ["new.png"]
    load(pets, replace(SPEC, colour="grey"))
    assert len(opened) == 1 + 41


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version": 1, "entries": {"x": [1]}}', b"\xff"])
def test_a_damaged_cache_is_only_slower(
    load: Callable[..., Dataset], pets: Path, tmp_path: Path, damage: bytes
) -> None:
    first = load(pets)
    for file in (tmp_path / "cache").rglob("*"):
        if file.suffix in (".json", ".bin"):
            file.write_bytes(damage)
    again = load(pets)
    assert np.array_equal(first.train.images, again.train.images)
    assert first.digest == again.digest


def test_an_interrupted_load_goes_on(
    load: Callable[..., Dataset], pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, opened = store_module.open_photo, []

    def interrupted(path: Path) -> np.ndarray:
        opened.append(path)
        if len(opened) == 20:
            raise KeyboardInterrupt
        return original(path)

    monkeypatch.setattr(store_module, "open_photo", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(pets)
    dataset = load(pets)
    assert dataset.train.counts() == (16, 16)
    assert len(opened) < 20 + 40


def test_the_digest_follows_contents_not_times(pets: Path, tmp_path: Path) -> None:
    spec, cache = DatasetSpec(str(pets)), tmp_path / "cache"
    before, inventory = dataset_digest(spec, cache=cache), dataset_inventory(spec)
    assert load_dataset(spec, SPEC, cache=cache).digest == before
    os.utime(pets / "cat" / "100.png", (1, 1))
    assert dataset_digest(spec, cache=cache) == before
    assert dataset_inventory(spec) != inventory
    save(pets / "cat" / "100.png", picture(998))
    assert dataset_digest(spec, cache=cache) != before


def test_a_changed_file_of_the_same_size_is_noticed(pets: Path, tmp_path: Path) -> None:
    path = save(pets / "cat" / "a.bmp", picture(1))
    spec, cache = DatasetSpec(str(pets)), tmp_path / "cache"
    before = dataset_digest(spec, cache=cache)
    save(path, picture(2))
    assert dataset_digest(spec, cache=cache) != before


def test_an_unwritable_cache_is_an_error_with_a_hint(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="EDGEMCU_CACHE"):
        load_dataset(DatasetSpec(str(pets)), SPEC, cache=tmp_path / "file")


LOAD_AND_MEASURE = r"""
import re, sys
from pathlib import Path
from edgemcu.data import DatasetSpec, load_dataset
from edgemcu.preprocessing import Preprocessing

load_dataset(DatasetSpec(sys.argv[1]), Preprocessing(96, 96), cache=Path(sys.argv[2]))
# getrusage would count what the parent process had, which exec hands on.
print(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_the_photos_own_size(tmp_path: Path) -> None:
    """24 photos of 6 megapixels are 430 MB decoded; opening them takes far less."""
    for name, first in (("cat", 0), ("dog", 1000)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(first, first + 12):
            large = Image.fromarray(picture(number)).resize((3000, 2000))
            large.save(tmp_path / "photos" / name / f"{number}.jpg")
    arguments = [str(tmp_path / "photos"), str(tmp_path / "cache")]
    finished = subprocess.run(
        [sys.executable, "-c", LOAD_AND_MEASURE, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(finished.stdout) < 300 * 1024
