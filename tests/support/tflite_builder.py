"""Builds .tflite files operator by operator, without TensorFlow.

The file format comes from the schema classes that ship with ai_edge_litert (or TensorFlow), so what
is built here is independent of edgemcu's own reader. Nothing is checked: a test that wants a broken
model can have one.

    b = ModelBuilder()
    x = b.input((1, 8, 8, 3), scale=0.05, zero_point=-3)
    w = b.constant(weights_int8, scales=[…], zero_points=[…], axis=0)
    bias = b.constant(bias_int32, scales=[…], zero_points=[…])
    y = b.op("CONV_2D", [x, w, bias], (1, 8, 8, 16), 0.1, 4, padding="SAME", activation="RELU")
    b.output(y)
    data = b.finish()
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FILE_IDENTIFIER = b"TFL3"
BUFFER_ALIGNMENT = 16

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3, "TANH": 4, "SIGN_BIT": 5}
PADDINGS = {"SAME": 0, "VALID": 1}

# The version that converters write for int8; where an attribute raises it, see `_version`.
VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "AVERAGE_POOL_2D": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "ADD": 2,
    "MUL": 2,
    "SUB": 2,
    "PAD": 2,
    "RESHAPE": 1,
    "SQUEEZE": 1,
    "CONCATENATION": 2,
    "SOFTMAX": 2,
    "LOGISTIC": 2,
    "RELU": 2,
    "RELU6": 2,
    "HARD_SWISH": 1,
    "QUANTIZE": 1,
    "DEQUANTIZE": 2,
}


# Operators that are not here have no options, or none that a test needs.
OPTION_TABLES = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "ADD": "AddOptions",
    "MUL": "MulOptions",
    "SUB": "SubOptions",
    "PAD": "PadOptions",
    "RESHAPE": "ReshapeOptions",
    "SQUEEZE": "SqueezeOptions",
    "CONCATENATION": "ConcatenationOptions",
    "SOFTMAX": "SoftmaxOptions",
    "HARD_SWISH": "HardSwishOptions",
    "QUANTIZE": "QuantizeOptions",
    "DEQUANTIZE": "DequantizeOptions",
}


def load_schema() -> ModuleType | None:
    """The generated schema module of whichever runtime is installed, or None."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        try:
            from tensorflow.lite.python import schema_py_generated
        except ImportError:
            return None
    return schema_py_generated


def require_schema() -> ModuleType:
    """The schema module; skips the calling test, with the reason, where there is none."""
    schema = load_schema()
    if schema is None:
        import pytest

        pytest.skip("neither ai_edge_litert nor TensorFlow is installed: no .tflite schema")
    return schema


