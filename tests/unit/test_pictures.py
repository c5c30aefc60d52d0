"""Where a firmware's pictures come from: what is generated for each source, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgemcu.boards import load_board
from edgemcu.data import LabelledImages
from edgemcu.errors import BoardError, DoesNotFitError, ModelError, ProjectError
from edgemcu.firmware import GeneratedProject, generate_project
from edgemcu.firmware.fit import SKETCH_CODE_BYTES
from edgemcu.firmware.pictures import Pictures
from edgemcu.project import PROJECT_FILE
from edgemcu.shipped import shipped
from edgemcu.steps.generate import generate_firmware
from edgemcu.steps.request import firmware_request
from edgemcu.tflite import ModelMetadata
from tests.support.tiny_classifier import tiny_classifier

FLASH = "src/photos.c"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_classifier())
    return path


def some_photos(count: int, metadata: ModelMetadata) -> LabelledImages:
    shape = (100, *metadata.preprocessing.shape)
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(100) % len(metadata.classes)
    ids = tuple(f"folder/*/{index}.png" for index in range(100))
    return LabelledImages(images, labels, metadata.classes, ids).evenly(count)


def generate(
    model: Path, out: Path, pictures: Pictures, board: str = "stm32f405", folder: Path | None = None
) -> GeneratedProject:
    return generate_project(model, load_board(board, folder), "compiled", out, pictures=pictures)


def photo_bytes(project: GeneratedProject) -> bytes:
    text = (project.path / FLASH).read_text().partition("photos[PHOTO_COUNT]")[2]
    return bytes(int(number, 16) for number in re.findall(r"0x(\w\w),", text))


def test_photos_in_flash_are_the_test_photos(model: Path, tmp_path: Path) -> None:
    project = generate(model, tmp_path / "out", Pictures("flash", 5, some_photos))
    assert (project.source, project.photos) == ("flash", 5)
    header = (project.path / "src/photos.h").read_text()
    assert "PHOTO_COUNT 5u" in header
    size = int(re.findall(r"PHOTO_BYTES (\d+)u", header)[0])
    data = photo_bytes(project)
    assert len(data) == 5 * size
    metadata = _metadata(model)
    wanted = some_photos(5, metadata)
    assert data == wanted.images.tobytes()
    text = (project.path / FLASH).read_text()
    labels = re.findall(r"photo_labels\[PHOTO_COUNT\] = \{\s+([\d, ]+),", text)[0]
    assert [int(label) for label in labels.split(",")] == wanted.labels.tolist()
    assert "*/" not in text.replace(" */\n", ""), "a file's name cannot end the comment"


def _metadata(model: Path) -> ModelMetadata:
    from edgemcu.tflite import read_metadata, read_model

    metadata = read_metadata(read_model(model), str(model))
    assert metadata is not None
    return metadata


@pytest.mark.parametrize("count", [0, 1, 7])
def test_only_as_many_photos_as_fit(count: int, model: Path, tmp_path: Path) -> None:
    weights = generate(model, tmp_path / "serial", Pictures()).weights_bytes
    each = np.prod(_metadata(model).preprocessing.shape)
    size = SKETCH_CODE_BYTES + weights + count * each + each - 1
    text = (shipped("boards") / "stm32f405.toml").read_text()
    (tmp_path / "boards").mkdir()
    own = text.replace('size = "1 MiB"', f"size = {size}")
    (tmp_path / "boards/stm32f405.toml").write_text(own)
    pictures = Pictures("flash", 1000, some_photos)
    if count:
        assert generate(model, tmp_path / "out", pictures, folder=tmp_path).photos == count
    else:
        with pytest.raises(DoesNotFitError, match=f"no room for a photo of {each} bytes"):
            generate(model, tmp_path / "out", pictures, folder=tmp_path)


def test_the_serial_line_alone_brings_nothing_along(model: Path, tmp_path: Path) -> None:
    project = generate(model, tmp_path / "out", Pictures())
    assert not {"src/source.c", "include/source.h", FLASH} & set(project.files)
    assert "source" not in (project.path / "src/main.c").read_text()


def test_a_camera_is_refused_where_there_is_none(model: Path, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="stm32f405 has no camera"):
        generate(model, tmp_path / "out", Pictures("camera"))


def test_a_model_that_says_nothing_about_pixels_gets_no_pictures(tmp_path: Path) -> None:
    model = tmp_path / "bare.tflite"
    model.write_bytes(tiny_classifier(classes=None))
    with pytest.raises(ModelError, match="how a picture becomes its input"):
        generate(model, tmp_path / "out", Pictures("flash", 5, some_photos))


def test_without_a_project_there_are_no_test_photos(model: Path, tmp_path: Path) -> None:
    request = firmware_request(tmp_path, model=model, source="flash", out=tmp_path / "here")
    with pytest.raises(ProjectError, match="from a project"):
        generate_firmware(request)


def test_the_project_says_the_source_and_the_option_overrules_it(tmp_path: Path) -> None:
    text = '[dataset]\nsource = "photos"\n[firmware]\nsource = "flash"\nflash_photos = 3\n'
    (tmp_path / PROJECT_FILE).write_text(text)
    request = firmware_request(tmp_path)
    assert request.source == "flash"
    assert request.folder.name == "stm32f405-compiled-flash"
    request = firmware_request(tmp_path, source="serial")
    assert request.source == "serial"
    assert request.folder.name == "stm32f405-compiled"
