"""How constants and shapes are laid out for kernels: shared by the kernel sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import Array
from edgemcu.errors import UnsupportedModelError


def output_fields(output: o.OutputRange) -> dict[str, int]:
    return {"zero_point": output.zero_point, "min": output.min, "max": output.max}


def scale_fields(scales: o.ChannelScales, multiple: int = 1) -> dict[str, Array]:
    """Biases, multipliers and shifts, filled up with zeros to a multiple of `multiple` channels."""
    return {
        "bias": Array(fill(scales.bias, multiple)),
        "multiplier": Array(fill(scales.multiplier, multiple)),
        "shift": Array(fill(scales.shift, multiple)),
    }


def fill(values: NDArray[Any], multiple: int) -> NDArray[Any]:
    """Zeros appended along the first axis up to a multiple of `multiple`."""
    missing = -values.shape[0] % multiple
    return np.concatenate([values, np.zeros((missing, *values.shape[1:]), values.dtype)])


def interleave(rows: NDArray[np.int8], group: int) -> NDArray[np.int8]:
    """(channels, values) as [channels / group][values][group], filled up with zero channels."""
    filled = fill(rows, group)
    return filled.reshape(-1, group, rows.shape[1]).transpose(0, 2, 1)


def window_fields(window: o.Window, input_zero_point: int) -> dict[str, int]:
    return {
        "input_height": window.input_size[0],
        "input_width": window.input_size[1],
        "input_channels": window.input_channels,
        "output_height": window.output_size[0],
        "output_width": window.output_size[1],
        "height": window.size[0],
        "width": window.size[1],
        "stride_y": window.stride[0],
        "stride_x": window.stride[1],
        "dilation_y": window.dilation[0],
        "dilation_x": window.dilation[1],
        "pad_top": window.padding[0],
        "pad_left": window.padding[1],
        "input_zero_point": input_zero_point,
    }


def right_aligned(values: Sequence[int], count: int, default: int, what: str) -> list[int]:
    """`values` behind as many defaults as make `count` of them."""
    if len(values) > count:
        raise UnsupportedModelError(f"{what} over {len(values)} separate axes, more than {count}")
    return [default] * (count - len(values)) + list(values)


def broadcast_fields(
    shape: Sequence[int], shape_a: Sequence[int], shape_b: Sequence[int]
) -> Mapping[str, list[int]]:
    """Sizes and strides of an elementwise operation, neighbouring axes merged where they can be."""
    rank = len(shape)
    padded = [[1] * (rank - len(s)) + list(s) for s in (shape_a, shape_b)]
    merged: list[list[int]] = []  # [size, size of a, size of b], outermost first
    for size, a, b in zip(shape, *padded, strict=True):
        if size == 1:
            continue
        if merged and (merged[-1][1] > 1, merged[-1][2] > 1) == (a > 1, b > 1):
            merged[-1] = [merged[-1][0] * size, merged[-1][1] * a, merged[-1][2] * b]
        else:
            merged.append([size, a, b])
    columns = [list(column) for column in zip(*merged, strict=True)] or [[], [], []]
    what = "broadcasting"
    return {
        "size": right_aligned(columns[0], 4, 1, what),
        "stride_a": right_aligned(_broadcast_strides(columns[1]), 4, 0, what),
        "stride_b": right_aligned(_broadcast_strides(columns[2]), 4, 0, what),
    }


def _broadcast_strides(sizes: Sequence[int]) -> list[int]:
    return [0 if size == 1 else prod(sizes[i + 1 :]) for i, size in enumerate(sizes)]


def mean_fields(shape: Sequence[int], reduced: Sequence[bool]) -> Mapping[str, list[int]]:
    """Kept and reduced axes with their strides, neighbours of a kind merged."""
    merged: list[tuple[int, bool]] = []
    for size, is_reduced in zip(shape, reduced, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == is_reduced:
            merged[-1] = (merged[-1][0] * size, is_reduced)
        else:
            merged.append((size, is_reduced))
    strides = [prod(size for size, _ in merged[i + 1 :]) for i in range(len(merged))]

    def axes(which: bool, values: Sequence[int], default: int) -> list[int]:
        chosen = [value for value, (_, r) in zip(values, merged, strict=True) if r is which]
        return right_aligned(chosen, 3, default, "a mean")

    sizes = [size for size, _ in merged]
    return {
        "kept": axes(False, sizes, 1),
        "kept_stride": axes(False, strides, 0),
        "reduced": axes(True, sizes, 1),
        "reduced_stride": axes(True, strides, 0),
    }


def pad_fields(
    shape: Sequence[int], paddings: Sequence[tuple[int, int]]
) -> Mapping[str, int | list[int]]:
    """The runs of bytes that a PAD copies, and where they go."""
    # An axis joins the one inside of it if that one is not padded: both then move together.
    merged: list[tuple[int, int, int]] = []  # (size, before, after), innermost first
    for size, (before, after) in reversed(list(zip(shape, paddings, strict=True))):
        if merged and merged[-1][1:] == (0, 0):
            inner = merged[-1][0]
            merged[-1] = (size * inner, before * inner, after * inner)
        else:
            merged.append((size, before, after))
    out_sizes = [sum(axis) for axis in merged]
    strides = [prod(out_sizes[:i]) for i in range(len(merged))]
    run, *outer = [size for size, _, _ in merged] or [1]
    return {
        "output_bytes": prod(out_sizes),
        "first": sum(before * s for (_, before, _), s in zip(merged, strides, strict=True)),
        "run": run,
        "size": right_aligned(outer[::-1], 4, 1, "padding"),
        "output_stride": right_aligned(strides[:0:-1], 4, 0, "padding"),
    }
