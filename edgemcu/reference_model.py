"""The model that the reference interpreter is given, so that it computes what a device computes.

In int8 FULLY_CONNECTED, TensorFlow Lite's reference kernel (LiteRT 2.3) rounds the rescaled
accumulator once, in float64. TensorFlow Lite Micro's rounds twice, in fixed point, as both do in
CONV_2D, and differs in the last bit now and then. What runs on devices decides, so each
FULLY_CONNECTED becomes a 1×1 CONV_2D with the very multiplier that TensorFlow Lite Micro uses: the
interpreter then computes the same bytes as it, with its own code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgemcu.tflite_edit import pack_model, schema_module


def with_micro_rounding(model: bytes) -> bytes:
    """Replace each FULLY_CONNECTED by RESHAPE, CONV_2D (1×1) and RESHAPE.

    Args:
        model: a .tflite that `edgemcu.tflite` has read: this trusts it.

    Returns:
        A model with the same inputs and outputs; `model` itself if nothing has to change.

    Raises:
        ToolMissingError: neither ai-edge-litert nor TensorFlow, which bring the schema along.
    """
    schema = schema_module()
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = tree.subgraphs[0]
    operators = []
    for operator in graph.operators:
        if _is(schema, tree, operator, "FULLY_CONNECTED"):
            operators += _as_convolution(schema, tree, operator)
        else:
            operators.append(operator)
    if len(operators) == len(graph.operators):
        return model
    graph.operators = operators
    return pack_model(tree, len(model))


def _is(schema: Any, tree: Any, operator: Any, name: str) -> bool:
    code = tree.operatorCodes[operator.opcodeIndex]
    kind = max(code.builtinCode, code.deprecatedBuiltinCode)
    return bool(kind == getattr(schema.BuiltinOperator, name))


def _as_convolution(schema: Any, tree: Any, operator: Any) -> list[Any]:
    tensors = tree.subgraphs[0].tensors
    source, weights = (tensors[int(index)] for index in operator.inputs[:2])
    (output,) = (int(index) for index in operator.outputs)
    channels, depth = (int(size) for size in weights.shape)
    rows = int(np.prod(source.shape, dtype=np.int64)) // depth

    pixels = _like(schema, source, [1, rows, 1, depth])
    kernel = _like(schema, weights, [channels, 1, 1, depth])
    kernel.buffer = weights.buffer
    if len(weights.quantization.scale) == 1:
        # With one scale TFLM multiplies input and weight scales in float32 first, CONV_2D in
        # float64: a product that is rounded already, and a weight scale of 1, come to the same.
        product = np.float32(source.quantization.scale[0]) * np.float32(
            weights.quantization.scale[0]
        )
        pixels.quantization.scale = np.array([product], np.float32)
        kernel.quantization.scale = np.ones(1, np.float32)
    result = _like(schema, tensors[output], [1, rows, 1, channels])
    first = len(tensors)
    tensors += [pixels, kernel, result]
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        # CONV_2D must have a bias.
        bias = _like(schema, kernel, [channels])
        bias.type = schema.TensorType.INT32
        bias.buffer = len(tree.buffers)
        tree.buffers.append(_zeros(schema, channels))
        tensors.append(bias)
        operator.inputs = [*(int(index) for index in operator.inputs[:2]), first + 3]
    return [
        _reshape(schema, tree, int(operator.inputs[0]), first, pixels.shape),
        _convolution(schema, tree, operator, first),
        _reshape(schema, tree, first + 2, output, tensors[output].shape),
    ]


def _convolution(schema: Any, tree: Any, operator: Any, first: int) -> Any:
    """From tensors `first` and `first` + 1, with the operator's own bias, to `first` + 2."""
    convolution = schema.OperatorT()
    convolution.opcodeIndex = _opcode(schema, tree, schema.BuiltinOperator.CONV_2D, version=3)
    convolution.inputs = [first, first + 1, *(int(index) for index in operator.inputs[2:])]
    convolution.outputs = [first + 2]
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideW = options.strideH = 1
    options.dilationWFactor = options.dilationHFactor = 1
    if operator.builtinOptions is not None:
        options.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
    convolution.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    convolution.builtinOptions = options
    return convolution


def _like(schema: Any, tensor: Any, shape: list[int]) -> Any:
    """A new tensor of the same type and quantization, without data."""
    new = schema.TensorT()
    new.name = b"reference/" + (tensor.name or b"")
    new.type = tensor.type
    new.shape = shape
    new.buffer = 0
    quantization = schema.QuantizationParametersT()
    quantization.scale = np.array(tensor.quantization.scale, np.float32)
    quantization.zeroPoint = np.array(tensor.quantization.zeroPoint, np.int64)
    quantization.quantizedDimension = 0
    new.quantization = quantization
    return new


def _zeros(schema: Any, count: int) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.zeros(4 * count, np.uint8)
    return buffer


def _reshape(schema: Any, tree: Any, source: int, target: int, shape: Any) -> Any:
    reshape = schema.OperatorT()
    reshape.opcodeIndex = _opcode(schema, tree, schema.BuiltinOperator.RESHAPE, version=1)
    reshape.inputs = [source]
    reshape.outputs = [target]
    options = schema.ReshapeOptionsT()
    options.newShape = [int(size) for size in shape]
    reshape.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    reshape.builtinOptions = options
    return reshape


def _opcode(schema: Any, tree: Any, kind: int, version: int) -> int:
    for index, code in enumerate(tree.operatorCodes):
        if (code.builtinCode, code.version) == (kind, version):
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = kind
    code.deprecatedBuiltinCode = kind
    code.version = version
    tree.operatorCodes.append(code)
    return len(tree.operatorCodes) - 1
