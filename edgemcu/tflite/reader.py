"""Reads any int8 .tflite into the graph, or says what is wrong with it.

The file is taken apart (`file`), its operators are put in relation (each tensor written once,
before it is read), what no output depends on is dropped, and each operator is converted with its
operands checked. After that the compiler has nothing left to check.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from edgemcu.errors import ModelError, UnsupportedModelError
from edgemcu.graph.ir import Graph, Op, OpKind
from edgemcu.tflite import layers, plain
from edgemcu.tflite.file import FileOperator, ModelFile, open_model
from edgemcu.tflite.operands import OperatorReader, TensorPool
from edgemcu.tflite.unsupported import (
    UnsupportedError,
    UnsupportedOperator,
    UnsupportedOperatorsError,
)

MAX_FILE_BYTES = 1 << 27

_READERS: dict[OpKind, Callable[[OperatorReader], Op]] = {
    OpKind.CONV_2D: layers.read_conv,
    OpKind.DEPTHWISE_CONV_2D: layers.read_depthwise_conv,
    OpKind.FULLY_CONNECTED: layers.read_fully_connected,
    OpKind.AVERAGE_POOL_2D: partial(plain.read_pool, kind=OpKind.AVERAGE_POOL_2D),
    OpKind.MAX_POOL_2D: partial(plain.read_pool, kind=OpKind.MAX_POOL_2D),
    OpKind.MEAN: plain.read_mean,
    OpKind.ADD: partial(plain.read_elementwise, kind=OpKind.ADD),
    OpKind.SUB: partial(plain.read_elementwise, kind=OpKind.SUB),
    OpKind.MUL: partial(plain.read_elementwise, kind=OpKind.MUL),
    OpKind.PAD: plain.read_pad,
    OpKind.RESHAPE: plain.read_reshape,
    OpKind.SQUEEZE: plain.read_squeeze,
    OpKind.CONCATENATION: plain.read_concatenation,
    OpKind.SOFTMAX: plain.read_softmax,
    OpKind.LOGISTIC: plain.read_logistic,
    OpKind.RELU: partial(plain.read_relu, kind=OpKind.RELU),
    OpKind.RELU6: partial(plain.read_relu, kind=OpKind.RELU6),
    OpKind.HARD_SWISH: plain.read_hard_swish,
    OpKind.QUANTIZE: plain.read_quantize,
    OpKind.DEQUANTIZE: plain.read_dequantize,
}

# Converters with a dynamic batch compute a RESHAPE's shape with these; here all shapes are static.
_SHAPE_ARITHMETIC = {
    "ADD", "CAST", "CONCATENATION", "DIV", "EXPAND_DIMS", "FLOOR_DIV", "GATHER", "MUL", "PACK",
    "REDUCE_PROD", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "SUB",
}  # fmt: skip

_QUANTIZE_FIRST = (
    "Quantize it to full int8 first: `edgemcu quantize` does, as does TensorFlow's converter with "
    "a representative dataset, int8 builtins only, and int8 inputs and outputs."
)


def read_model(path: Path) -> Graph:
    """Read a .tflite file.

    Raises:
        ModelError: the file is missing, damaged, or its numbers make no sense.
        UnsupportedModelError: a valid model that edgemcu cannot run; for operators,
            `UnsupportedOperatorsError` lists all of them.
    """
    return parse_model(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """A model file's bytes.

    Raises:
        ModelError: it is missing, unreadable, or far larger than any microcontroller's memory.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ModelError("not a file", where=str(path))
        if size > MAX_FILE_BYTES:
            raise ModelError(
                f"{size} bytes, more than the {MAX_FILE_BYTES} that edgemcu reads", where=str(path)
            )
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot be read: {error.strerror}", where=str(path), hint="Check the path."
        ) from error


def parse_model(data: bytes, source: str) -> Graph:
    """Read a .tflite file's bytes; `source` is what errors name. Raises as `read_model` does."""
    return convert(open_model(data, source))


