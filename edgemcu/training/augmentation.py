"""Random variations of training photos, drawn batch by batch from a seeded generator."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgemcu.preprocessing import Preprocessing
from edgemcu.training.config import TrainingConfig


def to_real(images: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The network's real input values: pixel × scale + offset, float32, same shape."""
    scale, offset = np.float32(preprocessing.scale), np.float32(preprocessing.offset)
    return images.astype(np.float32) * scale + offset


def augment(
    images: NDArray[np.uint8],
    config: TrainingConfig,
    preprocessing: Preprocessing,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Vary a batch of photos as `config` says.

    Args:
        images: uint8, (N, H, W, C).
        config: gives `shift`, `flip`, `brightness` and `cutout`.
        preprocessing: gives the value range.
        random: is drawn from, the same number of times for the same config and shape.

    Returns:
        float32, (N, H, W, C), in the range that `preprocessing` maps pixels to.
    """
    count, height, width, _ = images.shape
    reach = round(config.shift * min(height, width))
    if reach:
        images = _shift(images, reach, random)
    batch = to_real(images, preprocessing)
    if config.flip:
        flipped = random.random(count) < 0.5
        batch[flipped] = batch[flipped, :, ::-1]
    low = np.float32(preprocessing.offset)
    high = np.float32(255 * preprocessing.scale + preprocessing.offset)
    middle = (low + high) / 2
    if config.brightness:
        shape = (count, 1, 1, 1)
        reach_real = config.brightness * (high - middle)
        contrast = random.uniform(1 - config.brightness, 1 + config.brightness, shape)
        brightness = random.uniform(-reach_real / 2, reach_real / 2, shape)
        batch = (batch - middle) * contrast.astype(np.float32) + middle
        batch = np.clip(batch + brightness.astype(np.float32), low, high)
    if config.cutout:
        batch[_squares(count, height, width, config.cutout, random)] = middle
    return batch


def _shift(images: NDArray[np.uint8], reach: int, random: np.random.Generator) -> NDArray[np.uint8]:
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))
    rows, columns = random.integers(0, 2 * reach + 1, (2, count))
    chosen: NDArray[np.uint8] = windows[np.arange(count), rows, columns].transpose(0, 2, 3, 1)
    return chosen


def _squares(
    count: int, height: int, width: int, part: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    half = max(1, round(part * min(height, width) / 2))
    rows, columns = random.integers(0, height, count), random.integers(0, width, count)
    inside_rows = np.abs(np.arange(height) - rows[:, None]) < half
    inside_columns = np.abs(np.arange(width) - columns[:, None]) < half
    inside: NDArray[np.bool_] = inside_rows[:, :, None] & inside_columns[:, None, :]
    return inside
