"""The model that the reference interpreter is given, so that it computes what a device computes.

TensorFlow Lite's and TensorFlow Lite Micro's reference kernels agree to the byte on every operator
that edgemcu supports, but for one: int8 FULLY_CONNECTED. TensorFlow Lite (LiteRT 2.3) rounds the
rescaled accumulator once, in float64; TensorFlow Lite Micro rounds twice, in fixed point, as both do
in CONV_2D, and differs in the last bit now and then. What runs on devices decides. So each
FULLY_CONNECTED becomes a 1×1 CONV_2D with the very multiplier that TensorFlow Lite Micro uses:
the interpreter then computes the same bytes with its own, independent code.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edgemcu.compiler.fixed_point import Multiplier, normalize_factor

_SEARCHED = 1 << 14


def with_micro_rounding(model: bytes) -> bytes:
    """The model with every int8 FULLY_CONNECTED of constant weights as a 1×1 convolution.

    Args:
        model: a valid .tflite file.

    Returns:
        A model with the same inputs and outputs; `model` itself if it has none of these.
    """
    schema = _schema()
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    rewriter = _Rewriter(schema, parsed)
    if not rewriter.run():
        return model
    import flatbuffers

    builder = flatbuffers.Builder(len(model))
    builder.Finish(parsed.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _schema() -> Any:
    """The generated schema of whichever runtime is installed."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        from tensorflow.lite.python import schema_py_generated
    return schema_py_generated


def _scale(tensor: Any) -> np.float32:
    return np.float32(tensor.quantization.scale[0])


def equivalent_scales(source: float, target: Multiplier, output: float) -> tuple[float, float]:
    """Two float32 scales whose product over `output`, in float64, has just this multiplier.

    The product of two 24-bit mantissas has finer steps than a 31-bit multiplier, so one of every
    few dozen first factors near `source` has a second one that fits.
    """
    multiplier, shift = target
    wanted = math.ldexp(multiplier, shift - 31) * output
    first = np.float32(source)
    for _ in range(_SEARCHED):
        second = np.float32(wanted / float(first))
        if normalize_factor(float(first) * float(second) / output) == target:
            return float(first), float(second)
        first = np.nextafter(first, np.float32(np.inf))
    raise ArithmeticError(f"no scales found for {target} near {source}")


class _Rewriter:
    def __init__(self, schema: Any, model: Any) -> None:
        self.schema = schema
        self.model = model
        self.graph = model.subgraphs[0]

    def run(self) -> bool:
        """Whether anything was rewritten."""
        code = self.schema.BuiltinOperator.FULLY_CONNECTED
        operators = []
        for operator in self.graph.operators:
            opcode = self.model.operatorCodes[operator.opcodeIndex]
            known = max(opcode.builtinCode, opcode.deprecatedBuiltinCode)
            rewritten = self._as_convolution(operator) if known == code else None
            operators += rewritten or [operator]
        changed = len(operators) != len(self.graph.operators)
        self.graph.operators = operators
        return changed

    def _as_convolution(self, operator: Any) -> list[Any] | None:
        """RESHAPE, CONV_2D, RESHAPE; None if it is not an int8 operator with constant weights."""
        tensors = self.graph.tensors
        source, weights = (tensors[i] for i in operator.inputs[:2])
        output = tensors[operator.outputs[0]]
        int8 = self.schema.TensorType.INT8
        if any(t.type != int8 for t in (source, weights, output)) or not self._data(weights):
            return None
        channels, depth = (int(n) for n in weights.shape)
        rows = int(np.prod(source.shape, dtype=np.int64)) // depth

        input_scale = float(_scale(source))
        filter_scales = [float(s) for s in weights.quantization.scale]
        output_scale = float(_scale(output))
        if len(filter_scales) == 1:
            product = float(np.float32(_scale(source) * _scale(weights)))
            target = normalize_factor(product / output_scale)
            if target[0]:
                input_scale, second = equivalent_scales(input_scale, target, output_scale)
                filter_scales = [second]
        zero = int(source.quantization.zeroPoint[0])
        image = self._tensor((1, 1, rows, depth), int8, [input_scale], [zero])
        kernel = self._tensor((channels, 1, 1, depth), int8, filter_scales, [0], weights.buffer)
        bias = operator.inputs[2] if len(operator.inputs) > 2 and operator.inputs[2] >= 0 else None
        if bias is None:
            empty = self._buffer(np.zeros(channels, "<i4"))
            products = [input_scale * scale for scale in filter_scales]
            bias = self._tensor((channels,), self.schema.TensorType.INT32, products, [0], empty)
        zero = int(output.quantization.zeroPoint[0])
        result = self._tensor((1, 1, rows, channels), int8, [output_scale], [zero])
        return [
            self._reshape(operator.inputs[0], image, (1, 1, rows, depth)),
            self._convolution(operator, [image, kernel, bias], result),
            self._reshape(result, operator.outputs[0], output.shape),
        ]

    def _convolution(self, operator: Any, inputs: list[int], output: int) -> Any:
        options = self.schema.Conv2DOptionsT()
        options.padding = self.schema.Padding.VALID
        options.strideH = options.strideW = 1
        options.dilationHFactor = options.dilationWFactor = 1
        old = operator.builtinOptions
        options.fusedActivationFunction = old.fusedActivationFunction if old else 0
        return self._operator("CONV_2D", 3, inputs, output, options)

    def _reshape(self, source: int, target: int, shape: Any) -> Any:
        options = self.schema.ReshapeOptionsT()
        options.newShape = [int(n) for n in shape]
        return self._operator("RESHAPE", 1, [source], target, options)

    def _operator(
        self, name: str, version: int, inputs: list[int], output: int, options: Any
    ) -> Any:
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = code.builtinCode
        code.version = version
        self.model.operatorCodes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        kind = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, kind)
        operator.builtinOptions = options
        return operator

    def _tensor(
        self,
        shape: tuple[int, ...],
        kind: int,
        scales: list[float],
        zeros: list[int],
        buffer: int = 0,
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), kind, buffer
        tensor.name = f"micro_rounding_{len(self.graph.tensors)}"
        tensor.hasRank = True
        tensor.quantization = self.schema.QuantizationParametersT()
        tensor.quantization.scale = scales
        tensor.quantization.zeroPoint = zeros * len(scales)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _buffer(self, values: np.ndarray[Any, Any]) -> int:
        buffer = self.schema.BufferT()
        buffer.data = values.view(np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def _data(self, tensor: Any) -> bool:
        data = self.model.buffers[tensor.buffer].data
        return data is not None and len(data) > 0
