"""Operators without weights."""

from __future__ import annotations

import math
from math import prod

from edgemcu.graph.ir import (
    Activation,
    ConcatenationAttributes,
    ElementwiseAttributes,
    MeanAttributes,
    NoAttributes,
    Op,
    OpKind,
    PadAttributes,
    PoolAttributes,
    Quantization,
    SoftmaxAttributes,
)
from edgemcu.graph.shapes import broadcast, output_size
from edgemcu.tflite import schema
from edgemcu.tflite.operands import OperatorReader
from edgemcu.tflite.quantization import exponent
from edgemcu.tflite.unsupported import UnsupportedError

# An int8 difference has 8 bits and a product of two 16: what a left shift leaves of 31.
MAX_SHIFT_OF_DIFFERENCE = 22
MAX_SHIFT_OF_PRODUCT = 15
# A window's or a mean's sum of int8 stays within 32 bits.
MAX_SUMMED = 1 << 23

_ELEMENTWISE = {
    OpKind.ADD: schema.AddOptions,
    OpKind.SUB: schema.SubOptions,
    OpKind.MUL: schema.MulOptions,
}


def read_pool(reader: OperatorReader, kind: OpKind) -> Op:
    reader.expect_operands(1, 1)
    options = schema.Pool2DOptions
    source = reader.input()
    shape = reader.tensor(source).shape
    if len(shape) != 4:
        raise reader.refuse(f"input {shape} must have 4 dimensions")
    if shape[0] != 1:
        raise UnsupportedError(f"a batch of {shape[0]}")
    attributes = PoolAttributes(
        padding=reader.padding(options),
        stride=reader.step(options, (options.STRIDE_H, options.STRIDE_W), "stride", 0),
        window=reader.step(options, (options.WINDOW_H, options.WINDOW_W), "window", 0),
        activation=reader.activation(options),
    )
    height, width = (
        output_size(size, window, stride, 1, attributes.padding)
        for size, window, stride in zip(
            shape[1:3], attributes.window, attributes.stride, strict=True
        )
    )
    if height < 1 or width < 1:
        raise reader.refuse(f"the window {attributes.window} is larger than the input {shape}")
    if prod(min(w, s) for w, s in zip(attributes.window, shape[1:3], strict=True)) > MAX_SUMMED:
        raise reader.refuse(f"impossible window {attributes.window}")
    output = reader.output((1, height, width, shape[3]))
    _expect_same_quantization(reader, source, output, tolerance=1e-6)
    return Op(kind, (source,), (output,), attributes)


def read_elementwise(reader: OperatorReader, kind: OpKind) -> Op:
    reader.expect_operands(2, 2)
    activation = reader.activation(_ELEMENTWISE[kind])
    first, second = reader.input(0), reader.input(1)
    a, b = reader.tensor(first).shape, reader.tensor(second).shape
    shape = broadcast(a, b)
    if shape is None:
        raise reader.refuse(f"shapes {a} and {b} do not go together")
    if a != b and len(shape) > 4:
        raise UnsupportedError("broadcasting over more than 4 dimensions")
    output = reader.output(shape)
    scales = [_quantization(reader, index).scale for index in (first, second, output)]
    if kind is OpKind.MUL:
        _expect_shift(reader, scales[0] * scales[1] / scales[2], MAX_SHIFT_OF_PRODUCT)
    elif 2 * max(scales[:2]) / (2**20 * scales[2]) >= 1:
        raise reader.refuse(
            f"input scales {scales[0]:g} and {scales[1]:g} are too large for the output's "
            f"{scales[2]:g}"
        )
    return Op(kind, (first, second), (output,), ElementwiseAttributes(activation))


def read_concatenation(reader: OperatorReader) -> Op:
    count = len(reader.operator.inputs)
    reader.expect_operands(1, max(count, 1))
    options = schema.ConcatenationOptions
    if reader.activation(options) is not Activation.NONE:
        raise UnsupportedError("a fused activation")
    inputs = tuple(reader.input(position) for position in range(count))
    shapes = [reader.tensor(index).shape for index in inputs]
    rank = len(shapes[0])
    axis = _normalized(reader, reader.option(options, options.AXIS), rank)
    rests = {(shape[:axis], shape[axis + 1 :], len(shape)) for shape in shapes}
    if len(rests) != 1:
        raise reader.refuse(f"its inputs differ in more than dimension {axis}")
    total = sum(shape[axis] for shape in shapes)
    output = reader.output((*shapes[0][:axis], total, *shapes[0][axis + 1 :]))
    for index in inputs:
        _expect_same_quantization(reader, index, output)
    return Op(
        OpKind.CONCATENATION, inputs, (output,), ConcatenationAttributes(axis, Activation.NONE)
    )


