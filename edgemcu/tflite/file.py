"""A .tflite file taken apart: tensors and operators as the file has them, before any judgement.

What is refused here is damage: offsets, indices and sizes that cannot be. Whether edgemcu can run
the model is decided afterwards, by `edgemcu.tflite.reader`; a tensor that no operator uses is never
looked at closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.tflite import schema
from edgemcu.tflite.flatbuffer import FlatBuffer, Table

MAX_TENSORS = 10_000
MAX_OPERATORS = 10_000
MAX_BUFFERS = 30_000
MAX_METADATA = 1_000
MAX_OPERANDS = 100_000
MAX_NAME = 200


@dataclass(frozen=True)
class FileTensor:
    """A tensor as the file describes it.

    Attributes:
        index: in the file.
        shape: as declared, possibly with nonsense in it.
        signature: the shape with -1 where it is dynamic; empty when the file has none.
        dtype: name of the element type.
        scales: float32; zero_points: int64; both empty where there is no quantization.
        axis: the dimension that several scales run along.
        data: a constant's bytes, empty for an activation.
        oddities: why edgemcu cannot use this tensor whatever the operator; empty when it can.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    scales: NDArray[Any]
    zero_points: NDArray[Any]
    axis: int
    data: memoryview
    oddities: tuple[str, ...]

    @property
    def constant(self) -> bool:
        return len(self.data) > 0

    def __str__(self) -> str:
        return f"tensor {self.index} {self.name!r}"


@dataclass(frozen=True)
class FileOperator:
    """An operator as the file describes it; absent optional inputs are -1.

    Attributes:
        name: builtin name, or a custom operator's own in quotes.
        options: the options table, None where there is none.
        options_type: which table that is.
    """

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None
    options_type: int

    def __str__(self) -> str:
        return f"operator {self.index} ({self.name})"


@dataclass(frozen=True)
class ModelFile:
    """The whole file."""

    source: str
    description: str
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: dict[str, bytes]
    subgraphs: int

    @property
    def operator_versions(self) -> tuple[tuple[str, int], ...]:
        """(name, version) of every operator in use, each once, sorted."""
        return tuple(sorted({(op.name, op.version) for op in self.operators}))


def open_model(data: bytes, source: str) -> ModelFile:
    """Take a .tflite file apart.

    Raises:
        ModelError: the bytes are not a .tflite file, or a damaged one.
    """
    buffer = FlatBuffer(data, source)
    if data[4:8] != schema.FILE_IDENTIFIER:
        raise buffer.damaged("not a TensorFlow Lite model", "bytes 4 to 7 are not 'TFL3'")
    model = buffer.root("the model")
    version = model.scalar(schema.Model.VERSION, "I")
    if version != schema.SCHEMA_VERSION:
        raise buffer.damaged("the model", f"schema version {version}, not {schema.SCHEMA_VERSION}")
    buffers = [
        _Buffer(table) for table in model.tables(schema.Model.BUFFERS, "buffer", MAX_BUFFERS)
    ]
    subgraphs = model.tables(schema.Model.SUBGRAPHS, "subgraph", MAX_OPERATORS)
    if not subgraphs:
        raise buffer.damaged("the model", "it holds no network")
    graph = subgraphs[0]
    tensors = tuple(
        _read_tensor(table, index, buffers)
        for index, table in enumerate(graph.tables(schema.SubGraph.TENSORS, "tensor", MAX_TENSORS))
    )
    codes = [
        _read_opcode(table)
        for table in model.tables(schema.Model.OPERATOR_CODES, "operator code", MAX_OPERATORS)
    ]
    operators = []
    operands = 0
    for index, table in enumerate(
        graph.tables(schema.SubGraph.OPERATORS, "operator", MAX_OPERATORS)
    ):
        operator = _read_operator(table, index, codes, len(tensors))
        operators.append(operator)
        # Vectors may overlap in the file, so their sum is not bounded by its size.
        operands += len(operator.inputs) + len(operator.outputs)
        if operands > MAX_OPERANDS:
            raise buffer.damaged("the operators", f"more than {MAX_OPERANDS} operands in all")
    return ModelFile(
        source=source,
        description=model.string(schema.Model.DESCRIPTION, MAX_NAME),
        tensors=tensors,
        operators=tuple(operators),
        inputs=_indices(graph, schema.SubGraph.INPUTS, "the model's inputs", len(tensors)),
        outputs=_indices(graph, schema.SubGraph.OUTPUTS, "the model's outputs", len(tensors)),
        metadata=_read_metadata(model, buffers),
        subgraphs=len(subgraphs),
    )


class _Buffer:
    """Constant data; copied at most once, however often metadata refers to it."""

    def __init__(self, table: Table) -> None:
        self.data = table.bytes(schema.Buffer.DATA)
        # 0 and 1 mean "unused" there; more than that is data behind the flatbuffer.
        self.outside = table.scalar(schema.Buffer.OFFSET, "Q") > 1
        self._copy: bytes | None = None

    def copy(self) -> bytes:
        if self._copy is None:
            self._copy = bytes(self.data)
        return self._copy


