"""What the builder writes, the reader finds: every operator, attribute, shape and number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgemcu.graph.ir import (
    Activation,
    ConvAttributes,
    FullyConnectedAttributes,
    Graph,
    OpKind,
    Padding,
)
from edgemcu.tflite import parse_model, read_model
from tests.support.random_models import RandomModel, one_operator_model
from tests.support.tflite_builder import ModelBuilder


def check(model: RandomModel, graph: Graph) -> None:
    assert [op.kind for op in graph.ops] == [e.kind for e in model.expected]
    for op, expected in zip(graph.ops, model.expected, strict=True):
        assert op.attributes == expected.attributes
        output = graph.tensors[op.outputs[0]]
        assert output.shape == expected.output_shape
        assert output.data is None
        constants = [t.data for i in op.inputs if (t := graph.tensors[i]).data is not None]
        assert len(constants) == len(expected.constants)
        for found, wanted in zip(constants, expected.constants, strict=True):
            assert found is not None and np.array_equal(found, wanted)
            assert not found.flags.writeable


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 6))
def test_random_models_come_back_as_they_were_written(seed: int, length: int) -> None:
    model = RandomModel(np.random.default_rng(seed))
    for _ in range(length):
        model.step()
    graph = parse_model(model.finish(), "model")
    check(model, graph)
    result = graph.tensors[graph.outputs[0]]
    assert result.quantization is not None
    assert result.quantization.scale == np.float32(model.scale)
    assert result.quantization.zero_point == model.zero_point


@pytest.mark.parametrize("kind", list(OpKind))
def test_every_operator_is_read(kind: OpKind) -> None:
    graph = parse_model(one_operator_model(kind), "model")
    assert kind in [op.kind for op in graph.ops]


def test_per_channel_weights_and_bias() -> None:
    b = ModelBuilder()
    x = b.input((1, 6, 6, 2), 0.5, -1)
    weights = np.arange(-36, 36).astype(np.int8).reshape(1, 3, 3, 8)
    scales = np.linspace(0.01, 0.02, 8).astype(np.float32)
    w = b.constant(weights, scales, axis=3)
    bias = b.constant(np.arange(8, dtype=np.int32), np.float32(0.5) * scales)
    options = {"depth_multiplier": 4, "padding": "SAME", "stride": (2, 1), "activation": "RELU6"}
    b.output(b.op("DEPTHWISE_CONV_2D", [x, w, bias], (1, 3, 6, 8), 0.3, 7, **options))
    graph = parse_model(b.finish(), "model")
    (op,) = graph.ops
    assert op.attributes == ConvAttributes(Padding.SAME, (2, 1), (1, 1), Activation.RELU6)
    kernel, offset = (graph.tensors[i] for i in op.inputs[1:])
    assert kernel.quantization is not None and kernel.quantization.axis == 3
    assert np.array_equal(kernel.quantization.scales, scales)
    assert np.array_equal(kernel.data, weights)
    assert offset.quantization is not None and offset.quantization.axis == 0
    assert offset.shape == (8,)


def test_left_over_dimension_of_a_bias_is_ignored() -> None:
    """Old converters give the one-dimensional bias the quantized dimension of the weights."""
    b = ModelBuilder()
    x = b.input((1, 4, 4, 2), 0.5, 0)
    scales = np.float32([0.1, 0.2])
    w = b.constant(np.ones((1, 1, 1, 2), np.int8), scales, axis=3)
    bias = b.constant(np.zeros(2, np.int32), scales * np.float32(0.5), axis=3)
    b.output(b.op("DEPTHWISE_CONV_2D", [x, w, bias], (1, 4, 4, 2), 1.0, 0))
    assert len(parse_model(b.finish(), "model").ops) == 1


def test_operator_codes_of_old_files() -> None:
    """Before the code became an int32, it was in the int8 alone."""
    b = ModelBuilder()
    b.output(b.op("RELU", [b.input((1, 4), 0.1, 0)], (1, 4), 0.1, 0))
    b.model.operatorCodes[0].builtinCode = 0
    assert parse_model(b.finish(), "model").ops[0].kind is OpKind.RELU


def test_dynamic_batch_is_read_as_one() -> None:
    b = ModelBuilder()
    x = b.input((1, 4), 0.1, 0)
    b.graph.tensors[x].shapeSignature = [-1, 4]
    b.output(b.op("RELU", [x], (1, 4), 0.1, 0))
    graph = parse_model(b.finish(), "model")
    assert graph.tensors[graph.inputs[0]].shape == (1, 4)


def test_shape_computed_at_run_time_from_static_shapes_is_dropped() -> None:
    """What converters write for Flatten with a dynamic batch: SHAPE, STRIDED_SLICE, PACK."""
    b = ModelBuilder()
    x = b.input((1, 2, 2, 3), 0.1, 0)
    shape = b.op("SHAPE", [x], (4,), dtype=np.int32)
    ends = [b.constant(np.array([n], np.int32)) for n in (0, 1, 1)]
    batch = b.op("STRIDED_SLICE", [shape, *ends], (), dtype=np.int32)
    rest = b.constant(np.array(12, np.int32))
    packed = b.op("PACK", [batch, rest], (2,), dtype=np.int32)
    b.output(b.op("RESHAPE", [x, packed], (1, 12), 0.1, 0))
    graph = parse_model(b.finish(), "model")
    assert [op.kind for op in graph.ops] == [OpKind.RESHAPE]
    assert graph.tensors[graph.outputs[0]].shape == (1, 12)


def test_operators_that_no_output_needs_are_dropped() -> None:
    b = ModelBuilder()
    x = b.input((1, 4), 0.1, 0)
    b.op("TRANSPOSE", [x], (4, 1), 0.1, 0)
    b.output(b.op("RELU", [x], (1, 4), 0.1, 0))
    assert [op.kind for op in parse_model(b.finish(), "model").ops] == [OpKind.RELU]


def test_float_input_and_output_around_an_int8_body() -> None:
    b = ModelBuilder()
    x = b.input((1, 4), dtype=np.float32)
    q = b.op("QUANTIZE", [x], (1, 4), 0.1, 0)
    r = b.op("RELU", [q], (1, 4), 0.1, 0)
    b.output(b.op("DEQUANTIZE", [r], (1, 4), dtype=np.float32))
    graph = parse_model(b.finish(), "model")
    assert graph.input_bytes == graph.output_bytes == 16


def test_shared_constant_is_one_tensor() -> None:
    b = ModelBuilder()
    x = b.input((1, 3), 0.1, 0)
    w = b.constant(np.eye(3, dtype=np.int8), 0.5)
    y = b.op("FULLY_CONNECTED", [x, w], (1, 3), 0.1, 0)
    b.output(b.op("FULLY_CONNECTED", [y, w], (1, 3), 0.1, 0))
    graph = parse_model(b.finish(), "model")
    assert graph.ops[0].inputs[1] == graph.ops[1].inputs[1]
    assert graph.ops[0].attributes == FullyConnectedAttributes(Activation.NONE)


def test_several_inputs_and_outputs_keep_their_order() -> None:
    b = ModelBuilder()
    first, second = b.input((1, 3), 0.1, 0), b.input((1, 2), 0.2, 1)
    late = b.op("RELU", [second], (1, 2), 0.1, 0)
    early = b.op("RELU", [first], (1, 3), 0.1, 0)
    b.output(early, late)
    graph = parse_model(b.finish(), "model")
    assert [graph.tensors[i].shape for i in graph.inputs] == [(1, 3), (1, 2)]
    assert [graph.tensors[i].shape for i in graph.outputs] == [(1, 3), (1, 2)]


def test_read_model_reads_a_file(tmp_path) -> None:
    path = tmp_path / "model.tflite"
    data = one_operator_model(OpKind.CONV_2D)
    path.write_bytes(data)
    graph = read_model(path)
    assert replace(graph, tensors=(), metadata={}) == replace(
        parse_model(data, "x"), tensors=(), metadata={}
    )
    assert graph.description == "built by edgemcu's tests"