def read_mean(reader: OperatorReader) -> Op:
    reader.expect_operands(2, 2)
    options = schema.ReducerOptions
    keep = bool(reader.option(options, options.KEEP_DIMS, "?", False))
    source = reader.input(0)
    shape = reader.tensor(source).shape
    if len(shape) > 4:
        raise UnsupportedError(f"{len(shape)} dimensions")
    axes = tuple(sorted({_normalized(reader, axis, len(shape)) for axis in reader.integers(1)}))
    if not axes:
        raise UnsupportedError("a mean over no dimension")
    if prod(shape[axis] for axis in axes) > MAX_SUMMED:
        raise reader.refuse(f"impossible mean over {shape}")
    output = reader.output(
        tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    )
    _expect_shift(reader, _ratio(reader, source, output), MAX_SHIFT_OF_DIFFERENCE)
    return Op(OpKind.MEAN, (source,), (output,), MeanAttributes(axes, keep))


def read_pad(reader: OperatorReader) -> Op:
    reader.expect_operands(2, 2)
    source = reader.input(0)
    shape = reader.tensor(source).shape
    if len(shape) > 4:
        raise UnsupportedError(f"{len(shape)} dimensions")
    numbers = reader.integers(1)
    if len(numbers) != 2 * len(shape):
        raise reader.refuse(f"{len(numbers)} paddings for {len(shape)} dimensions")
    if any(not 0 <= number < MAX_SUMMED for number in numbers):
        raise reader.refuse(f"impossible paddings {numbers}")
    paddings = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    output = reader.output(
        tuple(n + before + after for n, (before, after) in zip(shape, paddings, strict=True))
    )
    _expect_same_quantization(reader, source, output)
    return Op(OpKind.PAD, (source,), (output,), PadAttributes(paddings))


