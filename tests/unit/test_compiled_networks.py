"""Networks whose wiring is unusual: aliases, shared tensors, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemcu.compiler import compile_model
from edgemcu.compiler import fixed_point as fp
from edgemcu.graph.ir import (
    Activation,
    ConvAttributes,
    DType,
    Graph,
    Op,
    OpKind,
    Padding,
    Quantization,
    Tensor,
)
from edgemcu.tflite import parse_model
from tests.support.compiled import ModelProcess, host_kernels
from tests.support.oracle import run_oracle
from tests.support.tflite_builder import ModelBuilder

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

RNG = np.random.default_rng(7)
SCALE = 0.05


def _bytes(*shape: int) -> NDArray[np.int8]:
    return RNG.integers(-128, 128, shape).astype(np.int8)


def _conv(b: ModelBuilder, x: int, size: int, channels: int, out: int) -> int:
    w = b.constant(_bytes(out, 1, 1, channels), np.full(out, 0.01, np.float32))
    bias = b.constant(np.zeros(out, np.int32), np.full(out, 0.0005, np.float32))
    return b.op("CONV_2D", [x, w, bias], (1, size, size, out), 0.1, 5, padding="SAME")


def two_inputs_three_outputs(b: ModelBuilder) -> None:
    x, y = b.input((1, 4, 4, 3), SCALE, 3), b.input((1, 4, 4, 3), SCALE * 2, -7)
    total = b.op("ADD", [x, y], (1, 4, 4, 3), 0.2, 0)
    difference = b.op("SUB", [x, total], (1, 4, 4, 3), 0.2, 9)
    pooled = b.op("MAX_POOL_2D", [total], (1, 2, 2, 3), 0.2, 0, window=2, stride=2)
    b.output(pooled, total, difference)


def unused_input(b: ModelBuilder) -> None:
    x, _ = b.input((1, 4), SCALE, 0), b.input((1, 400), SCALE, 0)
    b.output(b.op("RELU", [x], (1, 4), SCALE, 0))


def output_is_a_reshaped_input(b: ModelBuilder) -> None:
    x = b.input((1, 2, 6), SCALE, 0)
    y = b.op("RESHAPE", [x], (3, 4), SCALE, 0, new_shape=[3, 4])
    b.output(b.op("RELU", [y], (3, 4), SCALE, 0), y)


def reshape_of_a_reshape(b: ModelBuilder) -> None:
    x = b.input((1, 12), SCALE, -5)
    y = b.op("RESHAPE", [x], (1, 2, 2, 3), SCALE, -5, new_shape=[1, 2, 2, 3])
    z = b.op("SQUEEZE", [y], (2, 2, 3), SCALE, -5, squeeze_dims=[0])
    b.output(b.op("SOFTMAX", [z], (2, 2, 3), 1 / 256, -128, beta=1.0))


def used_twice_by_one_operator(b: ModelBuilder) -> None:
    x = b.input((1, 3, 3, 2), SCALE, 1)
    y = b.op("ADD", [x, x], (1, 3, 3, 2), 0.1, 0)
    z = b.op("MUL", [y, y], (1, 3, 3, 2), 0.3, -100)
    b.output(b.op("CONCATENATION", [z, z, z], (1, 3, 3, 6), 0.3, -100, axis=3))


def skip_connection_over_in_place(b: ModelBuilder) -> None:
    """RELU may not overwrite what ADD reads later."""
    x = b.input((1, 4, 4, 4), SCALE, 0)
    kept = _conv(b, x, 4, 4, 4)
    y = b.op("RELU", [kept], (1, 4, 4, 4), 0.1, -128)
    y = b.op("LOGISTIC", [y], (1, 4, 4, 4), 1 / 256, -128)
    y = _conv(b, y, 4, 4, 4)
    b.output(b.op("ADD", [y, kept], (1, 4, 4, 4), 0.2, 0))


def output_is_read_on(b: ModelBuilder) -> None:
    x = b.input((1, 8), SCALE, 0)
    first = b.op("RELU", [x], (1, 8), SCALE, -30)
    second = b.op("RELU", [first], (1, 8), SCALE * 2, -128)
    b.output(second, first)


def constant_operands_only(b: ModelBuilder) -> None:
    x = b.input((1, 6), SCALE, 0)
    left, right = b.constant(_bytes(1, 6), SCALE, 4), b.constant(_bytes(1, 6), SCALE * 3, 0)
    y = b.op("ADD", [left, right], (1, 6), 0.2, 0)
    b.output(b.op("MUL", [x, y], (1, 6), 0.1, 0))


def reshaped_constant(b: ModelBuilder) -> None:
    x = b.input((1, 2, 3), SCALE, 0)
    c = b.op("RESHAPE", [b.constant(_bytes(6), SCALE, 4)], (1, 2, 3), SCALE, 4, new_shape=[1, 2, 3])
    b.output(b.op("SUB", [c, x], (1, 2, 3), 0.2, 0))


def nobody_reads_it(b: ModelBuilder) -> None:
    x = b.input((1, 6), SCALE, 0)
    b.op("LOGISTIC", [x], (1, 6), 1 / 256, -128)
    b.output(b.op("RELU", [x], (1, 6), SCALE, 0))


def floats_outside(b: ModelBuilder) -> None:
    x = b.input((1, 5), dtype=np.float32)
    q = b.op("QUANTIZE", [x], (1, 5), SCALE, 3)
    q = b.op("RELU", [q], (1, 5), SCALE, -128)
    b.output(b.op("DEQUANTIZE", [q], (1, 5), dtype=np.float32), q)


def pad_that_is_shared(b: ModelBuilder) -> None:
    """Its output goes to a convolution and to a pool, so that it cannot be folded away."""
    x = b.input((1, 3, 3, 2), SCALE, 11)
    paddings = b.constant(np.array([[0, 0], [1, 0], [2, 1], [0, 0]], np.int32))
    padded = b.op("PAD", [x, paddings], (1, 4, 6, 2), SCALE, 11)
    w = b.constant(_bytes(3, 2, 2, 2), np.full(3, 0.01, np.float32))
    bias = b.constant(np.zeros(3, np.int32), np.full(3, 0.0005, np.float32))
    y = b.op("CONV_2D", [padded, w, bias], (1, 3, 5, 3), 0.1, 0)
    b.output(y, b.op("MAX_POOL_2D", [padded], (1, 2, 3, 2), SCALE, 11, window=2, stride=2))


def pad_before_two_convolutions(b: ModelBuilder) -> None:
    x = b.input((1, 3, 3, 2), SCALE, 11)
    paddings = b.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    padded = b.op("PAD", [x, paddings], (1, 5, 5, 2), SCALE, 11)
    outputs = []
    for channels in (1, 4):
        w = b.constant(_bytes(channels, 3, 3, 2), np.full(channels, 0.01, np.float32))
        bias = b.constant(np.zeros(channels, np.int32), np.full(channels, 0.0005, np.float32))
        outputs.append(b.op("CONV_2D", [padded, w, bias], (1, 3, 3, channels), 0.1, 0))
    b.output(*outputs)


def relu6_between_quantizations(b: ModelBuilder) -> None:
    """TensorFlow Lite rescales; TensorFlow Lite Micro ignores the output's quantization."""
    x = b.input((1, 256), SCALE, 3)
    b.output(b.op("RELU6", [x], (1, 256), SCALE / 2, -128))