def _read_tensor(table: Table, index: int, buffers: list[_Buffer]) -> FileTensor:
    slot = schema.Tensor
    number = table.scalar(slot.BUFFER, "I")
    if number >= len(buffers) and number != 0:
        raise table.buffer.damaged(table.what, f"refers to buffer {number} of {len(buffers)}")
    shape = table.numbers(slot.SHAPE, "i4")
    signature = table.numbers(slot.SHAPE_SIGNATURE, "i4")
    if max(len(shape), len(signature)) > 64:
        raise table.buffer.damaged(table.what, f"has {len(shape)} dimensions")
    none = np.empty(0, np.float32)
    scales, zero_points, axis, details = none, none.astype(np.int64), 0, 0
    quantization = table.table(slot.QUANTIZATION, f"{table.what}'s quantization")
    if quantization is not None:
        scales = quantization.numbers(schema.Quantization.SCALE, "f4")
        zero_points = quantization.numbers(schema.Quantization.ZERO_POINT, "i8")
        axis = quantization.scalar(schema.Quantization.QUANTIZED_DIMENSION, "i")
        details = quantization.scalar(schema.Quantization.DETAILS_TYPE, "B")
    buffer = buffers[number] if number < len(buffers) else None
    oddities = (
        (table.scalar(slot.IS_VARIABLE, "?", False), "keeps state between inferences (variable)"),
        (table.present(slot.SPARSITY), "is stored sparse"),
        (table.scalar(slot.EXTERNAL_BUFFER, "I") != 0, "is stored in another file"),
        (buffer is not None and buffer.outside, "is stored outside the flatbuffer"),
        (details != 0, "has a quantization that is not affine"),
    )
    return FileTensor(
        index=index,
        name=table.string(slot.NAME, MAX_NAME),
        shape=tuple(shape.tolist()),
        signature=tuple(signature.tolist()),
        dtype=schema.type_name(table.scalar(slot.TYPE, "b")),
        scales=scales,
        zero_points=zero_points,
        axis=axis,
        data=buffer.data if buffer is not None else memoryview(b""),
        oddities=tuple(reason for applies, reason in oddities if applies),
    )


def _read_opcode(table: Table) -> tuple[str, int]:
    """(name, version). Old files have the code in an int8, new ones in an int32 beside it."""
    slot = schema.OperatorCode
    code = max(
        table.scalar(slot.DEPRECATED_BUILTIN_CODE, "b"), table.scalar(slot.BUILTIN_CODE, "i")
    )
    name = schema.operator_name(code)
    if code == schema.CUSTOM_OPERATOR:
        name = f"custom {table.string(slot.CUSTOM_CODE, MAX_NAME)!r}"
    return name, table.scalar(slot.VERSION, "i", 1)


def _read_operator(
    table: Table, index: int, codes: list[tuple[str, int]], tensors: int
) -> FileOperator:
    slot = schema.Operator
    opcode = table.scalar(slot.OPCODE_INDEX, "I")
    if opcode >= len(codes):
        raise table.buffer.damaged(table.what, f"refers to operator code {opcode} of {len(codes)}")
    name, version = codes[opcode]
    return FileOperator(
        index=index,
        name=name,
        version=version,
        inputs=_indices(table, slot.INPUTS, f"{table.what}'s inputs", tensors, optional=True),
        outputs=_indices(table, slot.OUTPUTS, f"{table.what}'s outputs", tensors),
        options=table.table(slot.OPTIONS, f"{table.what}'s options"),
        options_type=table.scalar(slot.OPTIONS_TYPE, "B"),
    )


def _indices(
    table: Table, slot: int, what: str, tensors: int, *, optional: bool = False
) -> tuple[int, ...]:
    values = table.numbers(slot, "i4")
    if len(values) > MAX_OPERANDS:
        raise table.buffer.damaged(what, f"{len(values)} of them, more than {MAX_OPERANDS}")
    indices = tuple(values.tolist())
    for value in indices:
        if not (0 <= value < tensors or (optional and value == -1)):
            raise table.buffer.damaged(what, f"tensor {value} of {tensors} does not exist")
    return indices


def _read_metadata(model: Table, buffers: list[_Buffer]) -> dict[str, bytes]:
    metadata: dict[str, bytes] = {}
    for entry in model.tables(schema.Model.METADATA, "metadata entry", MAX_METADATA):
        number = entry.scalar(schema.Metadata.BUFFER, "I")
        if number >= len(buffers):
            raise entry.buffer.damaged(entry.what, f"refers to buffer {number} of {len(buffers)}")
        metadata[entry.string(schema.Metadata.NAME, MAX_NAME)] = buffers[number].copy()
    return metadata