def convert(file: ModelFile) -> Graph:
    """The graph of a file taken apart. Raises as `read_model` does."""
    if file.subgraphs != 1:
        raise UnsupportedModelError(
            f"{file.subgraphs} subgraphs, not one", where=file.source,
            hint="Control flow and several networks in one file are not supported.",
        )  # fmt: skip
    _check_order(file)
    operators = _live_operators(file)
    _refuse_float(file, operators)
    pool = TensorPool(file)
    unsupported: list[UnsupportedOperator] = []
    damage: ModelError | None = None
    inputs = []
    for index in file.inputs:
        try:
            inputs.append(pool.activation(file.tensors[index], ("int8", "float32")))
        except UnsupportedError as reason:
            unsupported.append(UnsupportedOperator(None, "the model's input", str(reason)))
    ops: list[Op] = []
    for operator in operators:
        try:
            ops.append(_convert_operator(OperatorReader(pool, operator)))
        except UnsupportedError as reason:
            unsupported.append(UnsupportedOperator(operator.index, operator.name, str(reason)))
        except ModelError as error:
            damage = damage or error
    if unsupported:
        raise UnsupportedOperatorsError(unsupported, where=file.source, hint=_hint(file))
    if damage:
        raise damage
    outputs = [pool.activation(file.tensors[index], ("int8", "float32")) for index in file.outputs]
    return Graph(
        tensors=tuple(pool.tensors),
        ops=tuple(ops),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        description=file.description,
        metadata=dict(file.metadata),
    )


def _convert_operator(reader: OperatorReader) -> Op:
    name = reader.operator.name
    if name not in OpKind.__members__:
        raise UnsupportedError("not implemented")
    return _READERS[OpKind(name)](reader)


def _hint(file: ModelFile) -> str | None:
    ends = {file.tensors[index].dtype for index in (*file.inputs, *file.outputs)}
    if odd := sorted(ends - {"int8", "float32"}):
        return f"Convert the model again with int8 inputs and outputs, not {' or '.join(odd)}."
    return None


def _check_order(file: ModelFile) -> None:
    """Every tensor is written once, before it is read; that rules out cycles too."""

    def refuse(what: str) -> ModelError:
        return ModelError(what, where=file.source)

    for what, indices in (("input", file.inputs), ("output", file.outputs)):
        if not indices:
            raise refuse(f"the model has no {what}")
        if len(set(indices)) != len(indices):
            raise refuse(f"the model names the same {what} twice")
    written = set(file.inputs)
    for index in file.inputs:
        if file.tensors[index].constant:
            raise refuse(f"{file.tensors[index]}: an input of the model that is a constant")
    for operator in file.operators:
        for index in operator.inputs if operator.name in OpKind.__members__ else ():
            if index >= 0 and index not in written and not file.tensors[index].constant:
                raise refuse(
                    f"{operator}: reads {file.tensors[index]} before any operator has written it"
                )
        for index in operator.outputs:
            tensor = file.tensors[index]
            if index in written:
                raise refuse(f"{operator}: {tensor} is already written by another")
            if tensor.constant:
                raise refuse(f"{operator}: writes {tensor}, which is a constant")
            written.add(index)
    for index in file.outputs:
        if index not in written or index in file.inputs:
            raise refuse(f"{file.tensors[index]}: an output that no operator computes")


def _live_operators(file: ModelFile) -> list[FileOperator]:
    """The operators that an output depends on, in order.

    A RESHAPE does not depend on the operators that compute its shape from other tensors' shapes,
    since those are static.
    """
    static: set[int] = set()
    for operator in file.operators:
        if operator.name == "SHAPE" or (
            operator.name in _SHAPE_ARITHMETIC
            and all(i < 0 or i in static or file.tensors[i].constant for i in operator.inputs)
        ):
            static.update(operator.outputs)
    needed = set(file.outputs)
    live: list[FileOperator] = []
    for operator in reversed(file.operators):
        if needed.isdisjoint(operator.outputs):
            continue
        live.append(operator)
        needed.update(
            index
            for position, index in enumerate(operator.inputs)
            if not (operator.name == "RESHAPE" and position == 1 and index in static)
        )
    return live[::-1]


def _refuse_float(file: ModelFile, operators: list[FileOperator]) -> None:
    """Say it in one sentence where the whole model computes in floating point."""
    weighted = [op for op in operators if op.name in layers.WITH_WEIGHTS and len(op.inputs) > 1]
    used = {index for op in operators for index in (*op.inputs, *op.outputs) if index >= 0}
    types = {file.tensors[index].dtype for index in used}
    inputs = {file.tensors[op.inputs[0]].dtype for op in weighted}
    if inputs == {"float32"}:
        if {file.tensors[op.inputs[1]].dtype for op in weighted} == {"int8"}:
            reason = "only its weights are int8, it computes in floating point (dynamic range)"
        else:
            reason = "this is a float model"
    elif not weighted and types <= {"float32", "float16", "int32", "int64"}:
        reason = "this is a float model"
    else:
        return
    raise UnsupportedModelError(reason, where=file.source, hint=_QUANTIZE_FIRST)
