"""Near duplicates and the split: what must be found, what must not, and on which side it goes."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgemcu.data.fingerprint import fingerprint, groups, near_pairs, pixel_digest
from edgemcu.data.split import grouped_split
from edgemcu.errors import DatasetError
from tests.support.photos import picture


def pairs(photos: list[NDArray[np.uint8]], labels: list[str] | None = None) -> list[list[int]]:
    names = labels or ["ab"[index % 2] for index in range(len(photos))]
    return near_pairs([fingerprint(photo) for photo in photos], names).tolist()


def altered(kind: str) -> NDArray[np.uint8]:
    photo = Image.fromarray(picture(1, 120, 90))
    if kind == "smaller":
        photo = photo.resize((60, 45), Image.Resampling.LANCZOS)
    elif kind == "squeezed":
        photo = photo.resize((90, 90))
    elif kind == "cropped":
        photo = photo.crop((2, 2, 118, 89))
    elif kind == "mirrored":
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    elif kind == "darker":
        photo = photo.point(lambda value: max(0, value - 15))
    elif kind == "stamped":
        photo.paste((255, 255, 255), (104, 80, 118, 88))
    return np.asarray(photo)


KINDS = ["smaller", "squeezed", "cropped", "mirrored", "darker", "stamped"]


@pytest.mark.parametrize("kind", KINDS)
def test_altered_copies_are_found_among_others(kind: str) -> None:
    others = [picture(number) for number in range(100, 160)]
    assert pairs([picture(1, 120, 90), *others, altered(kind)]) == [[0, 61]]


def test_different_photos_are_no_pairs() -> None:
    assert pairs([picture(number) for number in range(300)]) == []


def test_colour_tells_photos_apart() -> None:
    photo = picture(1)
    assert pairs([photo, np.ascontiguousarray(photo[:, :, ::-1])]) == []


def test_things_of_one_layout_are_not_thrown_together() -> None:
    """Blobs in the middle of a white page: alike in every class, but each its own."""
    photos, labels = [], []
    y, x = np.mgrid[:40, :40]
    random = np.random.default_rng(0)
    for index in range(120):
        height, width = 9 + 8 * random.random(2)
        inside = ((y - 20) / height) ** 2 + ((x - 20) / width) ** 2 < 1
        shade = random.integers(20, 110)
        photos.append(np.where(inside, shade, 255).astype(np.uint8)[:, :, None])
        labels.append("round" if index % 2 else "square")
    found = near_pairs([fingerprint(photo) for photo in photos], labels)
    assert np.bincount(groups(len(photos), found)).max() < 20


def test_nothing_to_compare_is_fine() -> None:
    assert pairs([]) == pairs([picture(1)]) == []
    assert pairs([np.zeros((9, 9, 1), np.uint8)] * 5) == []


def test_the_order_does_not_matter() -> None:
    photos = [picture(number) for number in range(40)] + [altered(kind) for kind in KINDS]
    labels = ["ab"[index % 2] for index in range(len(photos))]
    order = np.random.default_rng(0).permutation(len(photos)).tolist()
    straight = {frozenset(pair) for pair in pairs(photos, labels)}
    shuffled = pairs([photos[i] for i in order], [labels[i] for i in order])
    assert {frozenset((order[i], order[j])) for i, j in shuffled} == straight


def test_a_grey_photo_is_the_same_in_grey_and_colour() -> None:
    grey = picture(1)[:, :, :1]
    assert pixel_digest(grey) == pixel_digest(np.repeat(grey, 3, axis=2))
    assert pixel_digest(grey) != pixel_digest(grey[:, ::-1])
    assert pixel_digest(grey) != pixel_digest(grey.transpose(1, 0, 2))


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11))))
def test_groups_are_connected_components(count: int, edges: list[tuple[int, int]]) -> None:
    inside = [edge for edge in edges if max(edge) < count]
    found = groups(count, np.array(inside, np.int64).reshape(-1, 2))
    parts = [{index} for index in range(count)]
    for one, other in inside:
        merged = next(p for p in parts if one in p) | next(p for p in parts if other in p)
        parts = [part for part in parts if not part & merged] + [merged]
    assert all(found[index] == min(part) for part in parts for index in part)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 15)), min_size=60, max_size=150),
    st.floats(0.05, 0.5),
    st.integers(0, 3),
)
def test_no_group_is_split_and_every_class_is_tested(
    photos: list[tuple[str, int]], fraction: float, seed: int
) -> None:
    labels = [label for label, _ in photos]
    digests = [f"{index}" for index in range(len(photos))]
    # One photo in three is in a group of several.
    names = [group if index % 3 == 0 else 100 + index for index, (_, group) in enumerate(photos)]
    counts = Counter(labels)
    if min(counts.values()) < 10:
        return
    test = grouped_split(labels, digests, names, fraction, seed, min_train=1)
    for one, other in combinations(range(len(photos)), 2):
        if names[one] == names[other]:
            assert test[one] == test[other]
    for label, total in counts.items():
        held_back = sum(t for t, other in zip(test, labels, strict=True) if other == label)
        assert 1 <= held_back < total


def test_one_group_that_is_the_whole_class_is_refused() -> None:
    with pytest.raises(DatasetError, match="'a'"):
        grouped_split(
            ["a"] * 20 + ["b"] * 20,
            [str(n) for n in range(40)],
            [0] * 20 + list(range(1, 21)),
            0.2,
            0,
            min_train=8,
        )
