"""Photos to be classified by a given model: a folder of class folders, all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgemcu.data.dataset import LabelledImages
from edgemcu.data.scan import scan_folder
from edgemcu.errors import DatasetError
from edgemcu.preprocessing import Preprocessing, load_pixels


def load_labelled(
    root: Path, preprocessing: Preprocessing, classes: tuple[str, ...]
) -> LabelledImages:
    """Every photo below `root`, in the order of names; of a folder with train/ and test/, the test.

    Args:
        classes: the model's, in the order of its outputs; each of the folders must be one of them.

    Raises:
        DatasetError: no such folder, a folder that is no class of the model, a photo that cannot
            be read, or no photo at all.
    """
    scan = scan_folder(root)
    if unknown := [name for name in scan.classes if name not in classes]:
        raise DatasetError(
            f"{unknown[0]!r} is no class of the model",
            where=str(root),
            hint=f"the model tells apart: {', '.join(classes)}",
        )
    if scan.broken:
        raise DatasetError(scan.broken[0].reason, where=str(root / scan.broken[0].path))
    files = [file for file in scan.files if not scan.presplit or file.split == "test"]
    if not files:
        raise DatasetError("there are no photos in it", where=str(root))
    return LabelledImages(
        images=np.stack([load_pixels(file.path, preprocessing) for file in files]),
        labels=np.array([classes.index(file.label) for file in files], np.int64),
        classes=classes,
        ids=tuple(file.id for file in files),
    )
