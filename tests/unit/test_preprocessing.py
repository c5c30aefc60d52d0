"""From photo to input bytes: colour, fit, table; and the spec read back from untrusted metadata."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgemcu.errors import ModelError
from edgemcu.preprocessing import (
    Preprocessing,
    input_table,
    load_pixels,
    luma,
    prepare_pixels,
    quantize_pixels,
)
from tests.support.photos import picture, save

RGB = Preprocessing(32, 32)
GREY = Preprocessing(32, 32, colour="grey")


def test_a_photo_of_the_right_size_is_unchanged(tmp_path: Path) -> None:
    pixels = picture(1, 32, 32)
    assert np.array_equal(load_pixels(save(tmp_path / "a.png", pixels), RGB), pixels)
    assert np.array_equal(load_pixels(pixels, RGB), pixels)


def test_grey_is_bt601_in_fixed_point() -> None:
    colours = np.array(
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [9, 9, 9]], np.uint8
    )
    assert luma(colours[None])[0, :, 0].tolist() == [77, 149, 29, 255, 9]


def test_a_grey_photo_fills_three_channels() -> None:
    grey = picture(1, 32, 32)[:, :, :1]
    assert np.array_equal(load_pixels(grey[:, :, 0], RGB), grey.repeat(3, axis=2))
    assert np.array_equal(load_pixels(grey, GREY), grey)


def test_crop_takes_the_middle() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    assert (prepare_pixels(wide, RGB) == 200).all()
    assert (prepare_pixels(wide.transpose(1, 0, 2), RGB) == 200).all()


def test_crop_keeps_the_aspect_ratio_of_the_input() -> None:
    tall = np.zeros((40, 30, 3), np.uint8)
    tall[10:30] = 200
    assert (prepare_pixels(tall, replace(RGB, height=20, width=30)) == 200).all()


def test_pad_shows_the_whole_photo_between_black() -> None:
    wide = np.full((10, 20, 3), 200, np.uint8)
    padded = prepare_pixels(wide, replace(RGB, fit="pad"))
    assert (padded[8:24] == 200).all()
    assert (padded[:8] == 0).all()
    assert (padded[24:] == 0).all()


def test_stretch_uses_everything() -> None:
    wide = np.zeros((8, 64, 3), np.uint8)
    wide[:, 32:] = 255
    stretched = prepare_pixels(wide, replace(RGB, fit="stretch"))
    assert (stretched[:, :16] == 0).all()
    assert (stretched[:, 16:] == 255).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (31, 33)])
def test_any_size_gives_the_input_shape(fit: Any, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 255, np.uint8)
    for spec in (replace(RGB, fit=fit), replace(GREY, fit=fit)):
        assert prepare_pixels(pixels, spec).shape == spec.shape


def test_a_batch_is_prepared_like_its_photos() -> None:
    photos = np.stack([picture(number) for number in range(5)])
    for spec in (RGB, GREY, replace(RGB, fit="pad"), replace(GREY, fit="stretch")):
        single = np.stack([prepare_pixels(photo, spec) for photo in photos])
        assert np.array_equal(prepare_pixels(photos, spec), single)


def test_the_default_table_is_pixel_minus_128() -> None:
    assert input_table(RGB, 1 / 128, 0).tolist() == list(range(-128, 128))


def test_the_table_rounds_half_away_from_zero_and_saturates() -> None:
    spec = replace(RGB, scale=1.0, offset=-128.0)
    table = input_table(spec, 2.0, 0)
    assert [table[127], table[129], table[125], table[131]] == [-1, 1, -2, 2]
    assert input_table(spec, 0.5, 0)[[0, 255]].tolist() == [-128, 127]
    assert input_table(spec, 1e-300, 0)[[0, 128, 255]].tolist() == [-128, 0, 127]
    assert input_table(spec, 1.0, 100)[[0, 255]].tolist() == [-28, 127]


@given(st.floats(1e-6, 1e3), st.integers(-128, 127))
def test_the_table_never_falls(scale: float, zero_point: int) -> None:
    table = input_table(RGB, scale, zero_point).astype(int)
    assert (np.diff(table) >= 0).all()


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_degenerate_scale_is_refused(scale: float) -> None:
    with pytest.raises(ModelError):
        input_table(RGB, scale, 0)


def test_quantized_pixels_are_looked_up() -> None:
    pixels = picture(3, 32, 32)
    assert np.array_equal(quantize_pixels(pixels, RGB, 1 / 128, 0), pixels.astype(int) - 128)


def test_the_spec_survives_json() -> None:
    spec = Preprocessing(24, 48, "grey", "pad", 0.5, 3.0)
    assert Preprocessing.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"height": 1e9},
        {"height": True},
        {"height": "32"},
        {"width": 10**30},
        {"colour": "blue"},
        {"colour": ["rgb"]},
        {"fit": None},
        {"scale": float("nan")},
        {"scale": 0},
        {"scale": -1.0},
        {"scale": 10**400},
        {"offset": float("inf")},
        {"offset": False},
        {"more": 1},
    ],
)
def test_damaged_metadata_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="preprocessing"):
        Preprocessing.from_json({**RGB.to_json(), **change}, where="model.tflite")


@pytest.mark.parametrize("value", [None, [], "rgb", 3, {}, {"height": 32}])
def test_what_is_no_spec_is_refused(value: object) -> None:
    with pytest.raises(ModelError):
        Preprocessing.from_json(value)
