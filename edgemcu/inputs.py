"""Inputs for a model that came without photos: seeded random ones, or a person's .npy file."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import InputsError
from edgemcu.graph.ir import DType, Graph, OpKind, Quantization, Tensor

MAX_INFERENCES = 1_000_000


def make_inputs(graph: Graph, what: str, *, seed: int = 0) -> NDArray[np.uint8]:
    """Inputs for `graph` as rows of raw bytes, its input tensors back to back.

    Args:
        graph: the model.
        what: "random:N", or the path of a .npy file.
        seed: of the random ones.

    Returns:
        uint8, shape (N, graph.input_bytes).

    Raises:
        InputsError: not understood, unreadable, or of another shape or dtype than the model's.
    """
    count = check_inputs(what)
    return (
        load_inputs(graph, Path(what)) if count is None else random_inputs(graph, count, seed=seed)
    )


def check_inputs(what: str) -> int | None:
    """What can be checked before there is a model: N of "random:N", or None for a file.

    Raises:
        InputsError: not understood, or no such file.
    """
    if what.startswith("random:"):
        count = what.removeprefix("random:")
        if not count.isdecimal() or not 1 <= int(count) <= MAX_INFERENCES:
            raise InputsError(
                f"{what!r} is not random:N with N from 1 to {MAX_INFERENCES}", where="--inputs"
            )
        return int(count)
    if not Path(what).is_file():
        raise InputsError(
            "there is no such file",
            where=what,
            hint="save an array with numpy.save, or use --inputs random:N",
        )
    return None


def random_inputs(graph: Graph, count: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Uniform over what each input can represent; see `make_inputs` for the layout."""
    random = np.random.default_rng(seed)
    columns = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        shape = (count, tensor.elements)
        if tensor.dtype is DType.FLOAT32:
            low, high = _representable(_input_quantization(graph, index))
            values = random.uniform(low, high, shape).astype("<f4")
        else:
            info = np.iinfo(tensor.dtype.value)
            values = random.integers(info.min, info.max, shape, tensor.dtype.value, endpoint=True)
        columns.append(_as_bytes(values))
    return np.concatenate(columns, axis=1)


def load_inputs(graph: Graph, path: Path) -> NDArray[np.uint8]:
    """One input tensor's values from a .npy file, shape (N, …); see `make_inputs`."""
    if len(graph.inputs) != 1:
        raise InputsError(
            f"the model has {len(graph.inputs)} inputs, and a .npy file holds one",
            where=str(path),
            hint="use --inputs random:N",
        )
    tensor = graph.tensors[graph.inputs[0]]
    try:
        _check_header(path)
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as problem:
        raise InputsError(
            f"cannot be read as a .npy array: {problem}",
            where=str(path),
            hint="save it with numpy.save, or use --inputs random:N",
        ) from None
    if not isinstance(values, np.ndarray) or values.ndim == 0 or len(values) == 0:
        raise InputsError("is not an array of at least one input", where=str(path))
    if values.dtype.name != tensor.dtype.value or values[0].size != tensor.elements:
        raise InputsError(
            f"holds {values.dtype.name} of shape {values.shape}; the model takes "
            f"{tensor.dtype.value} of shape (N, {', '.join(map(str, tensor.shape[1:]))})",
            where=str(path),
            hint=_dtype_hint(values, tensor),
        )
    return _as_bytes(np.ascontiguousarray(values).reshape(len(values), -1))


def _check_header(path: Path) -> None:
    """Raises: ValueError, OSError: for headers that lie, some of which make NumPy crash."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"version {version} of the format is for other arrays")
    size = path.stat().st_size
    if dtype.itemsize == 0 or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize > size:
        raise ValueError(f"it cannot be {dtype} of shape {shape} in {size} bytes")


def _dtype_hint(values: NDArray[np.generic], tensor: Tensor) -> str | None:
    if values.dtype.kind == "f" and tensor.quantization is not None:
        quantization = tensor.quantization
        return (
            f"quantize it first: q = round(x / {quantization.scale:g}) + {quantization.zero_point},"
            " clamped to -128…127"
        )
    return None


def _as_bytes(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little).view(np.uint8).reshape(len(values), -1)


def _representable(quantization: Quantization) -> tuple[float, float]:
    zero_point = quantization.zero_point
    return (
        (-128 - zero_point) * quantization.scale,
        (127 - zero_point) * quantization.scale,
    )


def _input_quantization(graph: Graph, index: int) -> Quantization:
    """The quantization that a float input is given by the QUANTIZE that reads it."""
    for op in graph.ops:
        if op.kind is OpKind.QUANTIZE and op.inputs[0] == index:
            quantization = graph.tensors[op.outputs[0]].quantization
            assert quantization is not None
            return quantization
    raise InputsError("a float32 input that no QUANTIZE reads", where=graph.tensors[index].name)
