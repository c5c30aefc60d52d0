"""The integer resize against its definition in exact fractions, and what follows from it."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgemcu.resize import resize

SIDES = st.integers(1, 24)


def weights(length: int, size: int) -> list[list[Fraction]]:
    """weights[j][i]: what input i counts in output j, straight from the definition."""
    rows = []
    for j in range(size):
        row = [Fraction(0)] * length
        if size == length:
            row[j] = Fraction(1)
        elif size < length:
            begin, end = Fraction(j * length, size), Fraction((j + 1) * length, size)
            for i in range(length):
                row[i] = max(Fraction(0), min(end, i + 1) - max(begin, i)) / (end - begin)
        else:
            position = Fraction(2 * j + 1, 2) * length / size - Fraction(1, 2)
            left = position.__floor__()
            row[max(left, 0)] += 1 - (position - left)
            row[min(left + 1, length - 1)] += position - left
        rows.append(row)
    return rows


def by_definition(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    vertical, horizontal = weights(pixels.shape[0], height), weights(pixels.shape[1], width)
    result = np.empty((height, width, pixels.shape[2]), np.uint8)
    for y, x, c in np.ndindex(result.shape):
        exact = sum(
            wy * wx * int(pixels[i, k, c])
            for i, wy in enumerate(vertical[y])
            if wy
            for k, wx in enumerate(horizontal[x])
            if wx
        )
        result[y, x, c] = (exact + Fraction(1, 2)).__floor__()
    return result


def noise(height: int, width: int, channels: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@settings(max_examples=80, deadline=None)
@given(
    SIDES, SIDES, st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]), st.integers(0)
)
def test_it_is_its_definition(
    height: int, width: int, new_height: int, new_width: int, channels: int, seed: int
) -> None:
    pixels = noise(height, width, channels, seed)
    expected = by_definition(pixels, new_height, new_width)
    assert np.array_equal(resize(pixels, new_height, new_width), expected)


@pytest.mark.parametrize(("height", "width"), list(product((1, 7, 32, 96), repeat=2)))
def test_a_constant_picture_stays_constant(height: int, width: int) -> None:
    for value in (0, 1, 127, 254, 255):
        pixels = np.full((33, 50, 3), value, np.uint8)
        assert (resize(pixels, height, width) == value).all()


def test_the_same_size_changes_nothing() -> None:
    pixels = noise(32, 32, 3, 0)
    assert resize(pixels, 32, 32) is pixels


@pytest.mark.parametrize("size", [5, 24, 31])
def test_the_mean_is_kept_when_shrinking(size: int) -> None:
    pixels = noise(120, 97, 3, 1)
    assert abs(resize(pixels, size, size).mean() - pixels.mean()) <= 1


def test_halving_averages_four_pixels_and_rounds_half_up() -> None:
    pixels = np.array([[0, 1], [0, 1]], np.uint8)[:, :, None]
    assert resize(pixels, 1, 1).tolist() == [[[1]]]


def test_a_mirrored_picture_gives_the_mirrored_result() -> None:
    pixels = noise(41, 53, 3, 2)
    for size in (17, 96):
        straight = resize(pixels, size, size)
        assert np.array_equal(resize(pixels[:, ::-1], size, size), straight[:, ::-1])


def test_a_batch_is_resized_like_its_pictures() -> None:
    batch = np.stack([noise(20, 30, 3, seed) for seed in range(9)])
    for size in (8, 64):
        single = np.stack([resize(pixels, size, size) for pixels in batch])
        assert np.array_equal(resize(batch, size, size), single)


def test_large_white_photos_do_not_overflow() -> None:
    # 255 × 5000 × 4000 does not fit 32 bits.
    assert (resize(np.full((5000, 4000, 1), 255, np.uint8), 2, 3) == 255).all()