class ModelBuilder:
    """Collects tensors and operators; `finish` gives the file's bytes.

    Tensors are referred to by the index that `input`, `constant` and `op` return.
    """

    def __init__(self, description: str = "built by edgemcu's tests") -> None:
        self.schema = require_schema()
        self.model = self.schema.ModelT()
        self.model.version = 3
        self.model.description = description
        self.model.operatorCodes = []
        self.model.metadata = []
        self.model.buffers = [self.schema.BufferT()]
        self.graph = self.schema.SubGraphT()
        self.graph.name = "main"
        self.graph.tensors = []
        self.graph.operators = []
        self.graph.inputs = []
        self.graph.outputs = []
        self.model.subgraphs = [self.graph]

    def input(
        self,
        shape: Sequence[int],
        scale: float | None = None,
        zero_point: int | None = None,
        *,
        dtype: Any = np.int8,
        name: str | None = None,
    ) -> int:
        index = self._tensor(shape, dtype, 0, scale, zero_point, 0, name or "input")
        self.graph.inputs.append(index)
        return index

    def constant(
        self,
        array: ArrayLike,
        scales: float | Sequence[float] | NDArray[Any] | None = None,
        zero_points: int | Sequence[int] | NDArray[Any] | None = None,
        axis: int = 0,
        *,
        name: str | None = None,
    ) -> int:
        """A tensor with data; scales without zero points get zeros."""
        values = np.ascontiguousarray(array)
        if scales is not None and zero_points is None:
            zero_points = np.zeros(np.size(scales), np.int64)
        buffer = self._buffer(values.astype(values.dtype.newbyteorder("<")).tobytes())
        shape = np.shape(array)
        return self._tensor(shape, values.dtype, buffer, scales, zero_points, axis, name or "const")

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        output_shape: Sequence[int],
        scale: float | None = None,
        zero_point: int | None = None,
        *,
        dtype: Any = np.int8,
        name: str | None = None,
        version: int | None = None,
        **options: Any,
    ) -> int:
        """Append an operator with one output tensor; -1 among `inputs` is an absent one.

        Options, where the operator has them: padding "SAME"/"VALID", stride, dilation and window as
        (height, width) or one number, depth_multiplier, activation (a key of `ACTIVATIONS`), axis,
        beta, keep_dims, keep_num_dims, weights_format, new_shape, squeeze_dims.
        """
        output = self._tensor(
            output_shape, dtype, 0, scale, zero_point, 0, name or f"{kind.lower()}_out"
        )
        operator = self.schema.OperatorT()
        code = getattr(self.schema.BuiltinOperator, kind)
        operator.opcodeIndex = self._opcode(code, version or _version(kind, options))
        operator.inputs = list(inputs)
        operator.outputs = [output]
        self._set_options(operator, kind, options)
        self.graph.operators.append(operator)
        return output

    def custom_op(
        self, code: str, inputs: Sequence[int], output_shape: Sequence[int], scale: float = 1.0
    ) -> int:
        """Append a custom operator, which no runtime here knows."""
        output = self._tensor(output_shape, np.int8, 0, scale, 0, 0, f"{code}_out")
        opcode = self.schema.OperatorCodeT()
        opcode.builtinCode = opcode.deprecatedBuiltinCode = 32
        opcode.customCode = code
        self.model.operatorCodes.append(opcode)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), [output]
        self.graph.operators.append(operator)
        return output

    def output(self, *tensors: int) -> None:
        self.graph.outputs.extend(tensors)

    def metadata(self, name: str, data: bytes) -> None:
        entry = self.schema.MetadataT()
        entry.name = name
        entry.buffer = self._buffer(data)
        self.model.metadata.append(entry)

    def finish(self) -> bytes:
        """The .tflite file."""
        import flatbuffers

        packer = flatbuffers.Builder(1024)
        packer.Finish(self.model.Pack(packer), file_identifier=FILE_IDENTIFIER)
        return bytes(packer.Output())

    def save(self, path: Path) -> Path:
        path.write_bytes(self.finish())
        return path

    def _buffer(self, data: bytes) -> int:
        self.model.buffers.append(_aligned_buffer(self.schema, data))
        return len(self.model.buffers) - 1

    def _tensor(
        self,
        shape: Sequence[int],
        dtype: Any,
        buffer: int,
        scales: Any,
        zero_points: Any,
        axis: int,
        name: str,
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.shape = [int(size) for size in shape]
        tensor.type = getattr(self.schema.TensorType, np.dtype(dtype).name.upper())
        tensor.buffer = buffer
        tensor.name = f"{name}_{len(self.graph.tensors)}"
        tensor.hasRank = True
        tensor.quantization = self.schema.QuantizationParametersT()
        if scales is not None:
            tensor.quantization.scale = np.atleast_1d(np.asarray(scales, np.float32))
            zero_points = 0 if zero_points is None else zero_points
            tensor.quantization.zeroPoint = np.atleast_1d(np.asarray(zero_points, np.int64))
            tensor.quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _opcode(self, code: int, version: int) -> int:
        for index, known in enumerate(self.model.operatorCodes):
            if known.builtinCode == code and known.version == version:
                return index
        opcode = self.schema.OperatorCodeT()
        opcode.builtinCode = code
        opcode.deprecatedBuiltinCode = min(code, 127)
        opcode.version = version
        self.model.operatorCodes.append(opcode)
        return len(self.model.operatorCodes) - 1

    def _set_options(self, operator: Any, kind: str, options: dict[str, Any]) -> None:
        table = OPTION_TABLES.get(kind)
        if table is None:
            if options:
                raise TypeError(f"{kind} takes no options here")
            return
        fields = getattr(self.schema, f"{table}T")()
        if hasattr(fields, "padding"):
            fields.padding = PADDINGS[options.pop("padding", "VALID")]
        if hasattr(fields, "strideH"):
            fields.strideH, fields.strideW = _pair(options.pop("stride", 1))
        if hasattr(fields, "dilationHFactor"):
            pair = _pair(options.pop("dilation", 1))
            fields.dilationHFactor, fields.dilationWFactor = pair
        if hasattr(fields, "filterHeight"):
            fields.filterHeight, fields.filterWidth = _pair(options.pop("window", 1))
        if hasattr(fields, "fusedActivationFunction"):
            fields.fusedActivationFunction = ACTIVATIONS[options.pop("activation", "NONE")]
        for option, field, default in (
            ("depth_multiplier", "depthMultiplier", 1),
            ("axis", "axis", 0),
            ("beta", "beta", 1.0),
            ("keep_dims", "keepDims", False),
            ("keep_num_dims", "keepNumDims", False),
            ("weights_format", "weightsFormat", 0),
            ("new_shape", "newShape", None),
            ("squeeze_dims", "squeezeDims", None),
        ):
            if hasattr(fields, field):
                setattr(fields, field, options.pop(option, default))
        if options:
            raise TypeError(f"{kind} has no option {', '.join(options)}")
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, table)
        operator.builtinOptions = fields


def _version(kind: str, options: dict[str, Any]) -> int:
    if kind == "FULLY_CONNECTED" and options.get("keep_num_dims"):
        return 5
    return VERSIONS.get(kind, 1)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _aligned_buffer(schema: ModuleType, data: bytes) -> Any:
    """A buffer table whose data starts on a 16-byte boundary, as the schema's force_align asks.

    The generated Python code drops that attribute.
    """

    class AlignedBuffer(schema.BufferT):  # type: ignore[name-defined,misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802
            builder.StartVector(1, len(data), BUFFER_ALIGNMENT)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    return AlignedBuffer()
