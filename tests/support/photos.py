"""Made-up photos: each number is one picture, unlike all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def picture(number: int, width: int = 48, height: int = 40) -> NDArray[np.uint8]:
    """A smooth random picture, uint8 (height, width, 3)."""
    coarse = np.random.default_rng(number).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth)


def save(path: Path, pixels: NDArray[np.uint8], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    squeezed = pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(squeezed).save(path, **options)
    return path


def class_folders(root: Path, classes: Mapping[str, Sequence[int]], suffix: str = ".png") -> Path:
    """Write one folder for each class, one file for each number."""
    for name, numbers in classes.items():
        for number in numbers:
            save(root / name / f"{number}{suffix}", picture(number))
    return root
