"""Writes full int8 .tflite files operator by operator, as TensorFlow's converter would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.tflite_edit import pack_model, schema_module

# The version of each operator that TensorFlow's converter writes for int8, and its options' table.
_OPERATORS = {
    "CONV_2D": (3, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": (3, "DepthwiseConv2DOptions"),
    "FULLY_CONNECTED": (4, "FullyConnectedOptions"),
    "ADD": (2, "AddOptions"),
    "AVERAGE_POOL_2D": (2, "Pool2DOptions"),
    "MEAN": (2, "ReducerOptions"),
    "RESHAPE": (1, "ReshapeOptions"),
    "SOFTMAX": (2, "SoftmaxOptions"),
}


class TfliteWriter:
    """One subgraph; tensors are referred to by the index that `tensor` and `operator` return."""

    def __init__(self, description: str) -> None:
        self.schema = schema_module()
        self._model = self.schema.ModelT()
        self._model.version = 3
        self._model.description = description
        self._model.operatorCodes = []
        self._model.buffers = [self.schema.BufferT()]
        self._graph = self.schema.SubGraphT()
        self._graph.name = "main"
        self._graph.tensors, self._graph.operators = [], []
        self._graph.inputs, self._graph.outputs = [], []
        self._model.subgraphs = [self._graph]
        self._codes: dict[str, int] = {}

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        scales: NDArray[np.float32] | float | None,
        zero_point: int = 0,
        *,
        axis: int = 0,
        data: NDArray[Any] | None = None,
    ) -> int:
        """An int8 activation, or a constant of `data`'s type; one scale, or one per channel."""
        tensor = self.schema.TensorT()
        tensor.name = name
        tensor.shape = [int(size) for size in shape]
        dtype = np.dtype(np.int8) if data is None else data.dtype
        tensor.type = getattr(self.schema.TensorType, dtype.name.upper())
        tensor.buffer = 0 if data is None else self._buffer(data)
        tensor.quantization = self.schema.QuantizationParametersT()
        if scales is not None:
            tensor.quantization.scale = np.atleast_1d(np.float32(scales))
            count = tensor.quantization.scale.size
            tensor.quantization.zeroPoint = np.full(count, zero_point, np.int64)
            tensor.quantization.quantizedDimension = axis
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def input(self, tensor: int) -> None:
        self._graph.inputs.append(tensor)

    def output(self, tensor: int) -> None:
        self._graph.outputs.append(tensor)

    def operator(self, kind: str, inputs: Sequence[int], output: int, **options: Any) -> None:
        """Append an operator; options by the schema's names."""
        version, table = _OPERATORS[kind]
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._opcode(kind, version)
        operator.inputs, operator.outputs = list(inputs), [output]
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, table)
        operator.builtinOptions = getattr(self.schema, f"{table}T")()
        for name, value in options.items():
            setattr(operator.builtinOptions, name, value)
        self._graph.operators.append(operator)

    def finish(self) -> bytes:
        """The file."""
        size = sum(len(buffer.data) for buffer in self._model.buffers[1:])
        return pack_model(self._model, size)

    def _buffer(self, data: NDArray[Any]) -> int:
        buffer = self.schema.BufferT()
        little = np.ascontiguousarray(data, data.dtype.newbyteorder("<"))
        buffer.data = np.frombuffer(little.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1

    def _opcode(self, kind: str, version: int) -> int:
        if kind not in self._codes:
            code = self.schema.OperatorCodeT()
            code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
            code.deprecatedBuiltinCode = code.builtinCode
            code.version = version
            self._codes[kind] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[kind]
