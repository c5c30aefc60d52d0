"""From the file's tensors to the graph's: each is checked when an operator first uses it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import ModelError
from edgemcu.graph.ir import Activation, DType, Padding, Tensor
from edgemcu.tflite import schema
from edgemcu.tflite.file import FileOperator, FileTensor, ModelFile
from edgemcu.tflite.quantization import activation_quantization, quantization_of
from edgemcu.tflite.unsupported import UnsupportedError

MAX_RANK = 6
MAX_ELEMENTS = 1 << 26
MAX_CONSTANT_BYTES = 1 << 26
MAX_STEP = 1 << 15


class TensorPool:
    """The graph's tensors while it is being built, numbered in the order of first use."""

    def __init__(self, file: ModelFile) -> None:
        self.file = file
        self.tensors: list[Tensor] = []
        self._activations: dict[int, int] = {}
        self._constants: dict[tuple[int, tuple[int, ...]], int] = {}
        self._constant_bytes = 0

    def activation(self, tensor: FileTensor, dtypes: Sequence[str]) -> int:
        """Index of an operand whose element type is one of `dtypes`; it may be a constant.

        Raises:
            UnsupportedError: another element type, too many dimensions, a shape of run time.
            ModelError: an impossible shape or quantization.
        """
        if tensor.dtype not in dtypes:
            raise UnsupportedError(f"{tensor.dtype} operands")
        if tensor.index not in self._activations:
            shape = self.shape(tensor)
            quantization = None
            if tensor.dtype != "float32":
                quantization = activation_quantization(tensor, self.file.source)
            elif tensor.constant:
                raise UnsupportedError("float32 constants")
            self._activations[tensor.index] = len(self.tensors)
            self.tensors.append(
                Tensor(
                    name=tensor.name,
                    shape=shape,
                    dtype=DType(tensor.dtype),
                    quantization=quantization,
                    data=self.values(tensor, shape) if tensor.constant else None,
                )
            )
        elif tensor.constant:
            self._count(tensor)
        return self._activations[tensor.index]

    def parameters(self, tensor: FileTensor, dtype: str, shape: tuple[int, ...] | None) -> int:
        """Index of weights or a bias: a constant with zero points of 0, seen as `shape`."""
        if tensor.dtype != dtype:
            raise UnsupportedError(f"{tensor.dtype} where {dtype} is expected ({tensor})")
        if not tensor.constant:
            raise UnsupportedError(f"weights that the model computes itself ({tensor})")
        declared = self.shape(tensor)
        shape = declared if shape is None else shape
        if prod(shape) != prod(declared):
            raise self.refuse(tensor, f"has shape {_text(declared)}, not {_text(shape)}")
        key = (tensor.index, shape)
        if key in self._constants:
            self._count(tensor)
            return self._constants[key]
        # One-dimensional, so some converters' leftover dimension from the weights says nothing.
        axis = 0 if len(declared) == 1 else tensor.axis
        quantization = quantization_of(tensor, self.file.source, axis)
        if quantization is not None and quantization.zero_points.any():
            raise UnsupportedError(f"asymmetric weights, zero point other than 0 ({tensor})")
        self._constants[key] = len(self.tensors)
        self.tensors.append(
            Tensor(
                name=tensor.name,
                shape=shape,
                dtype=DType(dtype),
                quantization=quantization,
                data=self.values(tensor, declared).reshape(shape),
            )
        )
        return self._constants[key]

    def shape(self, tensor: FileTensor) -> tuple[int, ...]:
        """The tensor's checked shape."""
        for reason in tensor.oddities:
            raise UnsupportedError(f"{tensor} {reason}")
        if len(tensor.shape) > MAX_RANK:
            raise UnsupportedError(f"{len(tensor.shape)} dimensions ({tensor})")
        if any(size < 1 for size in tensor.shape):
            raise self.refuse(tensor, f"impossible shape {_text(tensor.shape)}")
        if prod(tensor.shape) > MAX_ELEMENTS:
            raise self.refuse(
                tensor, f"shape {_text(tensor.shape)} is beyond what a microcontroller can hold"
            )
        if tensor.signature and len(tensor.signature) != len(tensor.shape):
            raise self.refuse(tensor, "its shape and its shape signature differ in rank")
        if any(size == -1 for size in tensor.signature[1:]):
            raise UnsupportedError(
                f"sizes that are only known at run time, {_text(tensor.signature)} ({tensor})"
            )
        return tensor.shape

    def values(self, tensor: FileTensor, shape: tuple[int, ...]) -> NDArray[Any]:
        """A constant's values, read-only; its bytes are exactly those of its shape."""
        self._count(tensor)
        dtype = np.dtype(tensor.dtype).newbyteorder("<")
        expected = prod(shape) * dtype.itemsize
        if len(tensor.data) != expected:
            raise self.refuse(
                tensor,
                f"{len(tensor.data)} bytes of data, but shape {_text(shape)} of {tensor.dtype} "
                f"takes {expected}",
            )
        return np.frombuffer(tensor.data, dtype).reshape(shape)

    def refuse(self, tensor: FileTensor, reason: str) -> ModelError:
        return ModelError(f"{tensor}: {reason}", where=self.file.source)

    def _count(self, tensor: FileTensor) -> None:
        """Constants may share bytes in the file; what operators use of them is bounded in sum."""
        self._constant_bytes += len(tensor.data)
        if self._constant_bytes > MAX_CONSTANT_BYTES:
            raise self.refuse(tensor, "the model's weights are beyond a microcontroller's memory")


