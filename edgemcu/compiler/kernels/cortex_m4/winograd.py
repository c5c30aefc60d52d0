"""3x3 convolutions by Winograd's F(2x2, 3x3) and F(2x4, 3x3): see winograd.h."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import wrap_int32
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.convolution import weight_rows
from edgemcu.compiler.kernels.cortex_m4.rounding import (
    FOLDER,
    channel_bounds,
    is_relu,
    rounding,
)

# Layers with more bytes of transformed weights are computed directly.
MAX_WINOGRAD_BYTES = 128 << 10

# Computed at a time: input channels whose transforms lie together, output channels, tiles.
CHUNK, CHANNELS, TILES = 16, 4, 2

# What the inner loop does after 16 input channels: winograd.h.
STORE, CLEAR, END = 1, 2, 4


@dataclass(frozen=True)
class Tile:
    """A kind of tile of two rows of outputs.

    Attributes:
        columns: of outputs.
        weights: int64 (columns + 2, 3): what transforms rows of weights.
        scale_bits: its sums are 2^scale_bits too large.
        offset: added to all inputs.
        lift: added to those of columns 4 and 5 besides, for channels 0 and 1 of four.
        transform_cycles: of a Cortex-M4 for each input channel of a tile's transform.
        back_cycles: for each output channel of a tile.
    """

    columns: int
    weights: NDArray[np.int64]
    scale_bits: int
    offset: int
    lift: int
    transform_cycles: float
    back_cycles: float

    @property
    def places(self) -> int:
        return 4 * (self.columns + 2)


# Twice the transform of 3x3 weights.
TWO = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
# 24 times the transform for four columns; 12 and 3 times in the first and the last row.
FOUR = np.array([[3, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 3]])

TILE_2X2 = Tile(2, TWO, 2, 0, 0, transform_cycles=46, back_cycles=86)
TILE_2X4 = Tile(4, FOUR, 4, 128, 2040, transform_cycles=104, back_cycles=146)


def winograd_stream(operation: o.Convolution, tile: Tile) -> NDArray[np.int32] | None:
    """What `winograd` reads, int32 (output channels / 4, words); None if it cannot be exact."""
    low, high = channel_bounds(weight_rows(operation), operation.scales)
    largest = np.maximum(-low, high)
    factors = rounding(operation.scales, operation.output, largest, scale_bits=tile.scale_bits)
    if factors is None:
        return None
    g = operation.weights.astype(np.int64)
    outputs, inputs = g.shape[0], g.shape[3]
    fours, chunks = outputs // CHANNELS, -(-inputs // CHUNK)
    transformed = np.einsum("ya,oabc,xb->oyxc", TWO, g, tile.weights)
    transformed = transformed.reshape(outputs, tile.places, inputs)[:, _place_order(tile)]
    transformed = np.pad(transformed, ((0, 0), (0, 0), (0, -inputs % CHUNK)))
    # Of four channels, 0 and 2 are a word, then 1 and 3.
    words = transformed.reshape(outputs, tile.places, -1, 2, 2).transpose(0, 1, 2, 4, 3)
    words = np.ascontiguousarray(words.astype(np.int16)).view(np.int32)
    weights = words.reshape(fours, CHANNELS, tile.places, chunks, CHUNK // 2)
    weights = weights.transpose(0, 2, 3, 4, 1).reshape(fours, tile.places, chunks, -1)
    steps = np.broadcast_to(_steps(tile, chunks)[..., None], (*weights.shape[:3], 1))
    scales = np.concatenate([_bias_words(operation, tile), np.stack(factors, axis=1)], axis=1)
    return np.concatenate(
        [
            np.concatenate([weights, steps], axis=3).reshape(fours, -1),
            scales.reshape(fours, -1),
        ],
        axis=1,
    )


def _place_order(tile: Tile) -> NDArray[np.int64]:
    """Numbers of a tile's places (row by row) in the order in which they are computed, int64
    (places,): each column's rows 1, 0, 2, 3."""
    columns = tile.columns + 2
    order: NDArray[np.int64] = np.arange(columns)[:, None] + columns * np.array([1, 0, 2, 3])
    return order.ravel()


