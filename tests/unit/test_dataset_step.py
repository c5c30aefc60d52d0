"""`edgemcu dataset`: the report, its warnings, the sheet, and skipping what did not change."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgemcu.data import Dataset, LabelledImages
from edgemcu.data.contact_sheet import MAX_ROWS, contact_sheet
from edgemcu.errors import DatasetError
from edgemcu.project import Project, load_project
from edgemcu.steps import dataset as step
from edgemcu.steps.dataset import channel_statistics, describe_dataset
from tests.support.photos import class_folders, picture, save


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("EDGEMCU_CACHE", str(tmp_path / "cache"))
    class_folders(tmp_path / "photos", {"cat": range(100, 160), "dog": range(200, 215)})
    (tmp_path / "edgemcu.toml").write_text(
        '[dataset]\nsource = "photos"\n[preprocessing]\nsize = 64\n'
    )
    return load_project(tmp_path)


def test_the_report_counts_and_warns(project: Project) -> None:
    photos = project.directory / "photos"
    (photos / "cat" / "broken.jpg").write_text("no photo")
    (photos / "cat" / "film.mov").write_text("no photo")
    shutil.copy(photos / "cat" / "100.png", photos / "dog" / "cat.png")
    report = describe_dataset(project)
    assert [(c.name, c.train, c.test) for c in report.classes] == [("cat", 47, 12), ("dog", 12, 3)]
    assert (report.train, report.test) == (59, 15)
    assert report.shape == (64, 64, 3)
    text = "\n".join(report.warnings)
    for fragment in (
        "unbalanced: 47 training photos of 'cat', 12 of 'dog'",
        "fewer than 50 training photos: cat, dog",
        "fewer than 20 test photos",
        "1 file cannot be read",
        "1 file not JPEG",
        "1 photo in more than one class",
        "48×40 pixels or smaller",
    ):
        assert fragment in text
    assert report.findings.sizes is not None
    assert report.findings.sizes.commonest == {"48×40": 76}


def test_the_report_is_json(project: Project) -> None:
    document = json.loads(json.dumps(describe_dataset(project).to_json()))
    assert document["train"] == 60
    assert document["contact_sheet"].endswith("contact-sheet.png")
    assert document["findings"]["readable"] == 75


def test_nothing_is_done_twice(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = describe_dataset(project)

    def unexpected(*arguments: object, **options: object) -> Dataset:
        raise AssertionError("loaded again")

    with monkeypatch.context() as patch:
        patch.setattr(step, "load_dataset", unexpected)
        again = describe_dataset(project)
    assert again.unchanged
    assert not first.unchanged
    assert again.to_json() == {**first.to_json(), "unchanged": True}
    assert not describe_dataset(project, force=True).unchanged


@pytest.mark.parametrize("change", ["new photo", "new litter", "renamed", "removed sheet"])
def test_changes_are_noticed(project: Project, change: str) -> None:
    report = describe_dataset(project)
    cat = project.directory / "photos" / "cat"
    if change == "new photo":
        save(cat / "new.png", picture(999))
    elif change == "new litter":
        (cat / "notes.txt").write_text("")
    elif change == "renamed":
        (cat / "100.png").rename(cat / "other name.png")
    else:
        report.contact_sheet.unlink()
    again = describe_dataset(project)
    assert not again.unchanged
    assert again.contact_sheet.is_file()


def test_an_error_leaves_the_old_report(project: Project) -> None:
    report = describe_dataset(project)
    sheet = report.contact_sheet.read_bytes()
    shutil.rmtree(project.directory / "photos" / "dog")
    with pytest.raises(DatasetError):
        describe_dataset(project)
    assert report.contact_sheet.read_bytes() == sheet


def test_grey_photos_in_a_colour_project_are_pointed_out(project: Project) -> None:
    for path in (project.directory / "photos").rglob("*.png"):
        save(path, np.asarray(Image.open(path))[:, :, :1])
    assert any('colour = "grey"' in warning for warning in describe_dataset(project).warnings)


def made_up(classes: int, shape: tuple[int, int, int]) -> Dataset:
    names = tuple(f"class {index} " + "with a long name " * (index % 4) for index in range(classes))
    labels = np.repeat(np.arange(classes), 3)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), *shape), dtype=np.uint8)
    side = LabelledImages(images, labels, names, tuple(map(str, range(len(labels)))))
    return Dataset(side, side, "")


@pytest.mark.parametrize("shape", [(28, 28, 1), (96, 48, 3), (200, 224, 3)])
@pytest.mark.parametrize("classes", [2, 12])
def test_the_sheet_is_a_picture(shape: tuple[int, int, int], classes: int) -> None:
    sheet = Image.open(io.BytesIO(contact_sheet(made_up(classes, shape), "Title ✓ 猫", "sub" * 99)))
    assert sheet.format == "PNG"
    assert sheet.height > classes * 70


def test_the_sheet_is_bounded() -> None:
    sheet = Image.open(io.BytesIO(contact_sheet(made_up(60, (24, 24, 3)), "many", "")))
    assert sheet.height < MAX_ROWS * 100


def test_statistics_are_those_of_numpy() -> None:
    side = made_up(5, (30, 20, 3)).train
    mean, std = channel_statistics(side)
    assert mean == pytest.approx(side.images.mean(axis=(0, 1, 2)), abs=0.01)
    assert std == pytest.approx(side.images.std(axis=(0, 1, 2)), abs=0.01)
