"""Instructions of the Cortex-M55 kernels, from their loops; within a tenth of what emulators count.

They are instructions, not cycles: a vector instruction takes two or more cycles on a Cortex-M55,
and a gathered load or a scattered store one for each element.
"""

from __future__ import annotations

from math import prod

from edgemcu.compiler import operations as o

LANES = 16


def _up(value: int, unit: int) -> int:
    """How many units `value` takes."""
    return -(-value // unit)


def cuts_negatives(output: o.OutputRange) -> bool:
    """Whether negative ties need not be rounded away from zero: see requantize_mve.h."""
    return output.min >= output.zero_point


def conv_2d(operation: o.Convolution) -> float:
    window = operation.window
    steps = _up(int(operation.weights[0].size), LANES)
    sums = 12 if steps == 1 else 14 * steps + 4 + 2 * ((steps - 2) // 2)
    group = sums + 25 + (0 if cuts_negatives(operation.output) else 6)
    pair = 12 + _up(operation.output_channels, 4) * group
    rows, columns = window.output_size
    if window.size == (1, 1) and not window.pads:
        pairs = _up(rows * columns, 2) if window.stride == (1, 1) else rows * _up(columns, 2)
        return 90.0 + pairs * pair
    return 200.0 + rows * (70 + _up(columns, 2) * pair + _copied_row(window) * window.size[0])


def _copied_row(window: o.Window) -> int:
    """One row of the input into scratch memory."""
    channels, pixels = window.input_channels, window.input_size[1]
    if channels <= LANES // 2:
        stride = window.size[0] * channels
        fit = min(LANES // channels, (256 - channels) // stride + 1)
        return 35 + 6 * _up(pixels, fit)
    return 20 + pixels * (7 + 3 * _up(channels, LANES))


def depthwise_conv_3x3(operation: o.DepthwiseConvolution) -> float:
    window = operation.window
    (rows, columns), channels = window.output_size, window.input_channels
    pixels = window.input_size[1]
    if window.stride == (1, 1):
        turns = _up(rows, 2)
        channel = 23 + 16 * _up(columns, 2)
    else:
        turns = rows
        channel = 17 + 19 * _up(columns, 4)
    if channels % LANES:
        load = 80 + _up(channels, 8) * (20 + 9 * pixels)
    else:
        load = 80 + channels // LANES * (20 + 11 * pixels)
    if not cuts_negatives(operation.output):
        channel += 2
    return 150.0 + load + turns * (60 + load + channels * channel)


def depthwise_conv_2d(operation: o.DepthwiseConvolution) -> float:
    window = operation.window
    vector = 90 + 12 * window.size[0] + 24 * window.taps
    return 50.0 + prod(window.output_size) * (15 + _up(window.input_channels, LANES) * vector)


def fully_connected(operation: o.FullyConnected) -> float:
    channels, inputs = operation.weights.shape
    return 40.0 + operation.rows * (20 + _up(channels, 4) * (35 + 10 * _up(inputs, LANES)))


def add(operation: o.Sum) -> float:
    return 40.0 + _up(prod(operation.shape), 4) * (17 if cuts_negatives(operation.output) else 20)


def mean(rows: int, channels: int) -> float:
    return 20.0 + _up(channels, 4) * (25 + 5 * rows)


def pool(operation: o.Pool) -> float:
    window = operation.window
    lanes = 4 if operation.average else LANES
    vector = 25 + 7 * window.size[0] + 6 * window.taps
    return prod(window.output_size) * (40.0 + _up(window.input_channels, lanes) * vector)


def lookup(operation: o.Lookup) -> float:
    return 10.0 + 4 * _up(operation.elements, LANES)
