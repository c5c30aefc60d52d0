"""Damages files the way that finds bugs in parsers: flips, cuts, splices, offsets, extremes.

`mutate` damages bytes. `distort` takes a model apart, changes numbers in it and writes it again:
well-formed, so that it gets past the parser to the checks behind it.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.support.tflite_builder import FILE_IDENTIFIER, require_schema

EXTREMES = {
    1: (0, 1, 0x7F, 0x80, 0xFF),
    2: (0, 1, 4, 0x7FFF, 0x8000, 0xFFFF),
    4: (0, 1, 2, 0x7F, 0xFFFF, 1 << 30, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF),
    8: (0, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
}
# Zero, denormal, tiny, huge, infinities, not a number.
FLOATS = (0.0, -0.0, 1e-45, 1e-38, -1.0, 3e38, float("inf"), float("-inf"), float("nan"))


def mutate(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """One damaged copy of `data`; pieces may come from `others`."""
    mutant = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 1, 1, 2, 3, 8))):
        rng.choice(MUTATIONS)(mutant, others, rng)
        if len(mutant) < 8:
            break
    return bytes(mutant)


def _flip(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        mutant[rng.randrange(len(mutant))] ^= 1 << rng.randrange(8)


def _overwrite(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    mutant[rng.randrange(len(mutant))] = rng.randrange(256)


def _truncate(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    del mutant[rng.randrange(len(mutant)) :]


def _delete(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    start = rng.randrange(len(mutant))
    del mutant[start : start + rng.choice((1, 2, 4, 16))]


def _insert(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    start = rng.randrange(len(mutant))
    mutant[start:start] = rng.randbytes(rng.choice((1, 4, 16)))


def _splice(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    source = rng.choice(others)
    length = min(rng.choice((4, 16, 64, 256)), len(source))
    start, target = rng.randrange(len(source) - length + 1), rng.randrange(len(mutant))
    piece = source[start : start + length][: len(mutant) - target]
    mutant[target : target + len(piece)] = piece


def _extreme(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    size = rng.choice((1, 2, 4, 4, 4, 8))
    value = rng.choice(EXTREMES[size])
    _put(mutant, value.to_bytes(size, "little"), rng)


def _float(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    _put(mutant, struct.pack("<f", rng.choice(FLOATS)), rng)


def _number(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    """Change a number a little: sizes, indices and offsets that are nearly right."""
    start = _aligned(mutant, 4, rng)
    value = int.from_bytes(mutant[start : start + 4], "little") + rng.choice((-4, -1, 1, 2, 4, 64))
    mutant[start : start + 4] = (value % (1 << 32)).to_bytes(4, "little")


def _offset(mutant: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    """Point something that looks like an offset somewhere else in the file, or at itself."""
    for _ in range(32):
        start = _aligned(mutant, 4, rng)
        if 0 < int.from_bytes(mutant[start : start + 4], "little") < len(mutant):
            target = rng.choice((0, 4, len(mutant) - start, rng.randrange(len(mutant))))
            mutant[start : start + 4] = target.to_bytes(4, "little")
            return


def _put(mutant: bytearray, value: bytes, rng: random.Random) -> None:
    start = _aligned(mutant, len(value), rng)
    mutant[start : start + len(value)] = value[: len(mutant) - start]


def _aligned(mutant: bytearray, size: int, rng: random.Random) -> int:
    return rng.randrange(max(len(mutant) // size, 1)) * size


MUTATIONS = (
    *(_flip, _overwrite, _float) * 3,
    *(_extreme, _number, _offset) * 4,
    *(_truncate, _delete, _insert, _splice),
)


def distort(data: bytes, rng: random.Random) -> bytes:
    """A well-formed model with a few changed numbers: sizes, scales, options, connections."""
    import flatbuffers

    model = require_schema().ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(DISTORTIONS)(model, graph, rng)
    packer = flatbuffers.Builder(1024)
    packer.Finish(model.Pack(packer), file_identifier=FILE_IDENTIFIER)
    return bytes(packer.Output())


def _nearby(value: int, rng: random.Random) -> int:
    other = rng.choice(
        (value + 1, value - 1, value * 2, value + 128, 0, -1, 1, 4, 2**15, 2**31 - 1)
    )
    return int(max(min(other, 2**31 - 1), -(2**31)))


def _distort_list(values: Any, rng: random.Random) -> list[int]:
    changed = [int(value) for value in (values if values is not None else [])]
    choice = rng.randrange(8)
    if choice == 0 or not changed:
        changed.append(rng.choice((0, 1, 2, -1)))
    elif choice == 1:
        changed.pop(rng.randrange(len(changed)))
    elif choice == 2:
        rng.shuffle(changed)
    else:
        position = rng.randrange(len(changed))
        changed[position] = _nearby(changed[position], rng)
    return changed


def _distort_shape(model: Any, graph: Any, rng: random.Random) -> None:
    tensor = rng.choice(graph.tensors)
    tensor.shape = _distort_list(tensor.shape, rng)


def _distort_scale(model: Any, graph: Any, rng: random.Random) -> None:
    quantization = rng.choice(graph.tensors).quantization
    if quantization is not None and quantization.scale is not None and len(quantization.scale):
        scale = np.array(quantization.scale, np.float32)
        factor = rng.choice((*FLOATS, 1e-12, 1e-6, 1e-3, 0.5, 2.0, 1e3, 1e6, 1e12))
        with np.errstate(over="ignore", invalid="ignore"):
            scale[rng.randrange(len(scale))] *= np.float32(factor)
        quantization.scale = scale[: rng.choice((len(scale), len(scale), 1))]


def _distort_zero_point(model: Any, graph: Any, rng: random.Random) -> None:
    quantization = rng.choice(graph.tensors).quantization
    if quantization is not None:
        quantization.zeroPoint = [rng.choice((-129, -128, 0, 1, 127, 128, 2**40))]
        quantization.quantizedDimension = rng.choice((0, 1, 3, -1, 9))


def _distort_type(model: Any, graph: Any, rng: random.Random) -> None:
    rng.choice(graph.tensors).type = rng.choice((0, 2, 3, 4, 7, 9, 9, 9, 17, 100))


def _distort_data(model: Any, graph: Any, rng: random.Random) -> None:
    """Other weights, or other numbers in axes, shapes and paddings."""
    buffer = rng.choice(model.buffers)
    if buffer.data is not None and len(buffer.data) >= 4:
        values = np.array(buffer.data, np.uint8)
        start = rng.randrange(len(values) // 4) * 4
        number = rng.choice((0, 1, 2, 3, -1, -5, 100, 2**31 - 1, -(2**31)))
        values[start : start + 4] = np.frombuffer(np.int32(number).tobytes(), np.uint8)
        buffer.data = values


def _distort_option(model: Any, graph: Any, rng: random.Random) -> None:
    options = rng.choice(graph.operators).builtinOptions
    names = sorted(set(vars(options)) - {"quantSpec"}) if options is not None else []
    if names:
        name = rng.choice(names)
        value = getattr(options, name)
        if isinstance(value, bool):
            setattr(options, name, not value)
        elif isinstance(value, float):
            setattr(options, name, rng.choice((*FLOATS, 1e-7, 0.5, 100.0)))
        elif isinstance(value, int):
            small = "padding" in name or "Function" in name or "Format" in name or "Type" in name
            setattr(options, name, rng.randrange(-1, 7) if small else _nearby(value, rng))
        else:
            setattr(options, name, _distort_list(value, rng))


def _distort_connection(model: Any, graph: Any, rng: random.Random) -> None:
    operator = rng.choice(graph.operators)
    choice = rng.randrange(5)
    if choice == 0:
        graph.outputs = _distort_list(graph.outputs, rng)
    elif choice == 1:
        operator.outputs = [rng.randrange(len(graph.tensors))]
    elif choice == 2 or not len(operator.inputs):
        operator.inputs = _distort_list(operator.inputs, rng)
    else:
        inputs = [int(index) for index in operator.inputs]
        inputs[rng.randrange(len(inputs))] = rng.randrange(-1, len(graph.tensors))
        operator.inputs = inputs


def _distort_kind(model: Any, graph: Any, rng: random.Random) -> None:
    """Another operator over the same tensors."""
    codes = (0, 1, 2, 3, 4, 6, 9, 14, 17, 18, 19, 21, 22, 25, 34, 40, 41, 43, 114, 117, 28, 77)
    code = rng.choice(model.operatorCodes)
    code.builtinCode = code.deprecatedBuiltinCode = rng.choice(codes)


DISTORTIONS = (
    *(_distort_shape, _distort_scale, _distort_zero_point, _distort_data) * 2,
    *(_distort_option, _distort_connection) * 2,
    *(_distort_kind, _distort_type),
)
