"""Sums of products in blocks of three or four pixels by two channels: what dot.h is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import Ints, wrap_int32
from edgemcu.compiler.kernels import Array, Field
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels.cortex_m4.rounding import rescaling

HEADERS = ("dot.h", "dot_routines.h", "dsp.h", "pack.h")
SOURCES = ("dot.c", "dot_3x2.c", "dot_4x2.c")

# Shared by all channels of a layer; each has its routines in dot_3x2.c and dot_4x2.c. Most
# networks' layers can have 11, some that sum up much need more.
SHIFTS = (11, 13)


@dataclass(frozen=True)
class Dot:
    """A layer's constants for `dot`.

    Attributes:
        stream: int32 (pairs of channels, words).
        inputs: values that are summed up.
        channels: of the output.
        output: its range.
        shift: that all channels share, None if each has its own.
    """

    stream: NDArray[np.int32]
    inputs: int
    channels: int
    output: o.OutputRange
    shift: int | None

    @property
    def groups(self) -> int:
        return -(-self.inputs // 4)

    def fields(self, blocks: Blocks, *, in_planes: bool = False) -> dict[str, Field]:
        """The members of `struct dot`, with the routines for such blocks."""
        pairs, words = self.stream.shape
        variant = "any" if self.shift is None else f"relu_{self.shift}"
        if in_planes:
            variant = variant.replace("relu", "planes")
        return {
            "stream": Array(self.stream),
            "pair_words": words,
            # In planes, a last one without another to be a pair with gets one of zeros.
            "output_channels": 2 * pairs if in_planes else self.channels,
            "groups": self.groups,
            "min": self.output.min,
            "max": self.output.max,
            "of_four": f"dot_4x2_{variant}" if blocks.fours else "NULL",
            "of_three": f"dot_3x2_{variant}" if blocks.threes or blocks.ones else "NULL",
        }

    def blocks(self, pixels: int) -> Blocks:
        return Blocks.of(pixels, fours=self.shift is not None)

    def packed_bytes(self, blocks: Blocks) -> int:
        """Scratch memory for the packed inputs of a block."""
        return blocks.bytes_per_group * self.groups

    def cost(self, blocks: Blocks) -> float:
        """Of so many blocks, without packing."""
        loops = -(-(self.groups - 1) // 4)
        pairs = self.stream.shape[0]
        of_four = pairs * (32 * self.groups + 6 * loops + 54) + 50
        of_three = pairs * (24 * self.groups + 4 * loops + 46) + 50
        if self.shift is None:
            of_three += pairs * 30
        return float(blocks.fours * of_four + (blocks.threes + blocks.ones) * of_three)


@dataclass(frozen=True)
class Blocks:
    """Numbers of blocks of pixels; single pixels take a block of three each."""

    fours: int
    threes: int
    ones: int

    @staticmethod
    def of(pixels: int, *, fours: bool) -> Blocks:
        """As many fours as leave nothing but threes; fours: whether there may be any."""
        if not fours:
            return Blocks(0, pixels // 3, pixels % 3)
        threes = -pixels % 4
        if 3 * threes <= pixels:
            return Blocks((pixels - 3 * threes) // 4, threes, 0)
        return Blocks(pixels // 4, pixels % 4 // 3, pixels % 4 % 3)

    @property
    def bytes_per_group(self) -> int:
        """Of packed inputs."""
        return 32 if self.fours else 24

    @property
    def fields(self) -> dict[str, Field]:
        """The members of `struct dot_blocks`."""
        return {"fours": self.fours, "threes": self.threes, "ones": self.ones}


def dot(
    rows: NDArray[np.int8],
    scales: o.ChannelScales,
    output: o.OutputRange,
    shifts: Sequence[int] = SHIFTS,
) -> Dot | None:
    """What `dot` reads for a layer, or None if it cannot compute the layer exactly.

    Args:
        rows: int8 (output channels, inputs).
        shifts: that all channels may share.
    """
    scaling = rescaling(rows, scales, output, shifts)
    if scaling is None:
        return None
    words = weight_words(rows, 256 * scales.bias.astype(np.int64) + scaling.nudges)
    if words is None:
        return None
    behind = lay.fill(scaling.words, 2).reshape(words.shape[0], -1)
    stream = np.concatenate([words, behind], axis=1)
    return Dot(stream, rows.shape[1], rows.shape[0], output, scaling.shift)


def weight_words(rows: NDArray[np.int8], bias: Ints) -> NDArray[np.int32] | None:
    """Biases and weights of each pair of channels, None if a weight does not fit.

    Args:
        rows: int8 (channels, inputs).
        bias: int64 (channels,), 256 times too large.

    Returns:
        int32 (pairs, 2 + 2 × groups of four inputs).
    """
    wide = lay.fill(rows, 2).astype(np.int64)
    wide = np.pad(wide, ((0, 0), (0, -wide.shape[1] % 4)))
    even, odd = wide[:, 0::2], wide[:, 1::2]
    upper = even - (odd > 0)
    if np.any(odd < -127) or np.any(upper < -128):
        return None
    before = wrap_int32(lay.fill(bias, 2) - 129 * odd.sum(axis=1)).astype(np.int32)
    words = np.stack([-odd, upper], axis=2).astype(np.int8).reshape(wide.shape[0], -1)
    pairs = wide.shape[0] // 2
    weights = words.view(np.int32).reshape(pairs, 2, -1).transpose(0, 2, 1).reshape(pairs, -1)
    return np.concatenate([before.reshape(pairs, 2), weights], axis=1)