NETWORKS: tuple[Callable[[ModelBuilder], None], ...] = (
    two_inputs_three_outputs,
    unused_input,
    output_is_a_reshaped_input,
    reshape_of_a_reshape,
    used_twice_by_one_operator,
    skip_connection_over_in_place,
    output_is_read_on,
    constant_operands_only,
    reshaped_constant,
    nobody_reads_it,
    floats_outside,
    pad_that_is_shared,
    pad_before_two_convolutions,
    relu6_between_quantizations,
)


def test_bytes_of_all(tmp_path: Path) -> None:
    from edgemcu.reference_model import with_micro_rounding

    models, inputs, compiled = [], [], []
    for network in NETWORKS:
        builder = ModelBuilder()
        network(builder)
        models.append(builder.finish())
        graph = parse_model(models[-1], network.__name__)
        compiled.append(compile_model(graph, model_digest="0" * 64))
        rows = RNG.integers(0, 256, (3, graph.input_bytes), dtype=np.uint8)
        if network is floats_outside:
            rows = RNG.normal(0, 3, (3, 5)).astype(np.float32).view(np.uint8)
        inputs.append(rows)
    expected = run_oracle([with_micro_rounding(m) for m in models], inputs, tmp_path / "oracle")
    with ModelProcess(compiled, tmp_path / "models", host_kernels()) as process:
        for index, (network, want) in enumerate(zip(NETWORKS, expected, strict=True)):
            got = process.run(index, inputs[index])
            assert want is not None, network.__name__
            assert np.array_equal(got, want), network.__name__