def read_reshape(reader: OperatorReader) -> Op:
    reader.expect_operands(1, 2)
    source = reader.input(0)
    elements = reader.tensor(source).elements
    declared = reader.pool.file.tensors[reader.operator.outputs[0]].shape
    options = schema.ReshapeOptions
    if not reader.has_input(1):
        wanted = reader.option_numbers(options, options.NEW_SHAPE)
        # A legacy form: [0] for a scalar.
        wanted = () if wanted == (0,) else wanted
    elif reader.file_input(1).constant:
        wanted = reader.integers(1)
    else:
        # Computed from the shapes of other tensors, which are static here; see `reader`.
        wanted = declared
    known = prod(size for size in wanted if size != -1)
    if wanted.count(-1) == 1 and known > 0 and elements % known == 0:
        wanted = tuple(elements // known if size == -1 else size for size in wanted)
    if prod(wanted) != elements or any(size < 1 for size in wanted):
        raise reader.refuse(f"{elements} values do not make a tensor of shape {wanted}")
    return Op(OpKind.RESHAPE, (source,), (reader.output(wanted),), NoAttributes())


def read_squeeze(reader: OperatorReader) -> Op:
    reader.expect_operands(1, 1)
    options = schema.SqueezeOptions
    source = reader.input()
    shape = reader.tensor(source).shape
    dims = reader.option_numbers(options, options.SQUEEZE_DIMS)
    gone = (
        {_normalized(reader, dim, len(shape)) for dim in dims}
        if dims
        else {i for i, size in enumerate(shape) if size == 1}
    )
    if any(shape[i] != 1 for i in gone):
        raise reader.refuse(f"dimensions {sorted(gone)} of {shape} are not all 1")
    output = reader.output(tuple(n for i, n in enumerate(shape) if i not in gone))
    return Op(OpKind.SQUEEZE, (source,), (output,), NoAttributes())


def read_softmax(reader: OperatorReader) -> Op:
    reader.expect_operands(1, 1)
    options = schema.SoftmaxOptions
    beta = float(reader.option(options, options.BETA, "f", 0.0))
    source = reader.input()
    shape = reader.tensor(source).shape
    if not 1 <= len(shape) <= 4:
        raise UnsupportedError(f"{len(shape)} dimensions")
    output = reader.output(shape)
    _expect_probabilities(reader, output)
    scale = _quantization(reader, source).scale
    # The kernel scales the exponent's argument by 2^26 and needs more than 1 there.
    if not (math.isfinite(beta) and beta * scale * 2**26 > 1):
        raise reader.refuse(f"beta {beta:g} with an input scale of {scale:g} is out of range")
    return Op(OpKind.SOFTMAX, (source,), (output,), SoftmaxAttributes(beta))


def read_logistic(reader: OperatorReader) -> Op:
    operation = read_unary(reader, OpKind.LOGISTIC)
    _expect_probabilities(reader, operation.outputs[0])
    scale = _quantization(reader, operation.inputs[0]).scale
    # The kernel works on the input with 27 fractional bits, and shifts by at most 30.
    if exponent(scale * 2**27) > 30:
        raise reader.refuse(f"its input's scale {scale:g} is out of range")
    return operation


def read_relu(reader: OperatorReader, kind: OpKind) -> Op:
    operation = read_unary(reader, kind)
    ratio = _ratio(reader, operation.inputs[0], operation.outputs[0])
    _expect_shift(reader, ratio, MAX_SHIFT_OF_DIFFERENCE)
    return operation


def read_hard_swish(reader: OperatorReader) -> Op:
    operation = read_unary(reader, OpKind.HARD_SWISH)
    # The kernel works on the input at 1/128 of its scale, in 16 bits.
    _expect_shift(reader, _ratio(reader, operation.inputs[0], operation.outputs[0]) / 128, 0)
    scale = _quantization(reader, operation.inputs[0]).scale
    _expect_shift(reader, scale / 128 / (3 / 32768), 15)
    return operation


def read_quantize(reader: OperatorReader) -> Op:
    operation = read_unary(reader, OpKind.QUANTIZE, ("int8", "float32"), ("int8",))
    source = operation.inputs[0]
    if reader.tensor(source).quantization is not None:
        ratio = _ratio(reader, source, operation.outputs[0])
        _expect_shift(reader, ratio, MAX_SHIFT_OF_DIFFERENCE)
    return operation


def read_dequantize(reader: OperatorReader) -> Op:
    return read_unary(reader, OpKind.DEQUANTIZE, ("int8",), ("float32",))


def read_unary(
    reader: OperatorReader,
    kind: OpKind,
    inputs: tuple[str, ...] = ("int8",),
    outputs: tuple[str, ...] = ("int8",),
) -> Op:
    """An operator from one tensor to another of the same shape."""
    reader.expect_operands(1, 1)
    source = reader.input(0, inputs)
    output = reader.output(reader.tensor(source).shape, outputs)
    return Op(kind, (source,), (output,), NoAttributes())


def _quantization(reader: OperatorReader, index: int) -> Quantization:
    quantization = reader.tensor(index).quantization
    assert quantization is not None
    return quantization


def _ratio(reader: OperatorReader, source: int, output: int) -> float:
    return _quantization(reader, source).scale / _quantization(reader, output).scale


def _expect_shift(reader: OperatorReader, multiplier: float, most: int) -> None:
    if exponent(multiplier) > most:
        raise reader.refuse(
            f"its output's scale is too small for its input's (multiplier {multiplier:.3g}): "
            "the kernels' 32-bit arithmetic would overflow"
        )


def _expect_same_quantization(
    reader: OperatorReader, source: int, output: int, tolerance: float = 0.0
) -> None:
    a, b = _quantization(reader, source), _quantization(reader, output)
    if a.zero_point != b.zero_point or abs(a.scale - b.scale) > tolerance:
        raise reader.refuse(
            f"it cannot rescale, but its input has scale {a.scale:g} and zero point "
            f"{a.zero_point}, its output {b.scale:g} and {b.zero_point}"
        )


def _expect_probabilities(reader: OperatorReader, output: int) -> None:
    quantization = _quantization(reader, output)
    if quantization.scale != 1 / 256 or quantization.zero_point != -128:
        raise reader.refuse(
            f"its output must have scale 1/256 and zero point -128, not {quantization.scale:g} "
            f"and {quantization.zero_point}"
        )


def _normalized(reader: OperatorReader, axis: int, rank: int) -> int:
    """A possibly negative dimension as one from 0."""
    if not -rank <= axis < rank:
        raise reader.refuse(f"dimension {axis} of {rank} does not exist")
    return axis % rank
