"""Scratch memory that ESP-NN's functions for the ESP32-S3 ask for, in bytes.

Source: esp_nn_get_*_scratch_size_esp32s3 of ESP-NN 1.2.3 (src/convolution/esp_nn_conv_esp32s3.c,
esp_nn_depthwise_conv_s8_esp32s3.c, src/softmax/esp_nn_softmax_s8_esp32s3.c).
"""

from __future__ import annotations

from edgemcu.compiler.operations import Window

_FULL_PADDING_LIMIT = 40 * 1024
_WHOLE_INPUT_LIMIT = 48 * 1024


def conv_scratch(window: Window, outputs: int) -> int:
    """Of a convolution with so many output channels."""
    (height, width), (rows, columns) = window.input_size, window.size
    channels, margin = window.input_channels, 64
    if window.size == (1, 1) and window.stride == (1, 1) and window.padding == (0, 0):
        filled = _up(channels, 8)
        copied = height * width * filled if channels % 8 else 0
        transposed = 0 if height * width < 8 else 2 * 8 * filled
        return copied + filled * outputs + transposed + margin
    row = columns * channels
    if row < 16 <= row * rows:
        length = _up(row * rows, 16)
        return 4 * outputs + 16 + outputs * length + 16 + length + margin
    pad_y, pad_x = window.padding
    padded = (width + 2 * pad_x) * (height + 2 * pad_y) * channels if pad_x or pad_y else 0
    bottom, right = _end(window)
    ended = (width + right) * (height + bottom) * channels if right > 0 or bottom > 0 else 0
    weights = rows * columns * _up(channels, 16) * outputs + _up(row, 16) * rows * outputs
    return padded + weights + ended + margin + 4 * outputs


def depthwise_scratch(window: Window, multiplier: int = 1) -> int:
    """Of a depthwise convolution with so many output channels per input channel."""
    channels = window.input_channels
    inputs = window.input_size[0] * window.input_size[1] * channels
    weights = window.taps * channels * multiplier
    if multiplier == 1 and channels % 8 == 0:
        if window.size == (3, 3):
            return _depthwise_3x3(window, weights, inputs)
        whole = 2 * (weights + inputs)
        if whole <= _WHOLE_INPUT_LIMIT:
            return whole + 32
        return 2 * weights + 2 * window.input_size[1] * window.size[0] * channels + 32
    if multiplier == 1 and channels > 3:
        return _depthwise_filled(window, _up(channels, 8))
    return 2 * (weights + inputs) + 32 if multiplier % 4 == 0 else 32


def softmax_scratch(width: int) -> int:
    """Of rows of so many values."""
    return 4 * width


def _depthwise_3x3(window: Window, weights: int, inputs: int) -> int:
    (height, width), channels = window.input_size, window.input_channels
    pad_y, pad_x = window.padding
    bottom, right = _end(window)
    if channels % 16 == 0:
        if pad_x or pad_y:
            right, bottom = 2 * pad_x, 2 * pad_y
        if not right and not bottom:
            return weights + 16
        whole = (width + right) * (height + bottom) * channels
        strip = (width + right) * window.size[0] * channels
        return weights + (whole if whole <= _FULL_PADDING_LIMIT else strip) + 16
    if channels >= 12:
        filled = _up(channels, 16)
        padded = (width + 2 * pad_x + right) * (height + 2 * pad_y + bottom) * filled
        out = window.output_size[0] * window.output_size[1] * filled
        return 9 * filled + padded + out + 64
    return 2 * (weights + inputs) + 32


def _depthwise_filled(window: Window, channels: int) -> int:
    (height, width), (rows, columns) = window.input_size, window.output_size
    inputs = _up(2 * window.taps * channels, 16)
    outputs = _up(inputs + 2 * width * height * channels, 16)
    biases = _up(outputs + rows * columns * channels, 16)
    return biases + 3 * 4 * channels + 16


def _end(window: Window) -> tuple[int, int]:
    """(bottom, right): what ESP-NN pads at the end where it does not at the beginning."""
    bottom, right = (
        max(0, count * stride + size - 1 - length)
        for count, stride, size, length in zip(
            window.output_size, window.stride, window.size, window.input_size, strict=True
        )
    )
    return bottom, right


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
