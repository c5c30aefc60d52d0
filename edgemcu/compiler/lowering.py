"""From the graph's operators to operations: the reference kernels' `Prepare`, on the host.

Multipliers are computed in the same floating-point types and the same order as TensorFlow Lite
does it, as the last bit of a multiplier can show in the output. See `docs/exactness.md` for
where TensorFlow Lite and TensorFlow Lite Micro differ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import fixed_point as fp
from edgemcu.compiler import operations as o
from edgemcu.compiler.tables import softmax_exponentials, unary_table
from edgemcu.errors import UnsupportedModelError
from edgemcu.graph.ir import (
    Activation,
    ConcatenationAttributes,
    ConvAttributes,
    DType,
    ElementwiseAttributes,
    FullyConnectedAttributes,
    Graph,
    MeanAttributes,
    Op,
    OpKind,
    PadAttributes,
    Padding,
    PoolAttributes,
    Quantization,
    SoftmaxAttributes,
    Tensor,
)

Paddings = tuple[int, int, int, int]
"""Zeros to add around an image: top, bottom, left, right."""

NO_PADDING: Paddings = (0, 0, 0, 0)

# The sum of exponentials has 12 integer bits.
MAX_SOFTMAX_DEPTH = 4095

# Products of int8 values that a signed 32-bit sum holds, whatever their signs: 2^31 / 2^14.
MAX_PRODUCTS = (1 << 17) - 1

# Sums of int8 values, less the zero point, must fit int32.
MAX_MEAN_ELEMENTS = 1 << 23


def lower(graph: Graph, op: Op, extra: Paddings = NO_PADDING) -> tuple[o.Operation, ...]:
    """The operations of one operator: one, or one per input for CONCATENATION.

    Args:
        graph: the graph that holds the operator's tensors.
        op: any operator but RESHAPE and SQUEEZE, which compute nothing.
        extra: padding around a convolution's input that a PAD before it would have added.

    Raises:
        UnsupportedModelError: the reference kernels refuse this, or it is not an int8 operator.
    """
    try:
        return _LOWERINGS[op.kind](graph, op, extra)
    except UnsupportedModelError as error:
        name = graph.tensors[op.outputs[0]].name
        raise UnsupportedModelError(
            error.message, where=f"{op.kind.value} {name!r}", hint=error.hint
        ) from None


def _quantization(tensor: Tensor) -> Quantization:
    if tensor.quantization is None or tensor.dtype is not DType.INT8:
        raise UnsupportedModelError(f"tensor {tensor.name!r} is {tensor.dtype.value}, not int8")
    return tensor.quantization


def _constant(tensor: Tensor, dtype: DType) -> NDArray[np.generic]:
    if tensor.data is None or tensor.dtype is not dtype:
        raise UnsupportedModelError(f"tensor {tensor.name!r} is not a constant of {dtype.value}")
    return tensor.data


def _output_range(tensor: Tensor, activation: Activation) -> o.OutputRange:
    quantization = _quantization(tensor)
    lower_bound, upper_bound = fp.activation_range(activation, quantization)
    return o.OutputRange(quantization.zero_point, lower_bound, upper_bound)


def _image(tensor: Tensor) -> tuple[int, int, int]:
    """Height, width and channels of an NHWC tensor with a batch of 1."""
    if len(tensor.shape) != 4 or tensor.shape[0] != 1:
        raise UnsupportedModelError(
            f"tensor {tensor.name!r} has shape {list(tensor.shape)}, not [1, h, w, c]"
        )
    return tensor.shape[1], tensor.shape[2], tensor.shape[3]


def _before(padding: Padding, size: int, window: int, stride: int, out: int) -> int:
    """Padding before the first element; what is odd goes behind the last."""
    if padding is Padding.VALID:
        return 0
    return max((out - 1) * stride + window - size, 0) // 2


def _window(
    source: Tensor,
    target: Tensor,
    size: tuple[int, int],
    attributes: ConvAttributes | PoolAttributes,
    extra: Paddings,
) -> o.Window:
    height, width, channels = _image(source)
    out_height, out_width, _ = _image(target)
    dilation = attributes.dilation if isinstance(attributes, ConvAttributes) else (1, 1)
    top, bottom, left, right = extra
    reach = tuple((n - 1) * d + 1 for n, d in zip(size, dilation, strict=True))
    stride = attributes.stride
    padding = attributes.padding
    return o.Window(
        input_size=(height, width),
        input_channels=channels,
        output_size=(out_height, out_width),
        size=size,
        stride=stride,
        dilation=dilation,
        padding=(
            top + _before(padding, height + top + bottom, reach[0], stride[0], out_height),
            left + _before(padding, width + left + right, reach[1], stride[1], out_width),
        ),
    )


def _scales(
    source: Quantization,
    weights: Quantization,
    target: Quantization,
    rows: NDArray[np.int8],
    bias: NDArray[np.generic] | None,
    *,
    product_in_float32: bool = False,
) -> o.ChannelScales:
    """Factors input × weights / output and biases; rows: (output channels, weights of each).

    FULLY_CONNECTED with one scale multiplies input and weight scales in float32, all others in
    float64.
    """
    channels = rows.shape[0]
    if rows.shape[1] > MAX_PRODUCTS:
        raise UnsupportedModelError(
            f"each output sums {rows.shape[1]:,} products, more than 32 bits are sure to hold"
        )
    factors = []
    for scale in weights.scales:
        product = source.scale * float(scale)
        if product_in_float32:
            product = float(source.scales[0] * scale)
        factors.append(fp.quantize_multiplier(product / target.scale))
    if len(factors) != channels:
        factors = factors[:1] * channels
    folded = -source.zero_point * rows.sum(axis=1, dtype=np.int64)
    if bias is not None:
        folded += bias.astype(np.int64)
    return o.ChannelScales(
        bias=folded.astype(np.uint32).view(np.int32),
        multiplier=np.array([m for m, _ in factors], dtype=np.int32),
        shift=np.array([s for _, s in factors], dtype=np.int8),
    )


def _weights_and_bias(graph: Graph, op: Op) -> tuple[NDArray[np.int8], NDArray[np.generic] | None]:
    weights = _constant(graph.tensors[op.inputs[1]], DType.INT8).astype(np.int8)
    bias = None
    if len(op.inputs) > 2:
        bias = _constant(graph.tensors[op.inputs[2]], DType.INT32)
    return weights, bias


def _convolution(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, ConvAttributes)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    weights, bias = _weights_and_bias(graph, op)
    quantization = _quantization(graph.tensors[op.inputs[1]])
    window = _window(source, target, weights.shape[1:3], attributes, extra)
    rows = weights.reshape(weights.shape[0], -1)
    return (
        o.Convolution(
            window=window,
            weights=weights,
            scales=_scales(_quantization(source), quantization, _quantization(target), rows, bias),
            output=_output_range(target, attributes.activation),
            input_zero_point=_quantization(source).zero_point,
        ),
    )


def _depthwise(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, ConvAttributes)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    weights, bias = _weights_and_bias(graph, op)
    weights = weights[0]
    quantization = _quantization(graph.tensors[op.inputs[1]])
    rows = weights.reshape(-1, weights.shape[2]).T
    return (
        o.DepthwiseConvolution(
            window=_window(source, target, weights.shape[:2], attributes, extra),
            weights=weights,
            scales=_scales(_quantization(source), quantization, _quantization(target), rows, bias),
            output=_output_range(target, attributes.activation),
            input_zero_point=_quantization(source).zero_point,
        ),
    )


def _fully_connected(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, FullyConnectedAttributes)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    weights, bias = _weights_and_bias(graph, op)
    quantization = _quantization(graph.tensors[op.inputs[1]])
    if np.any(quantization.zero_points):
        raise UnsupportedModelError("the weights have a zero point other than 0")
    weights = weights.reshape(-1, weights.shape[-1])
    return (
        o.FullyConnected(
            rows=source.elements // weights.shape[1],
            weights=weights,
            scales=_scales(
                _quantization(source),
                quantization,
                _quantization(target),
                weights,
                bias,
                product_in_float32=not quantization.per_channel,
            ),
            output=_output_range(target, attributes.activation),
        ),
    )


def _pool(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, PoolAttributes)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    _same_quantization(source, target, tolerance=1e-6)
    return (
        o.Pool(
            average=op.kind is OpKind.AVERAGE_POOL_2D,
            window=_window(source, target, attributes.window, attributes, extra),
            output=_output_range(target, attributes.activation),
        ),
    )


def _same_quantization(source: Tensor, target: Tensor, tolerance: float = 0.0) -> None:
    a, b = _quantization(source), _quantization(target)
    if abs(a.scale - b.scale) > tolerance or a.zero_point != b.zero_point:
        raise UnsupportedModelError(
            f"{source.name!r} and {target.name!r} are quantized differently, which the int8"
            " kernels of TensorFlow Lite do not allow here"
        )


def _mean(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, MeanAttributes)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    a, b = _quantization(source), _quantization(target)
    count = prod(source.shape[axis] for axis in attributes.axes)
    if count > MAX_MEAN_ELEMENTS:
        raise UnsupportedModelError(f"a mean of {count} values overflows 32 bits")
    multiplier, shift = fp.quantize_multiplier(a.scale / b.scale)
    # 1 / count goes into the multiplier, with as many more bits as the shift leaves room for.
    more_bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (
        o.Mean(
            shape=source.shape,
            reduced=tuple(axis in attributes.axes for axis in range(len(source.shape))),
            input_zero_point=a.zero_point,
            factor=((multiplier << more_bits) // count, shift - more_bits),
            output=_output_range(target, Activation.NONE),
        ),
    )


def _sum(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    """ADD works out its factors in float64, SUB in float32."""
    attributes = op.attributes
    assert isinstance(attributes, ElementwiseAttributes)
    first, second = (graph.tensors[i] for i in op.inputs)
    target = graph.tensors[op.outputs[0]]
    a, b, c = _quantization(first), _quantization(second), _quantization(target)
    subtract = op.kind is OpKind.SUB
    real = np.float32 if subtract else np.float64
    scale_a, scale_b, scale_c = (real(q.scales[0]) for q in (a, b, c))
    common = real(2.0) * max(scale_a, scale_b)
    factor = float(common / (real(1 << o.SUM_LEFT_SHIFT) * scale_c))
    if factor >= 1.0:
        raise UnsupportedModelError(
            "the output's scale is over 500,000 times finer than an input's"
        )
    return (
        o.Sum(
            subtract=subtract,
            shape=target.shape,
            shape_a=first.shape,
            shape_b=second.shape,
            a=o.Operand(a.zero_point, fp.quantize_multiplier(float(scale_a / common))),
            b=o.Operand(b.zero_point, fp.quantize_multiplier(float(scale_b / common))),
            factor=fp.quantize_multiplier(factor),
            output=_output_range(target, attributes.activation),
        ),
    )


def _product(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, ElementwiseAttributes)
    first, second = (graph.tensors[i] for i in op.inputs)
    target = graph.tensors[op.outputs[0]]
    a, b, c = _quantization(first), _quantization(second), _quantization(target)
    return (
        o.Product(
            shape=target.shape,
            shape_a=first.shape,
            shape_b=second.shape,
            zero_point_a=a.zero_point,
            zero_point_b=b.zero_point,
            factor=fp.quantize_multiplier(a.scale * b.scale / c.scale),
            output=_output_range(target, attributes.activation),
        ),
    )


def _pad(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, PadAttributes)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    value = _quantization(target).zero_point
    return (o.Pad(shape=source.shape, paddings=attributes.paddings, value=value),)


def _concatenation(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, ConcatenationAttributes)
    target = graph.tensors[op.outputs[0]]
    if attributes.activation is not Activation.NONE:
        raise UnsupportedModelError("a fused activation, which the int8 kernels do not know here")
    axis = attributes.axis % len(target.shape)
    stride = prod(target.shape[axis:]) * target.dtype.bytes
    joins = []
    first = 0
    for tensor in (graph.tensors[i] for i in op.inputs):
        if target.dtype is DType.INT8:
            _same_quantization(tensor, target)
        block = prod(tensor.shape[axis:]) * target.dtype.bytes
        joins.append(o.Join(prod(target.shape[:axis]), block, stride, first))
        first += block
    return tuple(joins)


def _softmax(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    attributes = op.attributes
    assert isinstance(attributes, SoftmaxAttributes)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    result = _quantization(target)
    if result.zero_point != -128 or result.scale != 1 / 256:
        raise UnsupportedModelError(
            f"the output's scale is {result.scale:g} and its zero point {result.zero_point};"
            " the int8 kernels need 1/256 and -128"
        )
    depth = source.shape[-1] if source.shape else 1
    if depth > MAX_SOFTMAX_DEPTH:
        raise UnsupportedModelError(f"softmax over {depth} values, more than {MAX_SOFTMAX_DEPTH}")
    exponentials = softmax_exponentials(_quantization(source), attributes.beta)
    return (o.Softmax(rows=source.elements // depth, depth=depth, exponentials=exponentials),)


def _unary(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    table = unary_table(op.kind, _quantization(source), _quantization(target))
    return (o.Lookup(elements=source.elements, table=table),)


def _quantize(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if source.dtype is not DType.FLOAT32:
        return _unary(graph, op, extra)
    quantization = _quantization(target)
    return (o.QuantizeFloat(source.elements, quantization.scale, quantization.zero_point),)


def _dequantize(graph: Graph, op: Op, extra: Paddings) -> tuple[o.Operation, ...]:
    source = graph.tensors[op.inputs[0]]
    quantization = _quantization(source)
    return (o.DequantizeFloat(source.elements, quantization.scale, quantization.zero_point),)


_LOWERINGS: dict[OpKind, Callable[[Graph, Op, Paddings], tuple[o.Operation, ...]]] = {
    OpKind.CONV_2D: _convolution,
    OpKind.DEPTHWISE_CONV_2D: _depthwise,
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.AVERAGE_POOL_2D: _pool,
    OpKind.MAX_POOL_2D: _pool,
    OpKind.MEAN: _mean,
    OpKind.ADD: _sum,
    OpKind.SUB: _sum,
    OpKind.MUL: _product,
    OpKind.PAD: _pad,
    OpKind.CONCATENATION: _concatenation,
    OpKind.SOFTMAX: _softmax,
    OpKind.LOGISTIC: _unary,
    OpKind.RELU: _unary,
    OpKind.RELU6: _unary,
    OpKind.HARD_SWISH: _unary,
    OpKind.QUANTIZE: _quantize,
    OpKind.DEQUANTIZE: _dequantize,
}
