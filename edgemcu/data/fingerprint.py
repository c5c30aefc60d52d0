"""Telling that two photos are the same, or show nearly the same.

Exact: the digest of the decoded pixels, so that a copy under another name or a lossless
re-encoding counts. Near: 16×16 miniatures that differ by little next to their own contrast, with
a limit that takes into account how alike different things look in this collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.resize import resize

MINIATURE_SIDE = 16

# Two miniatures differ by this part of the weaker one's contrast, at most. Among CIFAR-10's frogs
# and cars every pair below 0.5 is the same picture or scene, by eye.
MAX_DIFFERENCE = 0.4
# Pictures of one layout (a thing in the middle of a white page) are alike without being the same.
# Photos of different classes show how alike: the limit is half of the difference that one in a
# thousand pairs of them stays below, but never so small that recompression would hide a copy.
MIN_DIFFERENCE = 0.15
_ALIKE_SHARE, _ALIKE_FACTOR, _ALIKE_SAMPLE = 0.001, 0.5, 1000
# Brightness may be shifted by this many grey levels.
MAX_BRIGHTNESS_SHIFT = 32
# Below this standard deviation, in grey levels, a picture is flat: only exact copies count.
MIN_CONTRAST = 4.0

_VALUES = MINIATURE_SIDE * MINIATURE_SIDE * 3
_ROWS_AT_ONCE, _PAIRS_AT_ONCE = 512, 4096


@dataclass(frozen=True)
class Fingerprint:
    """What is remembered of a photo to compare it with others.

    Attributes:
        pixels: hex digest of its decoded, upright pixels.
        miniature: uint8, (16, 16, 3), stretched.
    """

    pixels: str
    miniature: NDArray[np.uint8]


def fingerprint(pixels: NDArray[np.uint8]) -> Fingerprint:
    """Take a photo's fingerprint.

    Args:
        pixels: uint8, (H, W, C), C = 1 or 3.
    """
    small = resize(pixels, MINIATURE_SIDE, MINIATURE_SIDE)
    colour = np.repeat(small, 3, axis=-1) if small.shape[-1] == 1 else small
    return Fingerprint(pixel_digest(pixels), colour)


def pixel_digest(pixels: NDArray[np.uint8]) -> str:
    """Digest of size and pixels; a photo without colour is the same in grey and RGB."""
    if pixels.shape[-1] == 3 and is_grey(pixels):
        pixels = pixels[:, :, :1]
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether all channels are the same everywhere."""
    return pixels.shape[-1] == 1 or bool(
        np.array_equal(pixels[:, :, 0], pixels[:, :, 1])
        and np.array_equal(pixels[:, :, 0], pixels[:, :, 2])
    )


def near_pairs(prints: Sequence[Fingerprint], labels: Sequence[str]) -> NDArray[np.int64]:
    """Pairs of photos that show nearly the same, as they are or mirrored left to right.

    What decides is computed in integers, so the answer is the same on every machine.

    Args:
        labels: the photos' classes, to tell how alike different things look here.

    Returns:
        int64, (P, 2): indices i < j, sorted.
    """
    if len(prints) < 2:
        return np.zeros((0, 2), np.int64)
    miniatures = np.stack([entry.miniature for entry in prints])
    contrast = _spread(miniatures)
    usable = np.flatnonzero(contrast >= (MIN_CONTRAST * _VALUES) ** 2)
    sample = sorted(usable.tolist(), key=lambda index: prints[index].pixels)[:_ALIKE_SAMPLE]
    limit = _limit(miniatures[sample], [labels[index] for index in sample])
    found: set[tuple[int, int]] = set()
    for flip in (1, -1):
        others = miniatures[:, :, ::flip]
        for left, right in _candidates(miniatures[usable], others[usable], limit):
            i, j = usable[left], usable[right]
            same = _agree(miniatures[i], others[j], np.minimum(contrast[i], contrast[j]), limit)
            found.update(zip(i[same].tolist(), j[same].tolist(), strict=True))
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _spread(miniatures: NDArray[np.integer]) -> NDArray[np.int64]:
    """n²-fold variance of the n values of each miniature, exactly: n Σv² - (Σv)²."""
    values = miniatures.reshape(len(miniatures), _VALUES).astype(np.int32)
    squares = (values**2).sum(axis=1, dtype=np.int64)
    spread: NDArray[np.int64] = _VALUES * squares - values.sum(axis=1, dtype=np.int64) ** 2
    return spread