class OperatorReader:
    """One operator's operands and options, checked as they are asked for."""

    def __init__(self, pool: TensorPool, operator: FileOperator) -> None:
        self.pool = pool
        self.operator = operator

    def refuse(self, reason: str) -> ModelError:
        return ModelError(f"{self.operator}: {reason}", where=self.pool.file.source)

    def expect_operands(self, fewest: int, most: int) -> None:
        """Raise ModelError unless there are that many inputs, and one output."""
        inputs, outputs = len(self.operator.inputs), len(self.operator.outputs)
        if not fewest <= inputs <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise self.refuse(f"{inputs} inputs, not {wanted}")
        if outputs != 1:
            raise self.refuse(f"{outputs} outputs, not 1")

    def has_input(self, position: int) -> bool:
        return position < len(self.operator.inputs) and self.operator.inputs[position] >= 0

    def file_input(self, position: int) -> FileTensor:
        if not self.has_input(position):
            raise self.refuse(f"input {position} is missing")
        return self.pool.file.tensors[self.operator.inputs[position]]

    def input(self, position: int = 0, dtypes: Sequence[str] = ("int8",)) -> int:
        """Graph index of an input."""
        return self.pool.activation(self.file_input(position), dtypes)

    def output(self, shape: Sequence[int], dtypes: Sequence[str] = ("int8",)) -> int:
        """Graph index of the output, whose declared shape must be the one computed."""
        tensor = self.pool.file.tensors[self.operator.outputs[0]]
        index = self.pool.activation(tensor, dtypes)
        if self.pool.tensors[index].shape != tuple(shape):
            raise self.refuse(
                f"computes {_text(shape)}, but {tensor} is declared as {_text(tensor.shape)}"
            )
        return index

    def tensor(self, index: int) -> Tensor:
        return self.pool.tensors[index]

    def integers(self, position: int) -> tuple[int, ...]:
        """A constant operand such as axes or paddings, flattened."""
        tensor = self.file_input(position)
        if tensor.dtype not in ("int32", "int64"):
            raise self.refuse(f"{tensor} is {tensor.dtype}, not integers")
        if not tensor.constant:
            raise UnsupportedError(f"an operand that is only known at run time ({tensor})")
        values = self.pool.values(tensor, self.pool.shape(tensor)).reshape(-1)
        if values.size > 64:
            raise self.refuse(f"{tensor} holds {values.size} numbers")
        return tuple(int(value) for value in values)

    def option(self, table: Any, slot: int, code: str = "i", default: Any = 0) -> Any:
        """A number from the options; the default where the operator has none of that kind."""
        options = self.operator.options
        if options is None or self.operator.options_type != table.UNION:
            return default
        return options.scalar(slot, code, default)

    def option_numbers(self, table: Any, slot: int) -> tuple[int, ...]:
        options = self.operator.options
        if options is None or self.operator.options_type != table.UNION:
            return ()
        values = options.numbers(slot, "i4")
        if values.size > 64:
            raise self.refuse(f"an option holds {values.size} numbers")
        return tuple(values.tolist())

    def step(self, table: Any, slots: tuple[int, int], what: str, default: int) -> tuple[int, int]:
        """A (height, width) pair of strides, dilations or window sizes, at least 1 each."""
        height, width = (self.option(table, slot, "i", default) for slot in slots)
        if not (1 <= height <= MAX_STEP and 1 <= width <= MAX_STEP):
            raise self.refuse(f"impossible {what} {height}×{width}")
        return height, width

    def padding(self, table: Any) -> Padding:
        code = self.option(table, table.PADDING, "b")
        if not 0 <= code < len(schema.PADDINGS):
            raise self.refuse(f"unknown padding {code}")
        return Padding(schema.PADDINGS[code])

    def activation(self, table: Any) -> Activation:
        code = self.option(table, table.ACTIVATION, "b")
        if not 0 <= code < len(schema.ACTIVATIONS):
            raise self.refuse(f"unknown fused activation {code}")
        name = schema.ACTIVATIONS[code]
        if name not in Activation.__members__:
            raise UnsupportedError(f"fused activation {name}")
        return Activation[name]


def _text(shape: Sequence[int]) -> str:
    return "×".join(str(size) for size in shape) or "scalar"
