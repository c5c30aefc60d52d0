"""Telling that two photos are the same, or show nearly the same.

Exact: the digest of the decoded pixels, so that a copy under another name or a lossless
re-encoding counts. Near: a 64-bit difference hash finds candidates, and a comparison of 16×16
miniatures confirms them, so that pictures with little in them are not thrown together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.preprocessing import luma
from edgemcu.resize import resize

MINIATURE_SIDE = 16

# Two of the 64 comparisons of neighbours may flip for each kind of noise; unrelated photos differ
# in about 32. Up to 7 differing bits leave one of the eight bytes equal, which finds the pairs.
MAX_HASH_DISTANCE = 7
# The difference of two miniatures, relative to the contrast of the weaker one.
MAX_DIFFERENCE = 0.2
# Brightness may be shifted by this many grey levels.
MAX_BRIGHTNESS_SHIFT = 32.0
# Below this standard deviation, in grey levels, a picture is flat: only exact copies count.
MIN_CONTRAST = 4.0

# Grey levels by which a neighbour must be darker.
_HASH_MARGIN = 2

_PAIRS_AT_ONCE = 1 << 16
_HASHES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Fingerprint:
    """What is remembered of a photo to compare it with others.

    Attributes:
        pixels: hex digest of its decoded, upright pixels.
        hash, mirrored: difference hashes of it and of its mirror image.
        miniature: uint8, (16, 16, 3), stretched.
    """

    pixels: str
    hash: int
    mirrored: int
    miniature: NDArray[np.uint8]


def fingerprint(pixels: NDArray[np.uint8]) -> Fingerprint:
    """Take a photo's fingerprint.

    Args:
        pixels: uint8, (H, W, C), C = 1 or 3.
    """
    small = resize(pixels, MINIATURE_SIDE, MINIATURE_SIDE)
    colour = np.repeat(small, 3, axis=-1) if small.shape[-1] == 1 else small
    grey = luma(resize(pixels, 8, 9))[:, :, 0].astype(np.int16)
    return Fingerprint(
        pixel_digest(pixels), _difference_hash(grey), _difference_hash(grey[:, ::-1]), colour
    )


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


def _difference_hash(grey: NDArray[np.int16]) -> int:
    """64 comparisons of horizontal neighbours in a miniature of shape (8, 9)."""
    # By a margin, or compression noise would decide between neighbours of the same grey.
    brighter = grey[:, :-1] > grey[:, 1:] + _HASH_MARGIN
    return int.from_bytes(np.packbits(brighter).tobytes(), "big")


def near_pairs(prints: Sequence[Fingerprint]) -> NDArray[np.int64]:
    """Pairs of photos that show nearly the same, as they are or mirrored left to right.

    Returns:
        int64, (P, 2): indices i < j, sorted.
    """
    contrast = [float(entry.miniature.std()) for entry in prints]
    usable = np.flatnonzero(np.array(contrast) >= MIN_CONTRAST)
    if len(usable) < 2:
        return np.zeros((0, 2), np.int64)
    miniatures = np.stack([entry.miniature for entry in prints])
    # Mirror images join the search as a second half of the set.
    chosen = [prints[index] for index in usable.tolist()]
    hashes = [entry.hash for entry in chosen] + [entry.mirrored for entry in chosen]
    found: set[tuple[int, int]] = set()
    for left, right in _candidates(np.array(hashes, np.uint64), len(usable)):
        flipped = right >= len(usable)
        i, j = usable[left], usable[np.where(flipped, right - len(usable), right)]
        other = miniatures[j]
        other[flipped] = other[flipped, :, ::-1]
        same = (i != j) & _confirmed(miniatures[i], other)
        low, high = np.minimum(i, j)[same], np.maximum(i, j)[same]
        found.update(zip(low.tolist(), high.tolist(), strict=True))
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _candidates(
    hashes: NDArray[np.uint64], originals: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs (i, j), i < `originals`, i < j, whose hashes differ in few bits; some repeatedly."""
    for byte in range(8):
        values = ((hashes >> np.uint64(8 * byte)) & np.uint64(0xFF)).astype(np.uint8)
        order = np.argsort(values, kind="stable")
        starts = np.flatnonzero(np.diff(values[order], prepend=-1))
        for bucket in np.split(order, starts[1:]):
            first = bucket[bucket < originals]
            rows = max(1, _HASHES_AT_ONCE // max(1, len(bucket)))
            for start in range(0, len(first), rows):
                left = first[start : start + rows]
                near = _bits(hashes[left][:, None] ^ hashes[bucket][None, :]) <= MAX_HASH_DISTANCE
                near &= left[:, None] < bucket[None, :]
                row, column = np.nonzero(near)
                for block in range(0, len(row), _PAIRS_AT_ONCE):
                    part = slice(block, block + _PAIRS_AT_ONCE)
                    yield left[row[part]], bucket[column[part]]


def _bits(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(values)
    # NumPy 1 has no population count.
    table = np.array([value.bit_count() for value in range(256)], np.uint8)
    counts: NDArray[np.uint8] = table[values[..., None].view(np.uint8)].sum(-1, dtype=np.uint8)
    return counts


def _confirmed(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether miniatures (P, 16, 16, 3) agree but for brightness and a little noise."""
    a = left.reshape(len(left), -1).astype(np.float32)
    b = right.reshape(len(right), -1).astype(np.float32)
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    difference = (a - mean_a[:, None]) - (b - mean_b[:, None])
    contrast = np.minimum(a.std(axis=1), b.std(axis=1))
    agreed: NDArray[np.bool_] = (
        np.sqrt((difference**2).mean(axis=1)) <= MAX_DIFFERENCE * contrast
    ) & (np.abs(mean_a - mean_b) <= MAX_BRIGHTNESS_SHIFT)
    return agreed


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
