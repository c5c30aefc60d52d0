"""Counting predictions."""

from __future__ import annotations

import numpy as np

from edgemcu.evaluation import Evaluation, evaluate

CLASSES = ("cat", "dog", "bird")


def test_counts_by_hand() -> None:
    found = evaluate(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), CLASSES)
    assert found.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 1))
    assert found.total == 5
    assert found.accuracy == 3 / 5
    assert found.per_class == (0.5, 1.0, 0.5)


def test_a_class_without_photos() -> None:
    found = evaluate(np.array([0]), np.array([0]), CLASSES)
    assert found.per_class == (1.0, 0.0, 0.0)
    assert evaluate(np.array([], np.int64), np.array([], np.int64), CLASSES).accuracy == 0


def test_json_round_trip() -> None:
    found = evaluate(np.array([0, 1]), np.array([1, 1]), CLASSES)
    assert Evaluation.from_json(found.to_json()) == found
