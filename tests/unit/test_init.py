"""`edgemcu init`: the written file is what was asked for, and loads."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgemcu.errors import BoardError, DatasetError, EdgemcuError, ProjectError
from edgemcu.project import ProjectFile, load_project
from edgemcu.schema import Table
from edgemcu.steps.init import init_project
from tests.support.photos import class_folders, picture, save


def test_the_flags_are_in_the_file(tmp_path: Path) -> None:
    created = init_project(
        tmp_path / "my project",
        source="cifar10",
        classes=("dog", "cat"),
        size=48,
        colour="grey",
        architecture="ds_cnn",
        width=0.3,
        board="mps2-an500",
        name="Pets",
    )
    project = load_project(tmp_path / "my project")
    assert created.path == tmp_path / "my project" / "edgemcu.toml"
    file = project.file
    assert file.project.name == "Pets"
    assert (file.dataset.source, file.dataset.classes) == ("cifar10", ("dog", "cat"))
    assert (file.preprocessing.size, file.preprocessing.colour) == (48, "grey")
    assert (file.model.architecture, file.model.width) == ("ds_cnn", 0.3)
    assert file.firmware.board == "mps2-an500"


@pytest.mark.parametrize(
    ("source", "size", "colour", "classes"),
    [("cifar10", 32, "rgb", 10), ("fashion-mnist", 28, "grey", 10)],
)
def test_built_in_datasets_keep_their_own_size(
    tmp_path: Path, source: str, size: int, colour: str, classes: int
) -> None:
    created = init_project(tmp_path, source=source)
    project = load_project(tmp_path)
    assert project.preprocessing.shape[0] == created.size == size
    assert project.preprocessing.colour == colour
    assert project.file.dataset.classes is None
    assert len(created.classes) == classes


def test_what_is_not_said_is_the_default(tmp_path: Path) -> None:
    init_project(tmp_path, source="cifar10", name="same")
    expected = ProjectFile.model_validate(
        {"project": {"name": "same"}, "dataset": {"source": "cifar10"}}
    )
    assert load_project(tmp_path).file == expected


def test_every_key_is_explained(tmp_path: Path) -> None:
    init_project(tmp_path, source=str(class_folders(tmp_path / "p", {"a": [1], "b": [2]})))
    text = (tmp_path / "edgemcu.toml").read_text()
    for name, field in ProjectFile.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, Table)
        part = text.split(f"[{name}]\n")[1].split("\n[")[0]
        for key in field.annotation.model_fields:
            line = re.search(rf"^(.*)\n(# )?{key} = .*$", part, re.MULTILINE)
            assert line, f"{name}.{key} is missing"
            assert line[1].startswith("# ") or "#" in line[0].rsplit("=", 1)[1]
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("side", "size", "width"), [(20, 32, 0.5), (50, 48, 0.5), (64, 64, 0.25), (300, 96, 0.25)]
)
def test_the_size_follows_the_photos(tmp_path: Path, side: int, size: int, width: float) -> None:
    for name, first in (("a", 0), ("b", 100)):
        for number in range(first, first + 5):
            save(tmp_path / "photos" / name / f"{number}.png", picture(number, side + 9, side))
    created = init_project(tmp_path / "project", source=str(tmp_path / "photos"))
    assert (created.size, created.width, created.colour) == (size, width, "rgb")
    assert created.classes == ("a", "b")


def test_grey_photos_make_a_grey_project(tmp_path: Path) -> None:
    for name in ("a", "b"):
        grey = np.repeat(picture(ord(name))[:, :, :1], 3, axis=2)
        save(tmp_path / "photos" / name / "1.png", grey)
    assert init_project(tmp_path / "p", source=str(tmp_path / "photos")).colour == "grey"


def test_photos_inside_the_project_are_named_relatively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path / "photos", {"a": [1], "b": [2]})
    monkeypatch.chdir(tmp_path)
    assert init_project(Path(), source="photos").source == "./photos"
    assert load_project(tmp_path).dataset_source == str(tmp_path / "photos")
    assert init_project(Path("sub"), source="photos").source == str(tmp_path / "photos")
    assert load_project(tmp_path / "sub").dataset_source == str(tmp_path / "photos")


@pytest.mark.parametrize(
    "name", ['qu"ote\\', "ünï 猫", "tab\there", "new\nline", "del\x7f", "{{ x }}"]
)
def test_odd_paths_survive(tmp_path: Path, name: str) -> None:
    photos = class_folders(tmp_path / name, {"a 'b' \"c\" \\": [1], "{% if %}": [2]})
    init_project(tmp_path / "p", source=str(photos), classes=("{% if %}", "a 'b' \"c\" \\"))
    project = load_project(tmp_path / "p")
    assert project.dataset_source == str(photos)
    assert project.file.dataset.classes == ("{% if %}", "a 'b' \"c\" \\")


@pytest.mark.parametrize(("directory", "name"), [("my cats!", "my-cats"), ("...", "classifier")])
def test_the_name_comes_from_the_folder(tmp_path: Path, directory: str, name: str) -> None:
    assert init_project(tmp_path / directory, source="cifar10").name == name


def test_a_project_is_never_overwritten(tmp_path: Path) -> None:
    init_project(tmp_path, source="cifar10")
    before = (tmp_path / "edgemcu.toml").read_text()
    with pytest.raises(ProjectError, match="already"):
        init_project(tmp_path, source="fashion-mnist")
    assert (tmp_path / "edgemcu.toml").read_text() == before


@pytest.mark.parametrize(
    ("options", "error", "fragment"),
    [
        ({"source": "missing"}, DatasetError, "no such folder"),
        ({"source": "cifar10", "classes": ("cat", "dgo")}, DatasetError, "did you mean 'dog'"),
        ({"source": "cifar10", "classes": ("cat",)}, DatasetError, "at least two"),
        ({"source": "cifar10", "board": "stm32f4"}, BoardError, "stm32f405"),
        ({"source": "cifar10", "size": 23}, ProjectError, "preprocessing.size"),
        ({"source": "cifar10", "width": 3.0}, ProjectError, "model.width"),
        ({"source": "cifar10", "colour": "blue"}, ProjectError, "preprocessing.colour"),
        ({"source": "cifar10", "architecture": "vgg"}, ProjectError, "model.architecture"),
        ({"source": "cifar10", "name": "a/b"}, ProjectError, "project.name"),
        ({"source": "fashion-mnist", "colour": "rgb"}, ProjectError, "grey"),
    ],
)
def test_refused_and_nothing_written(
    tmp_path: Path, options: dict[str, object], error: type[EdgemcuError], fragment: str
) -> None:
    with pytest.raises(error) as caught:
        init_project(tmp_path / "p", **options)  # type: ignore[arg-type]
    assert fragment in str(caught.value)
    assert not (tmp_path / "p").exists()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("")
    with pytest.raises(ProjectError, match="not a folder"):
        init_project(tmp_path / "p", source="cifar10")


def test_unreadable_photos_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "x.jpg").write_text("no photo")
    with pytest.raises(DatasetError, match="none of the photos"):
        init_project(tmp_path / "p", source=str(tmp_path / "photos"))