def _steps(tile: Tile, chunks: int) -> NDArray[np.int32]:
    """How the inner loop goes on after each 16 input channels of each place, int32 (places,
    chunks): see `stream` in winograd.h."""
    place_bytes = 2 * CHUNK * TILES
    chunk_bytes = tile.places * place_bytes
    steps = np.full((tile.places, chunks), 8 * chunk_bytes)
    to_next = np.diff(_place_order(tile), append=0) * place_bytes - (chunks - 1) * chunk_bytes
    # Rows 0 and 3 are added to the sums of rows 1 and 2.
    steps[:, -1] = 8 * to_next + STORE + CLEAR * (np.arange(tile.places) % 2)
    steps[-1, -1] = STORE + END
    return steps.astype(np.int32)


def _bias_words(operation: o.Convolution, tile: Tile) -> NDArray[np.int32]:
    """Biases without what was added to the inputs, int32 (output channels, 1 or 3): one for all
    columns, or those of columns 0 and 1, 2, and 3."""
    g = operation.weights.astype(np.int64)
    bias = operation.scales.bias.astype(np.int64)[:, None]
    bias = bias - tile.offset * g.sum(axis=(1, 2, 3))[:, None]
    if tile.lift:
        # By column of the weights: those that meet columns 4 and 5 of the tile's input.
        sums = g.reshape(g.shape[0], 3, 3, -1, 4)[..., :2].sum(axis=(1, 3, 4))
        seen = np.stack([0 * sums[:, 2], sums[:, 2], sums[:, 1] + sums[:, 2]], axis=1)
        bias = bias - tile.lift * seen
    return wrap_int32(bias << tile.scale_bits).astype(np.int32)


def _padded(inputs: int) -> int:
    """Input channels as the inner loop takes them."""
    return -(-inputs // CHUNK) * CHUNK


def _applies(tile: Tile, operation: o.Convolution) -> bool:
    window, outputs = operation.window, operation.output_channels
    return (
        operation.groups == 1
        and (window.size, window.stride, window.dilation) == ((3, 3), (1, 1), (1, 1))
        and window.input_channels % 4 == 0
        and outputs % CHANNELS == 0
        and 2 * tile.places * _padded(window.input_channels) * outputs <= MAX_WINOGRAD_BYTES
        and winograd_stream(operation, tile) is not None
    )


def _cost(tile: Tile, operation: o.Convolution) -> float:
    rows, columns = operation.window.output_size
    inputs, outputs = operation.window.input_channels, operation.output_channels
    tiles = -(-rows // 2) * -(-columns // tile.columns)
    blocks = -(-tiles // TILES)
    per_four = tile.places * (8.5 * _padded(inputs) + 11)
    per_four += TILES * CHANNELS * tile.back_cycles + 60
    transforms = TILES * (tile.transform_cycles * inputs + 100)
    return blocks * (transforms + outputs / CHANNELS * per_four)


def _variant(output: o.OutputRange) -> str:
    """Which of three C functions, the shortest that does it."""
    if is_relu(output):
        return "relu"
    return "full" if (output.min, output.max) == (-128, 127) else "any"


def _bind(tile: Tile, name: str, operation: o.Convolution) -> Binding:
    window, output = operation.window, operation.output
    inputs, outputs = window.input_channels, operation.output_channels
    rows, columns = window.output_size
    stream = winograd_stream(operation, tile)
    assert stream is not None
    whole = rows % 2 == 0 and columns % tile.columns == 0
    scratch = 4 * tile.places * _padded(inputs) + tile.places * max(inputs, 32)
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "output_channels": outputs,
            "min": output.min,
            "max": output.max,
            "back": f"{name}_back_{_variant(output)}",
            "stream": Array(stream),
        },
        params_type="struct winograd_params",
        scratch_bytes=scratch + (0 if whole else 4 * tile.columns * outputs),
        # Two tiles are written no earlier than single ones would be.
        overlap={
            0: ov.raster_overlap(
                window, outputs, block_pixels=tile.columns, block_rows=2, buffered=True
            )
        },
    )


def _kernel(tile: Tile, name: str) -> AnyKernel:
    return Kernel(
        f"{name}_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=partial(_applies, tile),
        cost=partial(_cost, tile),
        bind=partial(_bind, tile, name),
        scratch=True,
        headers=("dsp.h", "winograd.h", "winograd_back.h", "../portable/window.h"),
        sources=("winograd.c",),
    )


KERNELS: tuple[AnyKernel, ...] = (
    _kernel(TILE_2X2, "winograd_3x3"),
    _kernel(TILE_2X4, "winograd_2x4"),
)