def test_outputs_that_nothing_computes(tmp_path: Path) -> None:
    """A constant, an input, and one output twice: which the reader refuses."""
    builder = ModelBuilder()
    x = builder.input((1, 3), SCALE, 0)
    constant = builder.constant(np.array([[1, 2, -3]], np.int8), SCALE, 0)
    builder.output(builder.op("ADD", [x, constant], (1, 3), SCALE, 0))
    graph = parse_model(builder.finish(), "m")
    (add,) = graph.ops
    graph = replace(graph, outputs=(*graph.inputs, add.inputs[1], *add.outputs, *add.outputs))
    compiled = compile_model(graph, model_digest="0" * 64)
    with ModelProcess([compiled], tmp_path / "models", host_kernels()) as process:
        rows = process.run(0, np.array([[5, 250, 7]], np.uint8))
    assert rows.view(np.int8).tolist() == [[5, -6, 7, 1, 2, -3, 6, -4, 4, 6, -4, 4]]


@pytest.mark.parametrize("scale", [1e-6, 3e-3, 0.4, 900.0])
def test_sums_that_leave_int32_wrap(scale: float, tmp_path: Path) -> None:
    """Accumulator, shift to the left, and zero point: as in the reference, without undefined
    behaviour. The reader refuses such models."""
    biases = np.array([2**31 - 1, -(2**31), 2**31 - 40_000, -(2**31) + 40_000], np.int32)
    weights = np.array([127, -127, 127, -127], np.int8).reshape(4, 1, 1, 1)
    tensors = (
        Tensor("x", (1, 16, 16, 1), DType.INT8, Quantization(np.float32([1]), np.int32([-128]))),
        Tensor(
            "w", (4, 1, 1, 1), DType.INT8, Quantization(np.float32([1]), np.int32([0])), weights
        ),
        Tensor("b", (4,), DType.INT32, None, biases),
        Tensor("y", (1, 16, 16, 4), DType.INT8, Quantization(np.float32([scale]), np.int32([127]))),
    )
    attributes = ConvAttributes(Padding.SAME, (1, 1), (1, 1), Activation.NONE)
    graph = Graph(tensors, (Op(OpKind.CONV_2D, (0, 1, 2), (3,), attributes),), (0,), (3,))
    factor = fp.quantize_multiplier(1 / float(np.float32(scale)))
    expected = [
        fp.clamp_int8(fp.wrap_int32(fp.multiply_by_quantized_multiplier(acc, factor) + 127))
        for q in range(-128, 128)
        for w, bias in zip(weights.ravel().tolist(), biases.tolist(), strict=True)
        for acc in [fp.wrap_int32((q + 128) * w + bias)]
    ]
    compiled = compile_model(graph, model_digest="0" * 64)
    with ModelProcess([compiled], tmp_path / "models", host_kernels()) as process:
        row = np.arange(-128, 128).astype(np.int8).view(np.uint8)
        assert process.run(0, row[None]).view(np.int8)[0].tolist() == expected


def test_in_place_saves_memory() -> None:
    builder = ModelBuilder()
    tensor = builder.input((1, 10, 10, 10), SCALE, 0)
    for _ in range(3):
        tensor = builder.op("RELU", [tensor], (1, 10, 10, 10), SCALE, 0)
    builder.output(tensor)
    compiled = compile_model(parse_model(builder.finish(), "m"), model_digest="0" * 64)
    assert compiled.arena_bytes == 1000
