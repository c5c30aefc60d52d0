"""Operators with weights: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np

from edgemcu.graph.ir import ConvAttributes, FullyConnectedAttributes, Op, OpKind, Tensor
from edgemcu.graph.shapes import output_size
from edgemcu.tflite import schema
from edgemcu.tflite.operands import OperatorReader
from edgemcu.tflite.quantization import INT32_LIMIT, accumulator_bounds, exponent
from edgemcu.tflite.unsupported import UnsupportedError

# TensorFlow Lite's own tolerance: what a bias of 1 may be off by, in steps of the output.
BIAS_SCALE_TOLERANCE = 0.02

WITH_WEIGHTS = frozenset(
    kind.value for kind in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)
)


def read_conv(reader: OperatorReader) -> Op:
    reader.expect_operands(2, 3)
    options = schema.Conv2DOptions
    source, weights = reader.input(0), reader.pool.parameters(reader.file_input(1), "int8", None)
    image, kernel = reader.tensor(source), reader.tensor(weights)
    _expect_images(reader, image, kernel)
    channels, height, width, depth = kernel.shape
    # Weights for fewer channels than the input has are a grouped convolution's.
    if image.shape[3] % depth or channels % (image.shape[3] // depth):
        raise reader.refuse(f"weights for {depth} channels, but the input has {image.shape[3]}")
    attributes = _conv_attributes(reader, options)
    bias = _read_bias(reader, channels)
    output = reader.output(_windows(reader, image, (height, width), attributes, channels))
    _check_scales(reader, image, kernel, bias, output, channel_axis=0)
    inputs = (source, weights) if bias is None else (source, weights, bias)
    return Op(OpKind.CONV_2D, inputs, (output,), attributes)


def read_depthwise_conv(reader: OperatorReader) -> Op:
    reader.expect_operands(2, 3)
    options = schema.DepthwiseConv2DOptions
    source, weights = reader.input(0), reader.pool.parameters(reader.file_input(1), "int8", None)
    image, kernel = reader.tensor(source), reader.tensor(weights)
    _expect_images(reader, image, kernel)
    one, height, width, channels = kernel.shape
    if one != 1 or channels % image.shape[3]:
        raise reader.refuse(
            f"weights of shape {kernel.shape} do not fit {image.shape[3]} input channels"
        )
    multiplier = channels // image.shape[3]
    # Some converters leave the option out; the shapes say it all.
    if reader.option(options, options.DEPTH_MULTIPLIER) not in (0, multiplier):
        raise reader.refuse(f"its depth multiplier is not that of the weights, {multiplier}")
    attributes = _conv_attributes(reader, options)
    bias = _read_bias(reader, channels)
    output = reader.output(_windows(reader, image, (height, width), attributes, channels))
    _check_scales(reader, image, kernel, bias, output, channel_axis=3)
    inputs = (source, weights) if bias is None else (source, weights, bias)
    return Op(OpKind.DEPTHWISE_CONV_2D, inputs, (output,), attributes)


def read_fully_connected(reader: OperatorReader) -> Op:
    reader.expect_operands(2, 3)
    options = schema.FullyConnectedOptions
    if reader.option(options, options.WEIGHTS_FORMAT, "b") != 0:
        raise UnsupportedError("shuffled weights")
    activation = reader.activation(options)
    keep = bool(reader.option(options, options.KEEP_NUM_DIMS, "?", False))
    source, weights = reader.input(0), reader.pool.parameters(reader.file_input(1), "int8", None)
    vector, matrix = reader.tensor(source), reader.tensor(weights)
    if len(matrix.shape) != 2:
        raise reader.refuse(f"weights with {len(matrix.shape)} dimensions, not 2")
    units, depth = matrix.shape
    if vector.elements % depth or (keep and vector.shape[-1:] != (depth,)):
        raise reader.refuse(f"weights for {depth} values, but the input is {vector.shape}")
    bias = _read_bias(reader, units)
    leading = vector.shape[:-1] if keep else (vector.elements // depth,)
    output = reader.output((*leading, units))
    _check_scales(reader, vector, matrix, bias, output, channel_axis=0)
    inputs = (source, weights) if bias is None else (source, weights, bias)
    return Op(OpKind.FULLY_CONNECTED, inputs, (output,), FullyConnectedAttributes(activation, keep))


def _expect_images(reader: OperatorReader, image: Tensor, kernel: Tensor) -> None:
    if len(image.shape) != 4 or len(kernel.shape) != 4:
        raise reader.refuse(
            f"input {image.shape} and weights {kernel.shape} must have 4 dimensions"
        )
    if image.shape[0] != 1:
        raise UnsupportedError(f"a batch of {image.shape[0]}")
    if max(kernel.shape[1:3]) > 1 << 15:
        raise reader.refuse(f"impossible window in weights of shape {kernel.shape}")


def _conv_attributes(reader: OperatorReader, options: type) -> ConvAttributes:
    slots = vars(options)
    return ConvAttributes(
        padding=reader.padding(options),
        stride=reader.step(options, (slots["STRIDE_H"], slots["STRIDE_W"]), "stride", 0),
        dilation=reader.step(options, (slots["DILATION_H"], slots["DILATION_W"]), "dilation", 1),
        activation=reader.activation(options),
    )


def _windows(
    reader: OperatorReader,
    image: Tensor,
    window: tuple[int, int],
    attributes: ConvAttributes,
    channels: int,
) -> tuple[int, ...]:
    height, width = (
        output_size(size, taps, stride, dilation, attributes.padding)
        for size, taps, stride, dilation in zip(
            image.shape[1:3], window, attributes.stride, attributes.dilation, strict=True
        )
    )
    if height < 1 or width < 1:
        raise reader.refuse(f"the window {window} is larger than the input {image.shape}")
    return (1, height, width, channels)


def _read_bias(reader: OperatorReader, channels: int) -> int | None:
    if not reader.has_input(2):
        return None
    return reader.pool.parameters(reader.file_input(2), "int32", (channels,))


def _check_scales(
    reader: OperatorReader,
    source: Tensor,
    weights: Tensor,
    bias: int | None,
    output: int,
    channel_axis: int,
) -> None:
    """Scales agree with each other, and no input whatever can overflow the 32-bit arithmetic."""
    if weights.quantization is None:
        raise reader.refuse("its weights have no scale")
    result = reader.tensor(output)
    assert source.quantization is not None and result.quantization is not None
    channels = weights.shape[channel_axis]
    if weights.quantization.per_channel and weights.quantization.axis != channel_axis:
        raise reader.refuse(
            f"weights quantized along dimension {weights.quantization.axis}, not {channel_axis}"
        )
    products = source.quantization.scale * weights.quantization.scales.astype(np.float64)
    multipliers = np.broadcast_to(products / result.quantization.scale, (channels,))
    offsets = None
    if bias is not None:
        constant = reader.tensor(bias)
        offsets = constant.data
        if constant.quantization is not None:
            scales = constant.quantization.scales.astype(np.float64)
            if scales.size not in (1, products.size):
                raise reader.refuse(f"{scales.size} bias scales for {products.size} weight scales")
            off = np.abs(scales - products) / result.quantization.scale
            if float(off.max()) > BIAS_SCALE_TOLERANCE:
                raise reader.refuse("the bias' scale is not the input's times the weights'")
    assert weights.data is not None
    rows = np.moveaxis(weights.data, channel_axis, 0).reshape(channels, -1)
    bounds = accumulator_bounds(rows, offsets, source.quantization.zero_point)
    for channel, (bound, multiplier) in enumerate(
        zip(bounds.tolist(), multipliers.tolist(), strict=True)
    ):
        if bound << max(0, min(exponent(multiplier), 64)) >= INT32_LIMIT:
            raise reader.refuse(
                f"channel {channel} can overflow 32 bits: its sum reaches {bound}, and its "
                f"output multiplier (input × weights / output scale) is {multiplier:.3g}"
            )
