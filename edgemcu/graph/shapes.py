"""Output sizes and paddings, as TensorFlow Lite's kernels compute them (kernels/padding.h)."""

from __future__ import annotations

from collections.abc import Sequence

from edgemcu.graph.ir import Padding


def output_size(size: int, window: int, stride: int, dilation: int, padding: Padding) -> int:
    """Positions of a sliding window along one dimension; 0 or less when it does not fit."""
    if padding is Padding.SAME:
        return -(-size // stride)
    return (size - dilation * (window - 1) - 1) // stride + 1


def padding_before(size: int, window: int, stride: int, dilation: int, output: int) -> int:
    """Implicit padding before the first element; what is odd about it comes after the last."""
    covered = (output - 1) * stride + dilation * (window - 1) + 1
    return max(covered - size, 0) // 2


def broadcast(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...] | None:
    """The common shape of two operands, or None where they do not go together."""
    rank = max(len(first), len(second))
    sizes = []
    for a, b in zip(_widened(first, rank), _widened(second, rank), strict=True):
        if a != b and 1 not in (a, b):
            return None
        sizes.append(max(a, b))
    return tuple(sizes)


def _widened(shape: Sequence[int], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + tuple(shape)
