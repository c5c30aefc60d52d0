"""How far a kernel's output may lie over its input: `Binding.overlap` for the usual loop orders.

A kernel that writes its output while it still reads its input stays right as long as nothing is
overwritten before its last use. All kernels here walk through memory upwards, so the question is
how far the writes run ahead of the reads: the smallest `input offset - output offset` in bytes that
keeps every write below all that is still to be read. Any larger distance is right as well.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o

# Elementwise kernels read element i of an input as large as the output, then write element i.
IN_PLACE = 0

_NEVER = np.iinfo(np.int64).max


def raster_overlap(
    window: o.Window,
    output_channels: int,
    *,
    block_pixels: int = 1,
    block_rows: int = 1,
    buffered: bool = False,
) -> int:
    """The smallest distance for a kernel that moves a window over its input in raster order.

    Args:
        window: its geometry; elements are single bytes.
        output_channels: of each output pixel.
        block_pixels, block_rows: the output is computed in blocks of this size (columns, rows), all
            channels of one block before the next, row of blocks by row of blocks. Blocks at the
            right and the lower end may be smaller. A kernel that computes whole rows at a time has
            `block_pixels` of the output's width.
        buffered: whether all that a block needs of the input has been read (to registers or to
            scratch memory) before the first of its outputs is written. If not, the outputs of a
            block may not touch the input that the same block reads.
    """
    rows, columns = window.output_size
    tops = np.arange(0, rows, block_rows)
    lefts = np.arange(0, columns, block_pixels)
    bottoms = np.minimum(tops + block_rows, rows)
    rights = np.minimum(lefts + block_pixels, columns)

    last_pixel = (bottoms - 1)[:, None] * columns + (rights - 1)
    written = np.maximum.accumulate(((last_pixel + 1) * output_channels).ravel())
    first_row, first_column = (
        _first_read(window, axis, starts, ends)
        for axis, starts, ends in ((0, tops, bottoms), (1, lefts, rights))
    )
    pixel = first_row[:, None] * window.input_size[1] + first_column
    outside = (first_row[:, None] == _NEVER) | (first_column == _NEVER)
    reads = np.where(outside, _NEVER, pixel * window.input_channels).ravel()
    anywhere = -window.input_channels * prod(window.input_size)
    return _distance(written, reads, buffered, anywhere)


def rows_overlap(
    rows: int, input_bytes: int, output_bytes: int, *, block_rows: int = 1, buffered: bool = False
) -> int:
    """The same for a kernel that turns each of `rows` runs of bytes into another run: 1×1
    convolutions with stride 1 (a row is a pixel), fully connected layers."""
    line = o.Window(
        input_size=(1, rows), input_channels=input_bytes, output_size=(1, rows), size=(1, 1)
    )
    return raster_overlap(line, output_bytes, block_pixels=block_rows, buffered=buffered)


def gather_overlap(first_reads: NDArray[np.int64], output_bytes: int = 1) -> int:
    """The same for a kernel that computes outputs one after another, each read to its end before it
    is written.

    Args:
        first_reads: int64, (outputs,): the lowest input offset that each output reads.
        output_bytes: of each output.
    """
    written = np.arange(1, first_reads.size + 1) * output_bytes
    return _distance(written, first_reads, True, -int(first_reads.max(initial=0)) - 1)


def _first_read(
    window: o.Window, axis: int, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Along one axis: the lowest input index that outputs [start, end) read, `_NEVER` for none."""
    size, dilation = window.size[axis], window.dilation[axis]
    first = np.full(starts.shape, _NEVER)
    for output in range(int((ends - starts).max(initial=0))):
        index = np.minimum(starts + output, ends - 1)
        origin = index * window.stride[axis] - window.padding[axis]
        taps = origin[:, None] + np.arange(size) * dilation
        inside = (taps >= 0) & (taps < window.input_size[axis])
        first = np.minimum(first, np.where(inside, taps, _NEVER).min(axis=1))
    return first


def _distance(
    written: NDArray[np.int64], reads: NDArray[np.int64], buffered: bool, anywhere: int
) -> int:
    """Largest lead of the writes (end of what is written after each block, relative to the output)
    over the reads (lowest offset that each block reads, relative to the input)."""
    pending = np.minimum.accumulate(reads[::-1])[::-1]
    if buffered:
        written, pending = written[:-1], pending[1:]
    used = pending != _NEVER
    if not used.any():
        return anywhere
    return max(int((written[used] - pending[used]).max()), anywhere)
