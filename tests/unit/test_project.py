"""edgemcu.toml: defaults, and errors that name file, key, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgemcu.errors import ProjectError
from edgemcu.project import PROJECT_FILE, load_project

MINIMAL = '[dataset]\nsource = "photos"\n'


def write(folder: Path, text: str) -> Path:
    (folder / PROJECT_FILE).write_text(text)
    return folder


def test_everything_but_the_source_has_a_default(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, MINIMAL))
    assert project.file.firmware.board == "stm32f405"
    assert project.preprocessing.shape == (32, 32, 3)
    assert project.dataset_source == str(tmp_path / "photos")


def test_the_file_itself_can_be_named(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    assert load_project(tmp_path / PROJECT_FILE).directory == tmp_path


def test_a_missing_project_says_how_to_create_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path)
    assert "edgemcu init" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("", ["dataset", "required"]),
        ("[dataset", ["not valid TOML"]),
        ("\xff".join(["[dataset]", ""]), ["TOML"]),
        (MINIMAL + "[modl]\nwidth = 1\n", ["modl", "unknown key", "did you mean 'model'"]),
        (MINIMAL + "[model]\nwidht = 1\n", ["model.widht", "did you mean 'width'"]),
        (MINIMAL + "[model]\nwidth = 0.01\n", ["model.width", "0.05", "found 0.01"]),
        (MINIMAL + "[preprocessing]\nsize = 23\n", ["preprocessing.size", "24", "found 23"]),
        (MINIMAL + '[preprocessing]\ncolour = "red"\n', ["colour", "'rgb' or 'grey'"]),
        ('[dataset]\nsource = "x"\nclasses = ["a"]\n', ["dataset.classes", "two different"]),
        ('[dataset]\nsource = "fashion-mnist"\n', ["preprocessing.colour", "grey"]),
        (MINIMAL + "[training]\nepochs = 0\n", ["training.epochs", "found 0"]),
        (MINIMAL + '[firmware]\nruntime = "onnx"\n', ["firmware.runtime", "'compiled' or 'tflm'"]),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, fragments: list[str]) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(write(tmp_path, text))
    message = str(caught.value)
    for fragment in [PROJECT_FILE, *fragments]:
        assert fragment in message


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / PROJECT_FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="UTF-8"):
        load_project(tmp_path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / PROJECT_FILE).write_text("#" * (2 << 20))
    with pytest.raises(ProjectError, match="larger than"):
        load_project(tmp_path)
