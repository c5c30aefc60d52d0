"""Tiny labelled photos that a network learns to tell apart within seconds."""

from __future__ import annotations

import numpy as np

from edgemcu.data.dataset import LabelledImages
from edgemcu.preprocessing import Preprocessing

CLASSES = ("bright", "dark", "striped")


def make_easy_photos(spec: Preprocessing, per_class: int, seed: int = 0) -> LabelledImages:
    """Noisy photos that are bright, dark, or striped."""
    random = np.random.default_rng(seed)
    count = per_class * len(CLASSES)
    labels = np.arange(count, dtype=np.int64) % len(CLASSES)
    stripes = np.where(np.arange(spec.height) // 4 % 2, 230, 30)[:, None, None]
    base = np.array([190, 60, 0])[labels][:, None, None, None] + np.where(
        (labels == CLASSES.index("striped"))[:, None, None, None], stripes, 0
    )
    noise = random.integers(-30, 30, (count, *spec.shape))
    images = np.clip(base + noise, 0, 255).astype(np.uint8)
    return LabelledImages(images, labels, CLASSES, tuple(str(i) for i in range(count)))
