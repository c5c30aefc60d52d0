"""Inputs that people bring along are checked against the model before anything is built."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgemcu.errors import InputsError
from edgemcu.graph.ir import DType, Graph, NoAttributes, Op, OpKind, Quantization, Tensor
from edgemcu.inputs import make_inputs


def quantization(scale: float = 0.5, zero_point: int = 3) -> Quantization:
    return Quantization(np.float32([scale]), np.int32([zero_point]))


@pytest.fixture
def int8_graph() -> Graph:
    tensor = Tensor("x", (1, 4, 4, 3), DType.INT8, quantization())
    return Graph((tensor,), (), (0,), (0,))


@pytest.fixture
def float_graph() -> Graph:
    tensors = (
        Tensor("x", (1, 5), DType.FLOAT32),
        Tensor("q", (1, 5), DType.INT8, quantization()),
    )
    return Graph(tensors, (Op(OpKind.QUANTIZE, (0,), (1,), NoAttributes()),), (0,), (1,))


def test_random_inputs_are_seeded_and_cover_the_range(int8_graph: Graph) -> None:
    rows = make_inputs(int8_graph, "random:200")
    assert rows.shape == (200, 48)
    assert rows.dtype == np.uint8
    assert {-128, 127} <= set(rows.view(np.int8).ravel().tolist())
    assert np.array_equal(rows, make_inputs(int8_graph, "random:200"))
    assert not np.array_equal(rows, make_inputs(int8_graph, "random:200", seed=1))


def test_random_floats_stay_representable(float_graph: Graph) -> None:
    values = make_inputs(float_graph, "random:500").view("<f4")
    assert values.shape == (500, 5)
    assert values.min() >= (-128 - 3) * 0.5
    assert values.max() <= (127 - 3) * 0.5


def test_an_array_is_passed_as_it_is(int8_graph: Graph, tmp_path: Path) -> None:
    values = np.arange(96, dtype=np.int8).reshape(2, 4, 4, 3)
    np.save(tmp_path / "x.npy", values)
    rows = make_inputs(int8_graph, str(tmp_path / "x.npy"))
    assert np.array_equal(rows.view(np.int8).reshape(values.shape), values)


@pytest.mark.parametrize("what", ["random:", "random:0", "random:-1", "random:x", "random:1e9"])
def test_a_wrong_count(int8_graph: Graph, what: str) -> None:
    with pytest.raises(InputsError, match="random:N"):
        make_inputs(int8_graph, what)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 4, 4, 3), np.float32),
        np.zeros((2, 4, 4, 1), np.int8),
        np.zeros((0, 4, 4, 3), np.int8),
        np.zeros((), np.int8),
    ],
)
def test_an_array_that_does_not_fit(int8_graph: Graph, tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(InputsError):
        make_inputs(int8_graph, str(tmp_path / "x.npy"))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not an array", b"\x80\x04N."])
def test_a_file_that_is_no_array(int8_graph: Graph, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(InputsError, match="cannot be read"):
        make_inputs(int8_graph, str(tmp_path / "x.npy"))


HUGE = 1 << 40


@pytest.mark.parametrize("kind", ["|i1", "|V0", "<M8", "O"])
@pytest.mark.parametrize("shape", [(1 << 70,), (HUGE, HUGE), (-1,), (0, -1), (HUGE, 0)])
def test_a_header_that_lies(
    int8_graph: Graph, tmp_path: Path, shape: tuple[int, ...], kind: str
) -> None:
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
    size = len(header).to_bytes(2, "little")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + size + header)
    with pytest.raises(InputsError):
        make_inputs(int8_graph, str(tmp_path / "x.npy"))


def test_a_pipe_is_not_waited_for(int8_graph: Graph, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(InputsError, match="no such file"):
        make_inputs(int8_graph, str(tmp_path / "x.npy"))


def test_a_missing_file(int8_graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(InputsError, match="no such file"):
        make_inputs(int8_graph, str(tmp_path / "none.npy"))
