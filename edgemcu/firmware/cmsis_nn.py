"""The buffers that CMSIS-NN's int8 kernels work in.

Source: the functions *_get_buffer_size of CMSIS-NN at `CMSIS_NN_COMMIT`
(Source/*/arm_*_get_buffer_sizes_s8.c), as tflite-micro's kernels call them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from edgemcu.board_schema import CoreName
from edgemcu.tflite import schema
from edgemcu.tflite.file import FileOperator, FileTensor, ModelFile

CMSIS_NN_COMMIT = "4ab83cc3cc98fb85ed6dafb55e8ca02f1628dcae"

Extension = Literal["none", "dsp", "mve"]

_EXTENSIONS: dict[CoreName, Extension] = {
    "cortex-m4f": "dsp",
    "cortex-m7": "dsp",
    "cortex-m33": "dsp",
    "cortex-m55": "mve",
}
_DEPTHWISE_CHANNEL_BLOCK = 124
_DEPTHWISE_AS_CONV_ABOVE = 8


def extension(core: CoreName) -> Extension:
    """The instructions that CMSIS-NN uses on a core."""
    return _EXTENSIONS.get(core, "none")


def elements(tensor: FileTensor) -> int:
    return prod(tensor.shape)


@dataclass(frozen=True)
class _Window:
    """A convolution's geometry; pairs are (height, width)."""

    input: tuple[int, int]
    output: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    same: bool

    @property
    def padding(self) -> tuple[int, int]:
        """Before the first row and column, by lite/kernels/padding.h."""
        if not self.same:
            return (0, 0)
        down, right = (
            max((out - 1) * step + (size - 1) * apart + 1 - length, 0) // 2
            for length, out, size, step, apart in zip(
                self.input, self.output, self.kernel, self.stride, self.dilation, strict=True
            )
        )
        return (down, right)


def scratch_buffers(model: ModelFile, op: FileOperator, extension: Extension) -> list[int]:
    """Bytes of each buffer that the kernel of `op` asks for; none for most operators."""
    if op.name == "CONV_2D":
        image, weights = (model.tensors[index].shape for index in op.inputs[:2])
        window = convolution_window(model, op, schema.Conv2DOptions)
        sizes = [_conv(window, image[3], weights[3], extension)]
    elif op.name == "DEPTHWISE_CONV_2D":
        image = model.tensors[op.inputs[0]].shape
        channels = model.tensors[op.outputs[0]].shape[3]
        window = convolution_window(model, op, schema.DepthwiseConv2DOptions)
        sizes = [_depthwise(window, image[0], image[3], channels, extension)]
    elif op.name == "AVERAGE_POOL_2D":
        sizes = [4 * model.tensors[op.inputs[0]].shape[3] if extension == "dsp" else 0]
    elif op.name == "FULLY_CONNECTED":
        sizes = _fully_connected(model, op)
    else:
        sizes = []
    return [size for size in sizes if size > 0]


def kernel_sums(model: ModelFile, op: FileOperator, extension: Extension) -> int:
    """Bytes for the weights' sums of a FULLY_CONNECTED, kept for good where MVE needs them."""
    if extension != "mve" or _as_convolution(model, op):
        return 0
    return 4 * model.tensors[op.outputs[0]].shape[-1]


def convolution_window(model: ModelFile, op: FileOperator, options: type) -> _Window:
    image, weights = (model.tensors[index].shape for index in op.inputs[:2])
    output = model.tensors[op.outputs[0]].shape

    def option(slot: int, default: int) -> int:
        return int(op.options.scalar(slot, "i", default)) if op.options is not None else default

    slots = vars(options)
    padding = op.options.scalar(slots["PADDING"], "b") if op.options is not None else 0
    return _Window(
        input=(image[1], image[2]),
        output=(output[1], output[2]),
        kernel=(weights[1], weights[2]),
        stride=(option(slots["STRIDE_H"], 0), option(slots["STRIDE_W"], 0)),
        dilation=(option(slots["DILATION_H"], 1), option(slots["DILATION_W"], 1)),
        same=schema.PADDINGS[padding] == "SAME",
    )


def _conv(window: _Window, channels: int, weight_channels: int, extension: Extension) -> int:
    """arm_convolve_wrapper_s8_get_buffer_size"""
    whole = channels == weight_channels
    if whole and window.padding == (0, 0) and window.kernel == (1, 1) and window.dilation == (1, 1):
        return 0  # with GCC; Arm Compiler 6 takes 4 bytes per channel
    if (
        extension == "mve"
        and whole
        and window.input[0] == 1
        and window.kernel[0] == 1
        and window.dilation[1] == 1
        and window.stride[1] * channels % 4 == 0
    ):
        return _conv_1_x_n(window, channels)
    return _im2col(window, channels, extension)


def _im2col(window: _Window, channels: int, extension: Extension) -> int:
    """arm_convolve_s8_get_buffer_size"""
    columns = channels * prod(window.kernel)
    return 4 * _round_up(columns, 16) if extension == "mve" else 4 * _round_up(columns, 4)


def _conv_1_x_n(window: _Window, channels: int) -> int:
    """arm_convolve_1_x_n_s8_get_buffer_size_mve"""
    pad, size, step, out = window.padding[1], window.kernel[1], window.stride[1], window.output[1]
    total = (out - 1) * step + size - window.input[1]
    odd = abs(total) % 2 if total >= 0 else -(abs(total) % 2)
    right = max(1, (pad + odd + step - 1) // step) if pad + odd != 0 else 0
    left = max(1, (pad + step - 1) // step) if pad != 0 else 0
    if right + left + max(out - (right + left), 0) != out:
        return _im2col(window, channels, "mve")
    pad_left = pad * channels
    pad_right = right * channels if odd else pad_left
    return max(size * channels + pad_left, (size - 1) * channels + pad_right)


def _depthwise(window: _Window, batch: int, inputs: int, outputs: int, extension: Extension) -> int:
    """arm_depthwise_conv_wrapper_s8_get_buffer_size"""
    area = prod(window.kernel)
    if extension == "mve" and inputs == 1 and outputs > _DEPTHWISE_AS_CONV_ABOVE:
        return _conv(window, 1, 1, "mve") + outputs * area
    if extension == "none" or inputs != outputs or batch != 1 or window.dilation != (1, 1):
        return 0
    if extension == "mve":
        return 4 * _DEPTHWISE_CHANNEL_BLOCK * area
    small = window.kernel == (3, 3) and max(window.padding) <= 1
    return 0 if small else 2 * inputs * area


def _fully_connected(model: ModelFile, op: FileOperator) -> list[int]:
    """tflite-micro's kernels/cmsis_nn/fully_connected.cc, Prepare"""
    if not _as_convolution(model, op) or len(model.tensors[op.inputs[1]].scales) > 1:
        return []
    return [8 * model.tensors[op.outputs[0]].shape[-1]]


def _as_convolution(model: ModelFile, op: FileOperator) -> bool:
    output = model.tensors[op.outputs[0]].shape
    return len(output) > 2 and model.tensors[op.inputs[1]].shape[-1] % 4 == 0


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