def _agree(
    left: NDArray[np.uint8], right: NDArray[np.uint8], contrast: NDArray[np.int64], limit: float
) -> NDArray[np.bool_]:
    """Whether miniatures (P, 16, 16, 3) differ by brightness and little else.

    Args:
        contrast: the lesser `_spread` of each pair.
    """
    difference = left.astype(np.int16) - right
    shift = np.abs(difference.sum(axis=(1, 2, 3), dtype=np.int64))
    agreed: NDArray[np.bool_] = (_spread(difference) <= limit**2 * contrast) & (
        shift <= MAX_BRIGHTNESS_SHIFT * _VALUES
    )
    return agreed


def _candidates(
    left: NDArray[np.uint8], right: NDArray[np.uint8], limit: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs i < j that are not too different already in averages of 4×4 pixels.

    Averaging can only make a difference smaller, so no pair within the limit is missed.
    """
    a, b = _coarse(left), _coarse(right)
    squares_a, squares_b = (a**2).sum(axis=1), (b**2).sum(axis=1)
    # Σ(v - mean)² of a miniature, per value of the coarse one: 16 fine pixels each.
    allowed = limit**2 * _spread(left) / (_VALUES * 16) * 1.001 + 1.0
    for start in range(0, len(a), _ROWS_AT_ONCE):
        end = start + _ROWS_AT_ONCE
        distance = squares_a[start:end, None] + squares_b[None, start:]
        distance -= 2 * (a[start:end] @ b[start:].T)
        near = distance <= np.minimum(allowed[start:end, None], allowed[None, start:])
        row, column = np.nonzero(np.triu(near, 1))
        for block in range(0, len(row), _PAIRS_AT_ONCE):
            part = slice(block, block + _PAIRS_AT_ONCE)
            yield start + row[part], start + column[part]


def _coarse(miniatures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 48) averages of 4×4 pixels, less each miniature's own mean."""
    blocks = miniatures.reshape(-1, 4, 4, 4, 4, 3).mean(axis=(2, 4), dtype=np.float32)
    values = blocks.reshape(len(miniatures), 48)
    centred: NDArray[np.float32] = values - values.mean(axis=1, keepdims=True)
    return centred


def _limit(sample: NDArray[np.uint8], labels: Sequence[str]) -> float:
    """The difference below which two photos of this collection count as the same."""
    values = sample.reshape(len(sample), _VALUES).astype(np.float64)
    # Whole numbers below 2⁵³: exact in any order of summation.
    products = _VALUES * (values @ values.T) - np.outer(values.sum(axis=1), values.sum(axis=1))
    spread = np.diagonal(products)
    classes = np.array(labels)
    row, column = np.nonzero(np.triu(classes[:, None] != classes[None, :], 1))
    if not len(row):
        return MAX_DIFFERENCE
    difference = spread[row] + spread[column] - 2 * products[row, column]
    relative = np.sort(difference / np.minimum(spread[row], spread[column]))
    # A few pairs more, or one photo under two names would set the limit for all.
    place = min(int(_ALIKE_SHARE * len(relative)) + 5, len(relative) - 1)
    alike = float(relative[place]) ** 0.5
    limit: float = min(MAX_DIFFERENCE, max(MIN_DIFFERENCE, _ALIKE_FACTOR * alike))
    return limit


def groups(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Connected groups: for each of `count` photos the lowest index in its group.

    Args:
        pairs: int64, (P, 2).
    """
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for left, right in pairs.tolist():
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return np.array([root(index) for index in range(count)], np.int64)
