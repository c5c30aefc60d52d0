"""MACs, parameters and live activations of small graphs, counted by hand."""

from __future__ import annotations

import numpy as np

from edgemcu.graph.facts import graph_facts
from edgemcu.graph.ir import Padding
from edgemcu.graph.shapes import broadcast, output_size, padding_before
from edgemcu.tflite import parse_model
from tests.support.tflite_builder import ModelBuilder


def test_macs_and_weights() -> None:
    b = ModelBuilder()
    x = b.input((1, 8, 8, 3), 0.1, 0)
    w = b.constant(np.ones((4, 3, 3, 3), np.int8), 0.01)
    bias = b.constant(np.zeros(4, np.int32), np.float32(0.1) * np.float32(0.01))
    x = b.op("CONV_2D", [x, w, bias], (1, 4, 4, 4), 0.1, 0, padding="SAME", stride=2)
    w = b.constant(np.ones((1, 3, 3, 8), np.int8), 0.01)
    x = b.op("DEPTHWISE_CONV_2D", [x, w], (1, 2, 2, 8), 0.1, 0, padding="VALID", depth_multiplier=2)
    x = b.op("RESHAPE", [x, b.constant(np.int32([1, 32]))], (1, 32), 0.1, 0)
    w = b.constant(np.ones((10, 32), np.int8), 0.01)
    b.output(b.op("FULLY_CONNECTED", [x, w], (1, 10), 0.1, 0))
    facts = graph_facts(parse_model(b.finish(), "model"))
    assert [layer.macs for layer in facts.layers] == [
        4 * 4 * 4 * 27,
        2 * 2 * 8 * 9,
        0,
        10 * 32,
    ]
    assert facts.macs == sum(layer.macs for layer in facts.layers)
    assert [layer.weight_bytes for layer in facts.layers] == [108 + 16, 72, 0, 320]
    assert facts.parameters == 108 + 4 + 72 + 320
    assert facts.weight_bytes == 108 + 16 + 72 + 320
    # The reshape moves nothing: its output is its input's memory.
    assert [layer.live_bytes for layer in facts.layers] == [192 + 64, 64 + 32, 32, 32 + 10]
    assert facts.peak_activation_bytes == 256


def test_a_skip_connection_stays_alive() -> None:
    b = ModelBuilder()
    x = b.input((1, 100), 0.1, 0)
    y = b.op("RELU", [x], (1, 100), 0.1, 0)
    y = b.op("RELU", [y], (1, 100), 0.1, 0)
    b.output(b.op("ADD", [x, y], (1, 100), 0.1, 0))
    facts = graph_facts(parse_model(b.finish(), "model"))
    assert [layer.live_bytes for layer in facts.layers] == [200, 300, 300]


def test_inputs_and_outputs_are_alive_as_long_as_the_caller_needs_them() -> None:
    b = ModelBuilder()
    first, late = b.input((1, 10), 0.1, 0), b.input((1, 1000), 0.1, 0)
    early = b.op("RELU", [first], (1, 10), 0.1, 0)
    b.output(early, b.op("RELU", [late], (1, 1000), 0.1, 0))
    facts = graph_facts(parse_model(b.finish(), "model"))
    assert [layer.live_bytes for layer in facts.layers] == [1020, 2010]


def test_a_shared_constant_counts_once() -> None:
    b = ModelBuilder()
    x = b.input((1, 3), 0.1, 0)
    w = b.constant(np.eye(3, dtype=np.int8), 0.5)
    y = b.op("FULLY_CONNECTED", [x, w], (1, 3), 0.1, 0)
    b.output(b.op("FULLY_CONNECTED", [y, w], (1, 3), 0.1, 0))
    facts = graph_facts(parse_model(b.finish(), "model"))
    assert facts.parameters == facts.weight_bytes == 9
    assert [layer.parameters for layer in facts.layers] == [9, 9]


def test_windows() -> None:
    assert output_size(5, 3, 2, 1, Padding.SAME) == 3
    assert output_size(5, 3, 2, 1, Padding.VALID) == 2
    assert output_size(5, 3, 1, 3, Padding.VALID) == -1
    # 96 pixels, a 3×3 window and stride 2: all padding comes after the last pixel.
    assert padding_before(96, 3, 2, 1, 48) == 0
    assert padding_before(97, 3, 2, 1, 49) == 1
    assert padding_before(4, 1, 2, 1, 2) == 0


def test_broadcasting() -> None:
    assert broadcast((1, 4, 4, 3), (3,)) == (1, 4, 4, 3)
    assert broadcast((2, 1), (1, 5)) == (2, 5)
    assert broadcast((), (7,)) == (7,)
    assert broadcast((2, 3), (2, 4)) is None
