"""Models that cannot be, or that edgemcu cannot run: each is refused by file, place and reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemcu.errors import ModelError, UnsupportedModelError
from edgemcu.tflite import parse_model, read_model
from edgemcu.tflite.unsupported import UnsupportedOperatorsError
from tests.support.tflite_builder import ModelBuilder

Change = Callable[[ModelBuilder], None]


def conv(**options: Any) -> ModelBuilder:
    """Tensors: 0 input, 1 weights, 2 bias, 3 output."""
    b = ModelBuilder()
    x = b.input((1, 4, 4, 2), 0.5, 3, name="photo")
    scales = np.float32([0.01, 0.02, 0.03])
    w = b.constant(np.ones((3, 3, 3, 2), np.int8), scales, name="kernel")
    bias = b.constant(np.zeros(3, np.int32), np.float32(0.5) * scales, name="bias")
    y = b.op("CONV_2D", [x, w, bias], (1, 4, 4, 3), 0.1, 0, padding="SAME", stride=1, **options)
    b.output(y)
    return b


def unary(kind: str, **options: Any) -> ModelBuilder:
    """Tensors: 0 input, 1 output."""
    b = ModelBuilder()
    quantization = (1 / 256, -128) if kind in ("SOFTMAX", "LOGISTIC") else (0.1, 0)
    b.output(b.op(kind, [b.input((1, 4, 4, 2), 0.1, 0)], (1, 4, 4, 2), *quantization, **options))
    return b


def binary(kind: str, **options: Any) -> ModelBuilder:
    """Tensors: 0 and 1 inputs, 2 output."""
    b = ModelBuilder()
    x, y = b.input((1, 4, 4, 2), 0.1, 0), b.input((1, 4, 4, 2), 0.1, 0)
    b.output(b.op(kind, [x, y], (1, 4, 4, 2), 0.1, 0, **options))
    return b


def with_numbers(kind: str, numbers: Any, shape: tuple[int, ...], **options: Any) -> ModelBuilder:
    """An operator with a constant of numbers. Tensors: 0 input, 1 numbers, 2 output."""
    b = ModelBuilder()
    x = b.input((1, 4, 4, 2), 0.1, 0)
    b.output(b.op(kind, [x, b.constant(np.array(numbers, np.int32))], shape, 0.1, 0, **options))
    return b


def tensor(index: int, **fields: Any) -> Change:
    def change(b: ModelBuilder) -> None:
        for name, value in fields.items():
            setattr(b.graph.tensors[index], name, value)

    return change


def quantization(index: int, **fields: Any) -> Change:
    def change(b: ModelBuilder) -> None:
        for name, value in fields.items():
            dtype = np.float32 if name == "scale" else np.int64
            value = value if np.ndim(value) == 0 else np.array(value, dtype)
            setattr(b.graph.tensors[index].quantization, name, value)

    return change


def options(**fields: Any) -> Change:
    def change(b: ModelBuilder) -> None:
        for name, value in fields.items():
            setattr(b.graph.operators[0].builtinOptions, name, value)

    return change


def operands(inputs: list[int] | None = None, outputs: list[int] | None = None) -> Change:
    def change(b: ModelBuilder) -> None:
        operator = b.graph.operators[0]
        operator.inputs = operator.inputs if inputs is None else inputs
        operator.outputs = operator.outputs if outputs is None else outputs

    return change


def second_operator(b: ModelBuilder) -> None:
    """Another operator that writes the first one's output."""
    b.graph.operators.append(b.graph.operators[0])


def cycle(b: ModelBuilder) -> None:
    """The first operator reads what the second one, which reads the first, will write."""
    b.graph.outputs.clear()
    first = b.graph.operators[0]
    b.output(b.op("RELU", first.outputs, (1, 4, 4, 2), 0.1, 0))
    first.inputs = list(b.graph.outputs)


def bias_values(*values: int) -> Change:
    def change(b: ModelBuilder) -> None:
        buffer = b._buffer(np.array(values, "<i4").tobytes())
        b.graph.tensors[2].buffer = buffer

    return change


REFUSED: dict[str, tuple[Callable[[], ModelBuilder], Change, str]] = {
    # Quantization
    "zero scale": (conv, quantization(0, scale=[0.0]), r"'photo_0'.*scale.* 0\.0"),
    "negative scale": (conv, quantization(1, scale=[0.01, -0.02, 0.03]), "'kernel_1'.*channel 1"),
    "infinite scale": (conv, quantization(1, scale=[0.01, 0.02, np.inf]), "channel 2 is inf"),
    "scale not a number": (conv, quantization(0, scale=[np.nan]), "nan"),
    "degenerate scale": (conv, quantization(3, scale=[7.84e-9]), "degenerate scale 7.84e-09"),
    "huge scale": (lambda: unary("RELU"), quantization(0, scale=[1e12]), "degenerate scale 1e"),
    "no scale": (conv, tensor(0, quantization=None), "int8 without a scale"),
    "weights without scale": (conv, tensor(1, quantization=None), "weights have no scale"),
    "several scales of an activation": (
        conv,
        quantization(3, scale=[0.1] * 3, zeroPoint=[0] * 3, quantizedDimension=3),
        "an activation has one",
    ),
    "too few scales": (conv, quantization(1, scale=[0.1, 0.1], zeroPoint=[0, 0]), "2 scales for 3"),
    "wrong dimension": (conv, quantization(1, quantizedDimension=7), "along dimension 7"),
    "other dimension": (
        conv,
        quantization(1, quantizedDimension=1),
        "quantized along dimension 1, not 0",
    ),
    "zero points missing": (conv, quantization(1, zeroPoint=[0, 0]), "2 zero points for 3"),
    "zero point too high": (conv, quantization(0, zeroPoint=[128]), "zero point 128 lies outside"),
    "zero point too low": (conv, quantization(0, zeroPoint=[-(2**62)]), "lies outside -128"),
    "bias zero point": (conv, quantization(2, zeroPoint=[0, 1, 0]), "zero point 1"),
    "bias scale": (conv, quantization(2, scale=[0.005, 0.1, 0.015]), "bias' scale"),
    "bias overflow": (conv, bias_values(0, 2**31 - 1, 0), "channel 1 can overflow 32 bits"),
    "multiplier overflow": (conv, quantization(3, scale=[2e-8]), "can overflow 32 bits"),
    "rescaling pool": (
        lambda: unary("MAX_POOL_2D", window=1, stride=1),
        quantization(1, scale=[0.2]),
        "cannot rescale",
    ),
    "rescaling concatenation": (
        lambda: binary("CONCATENATION", axis=3),
        lambda b: (tensor(2, shape=[1, 4, 4, 4])(b), quantization(1, zeroPoint=[1])(b)),
        "cannot rescale",
    ),
    "softmax output": (
        lambda: unary("SOFTMAX"),
        quantization(1, zeroPoint=[0]),
        "must have scale 1/256",
    ),
    "logistic output": (
        lambda: unary("LOGISTIC"),
        quantization(1, scale=[1 / 255]),
        "must have scale 1/256",
    ),
    "logistic of huge numbers": (
        lambda: unary("LOGISTIC"),
        quantization(0, scale=[16.0]),
        "scale 16 is out of range",
    ),
    "softmax of almost nothing": (
        lambda: unary("SOFTMAX", beta=0.01),
        quantization(0, scale=[1e-7]),
        "out of range",
    ),
    "softmax with negative beta": (lambda: unary("SOFTMAX", beta=-1.0), options(), "beta -1"),
    "softmax with infinite beta": (lambda: unary("SOFTMAX", beta=np.inf), options(), "beta inf"),
    "addition": (lambda: binary("ADD"), quantization(2, scale=[1e-7]), "too large"),
    "product": (lambda: binary("MUL"), quantization(2, scale=[2e-8]), "would overflow"),
    "relu": (lambda: unary("RELU"), quantization(1, scale=[2e-8]), "would overflow"),
    "hard swish": (lambda: unary("HARD_SWISH"), quantization(1, scale=[1e-4]), "would overflow"),
    "requantization": (lambda: unary("QUANTIZE"), quantization(1, scale=[2e-8]), "would overflow"),
    # Shapes
    "negative size": (conv, tensor(0, shape=[1, -4, 4, 2]), "impossible shape 1×-4×4×2"),
    "size of zero": (conv, tensor(0, shape=[1, 4, 0, 2]), "impossible shape"),
    "absurd size": (conv, tensor(0, shape=[1, 2**30, 2**30, 2]), "beyond what a microcontroller"),
    "wrong output shape": (conv, tensor(3, shape=[1, 4, 4, 4]), "computes 1×4×4×3"),
    "image without channels": (conv, tensor(0, shape=[4, 4, 2]), "must have 4 dimensions"),
    "too many dimensions": (conv, tensor(0, shape=[1] * 65), "65 dimensions"),
    "signature of another rank": (conv, tensor(0, shapeSignature=[1, 4]), "differ in rank"),
    "weights too short": (conv, tensor(1, shape=[3, 3, 3, 4]), "54 bytes of data"),
    "weights too long": (conv, tensor(1, shape=[3, 3, 3, 1]), "54 bytes of data"),
    "bias too short": (conv, tensor(2, shape=[4]), "not 3"),
    "channels": (conv, tensor(0, shape=[1, 4, 4, 3]), "weights for 2 channels"),
    "window too large": (
        lambda: unary("AVERAGE_POOL_2D", window=5, stride=1),
        options(),
        "larger than the input",
    ),
    "broadcast": (lambda: binary("ADD"), tensor(1, shape=[1, 3, 4, 2]), "do not go together"),
    "concatenation": (
        lambda: binary("CONCATENATION", axis=3),
        tensor(1, shape=[1, 3, 4, 2]),
        "differ in more than",
    ),
    "concatenation's axis": (lambda: binary("CONCATENATION", axis=4), options(), "dimension 4"),
    "mean's axis": (lambda: with_numbers("MEAN", [1, 7], (1, 4, 2)), options(), "dimension 7"),
    "mean's axes": (lambda: with_numbers("MEAN", [0] * 65, (1,)), options(), "holds 65 numbers"),
    "paddings": (
        lambda: with_numbers("PAD", [[0, 0], [-1, 1], [0, 0], [0, 0]], (1, 4, 4, 2)),
        options(),
        "impossible paddings",
    ),
    "too few paddings": (
        lambda: with_numbers("PAD", [[0, 0]], (1, 4, 4, 2)),
        options(),
        "2 paddings for 4 dimensions",
    ),
    "reshape": (lambda: with_numbers("RESHAPE", [1, 31], (1, 31)), options(), "32 values do not"),
    "reshape twice -1": (
        lambda: with_numbers("RESHAPE", [-1, -1], (1, 32)),
        options(),
        "32 values do not",
    ),
    "reshape to another shape": (
        lambda: with_numbers("RESHAPE", [2, 16], (1, 32)),
        options(),
        "computes 2×16",
    ),
    "squeeze": (lambda: unary("SQUEEZE", squeeze_dims=[1]), options(), "are not all 1"),
    "axes that are not numbers": (
        lambda: with_numbers("MEAN", [1], (1, 4, 2)),
        tensor(1, type=0),
        "is float32, not integers",
    ),
    # Options
    "stride of zero": (conv, options(strideH=0), "impossible stride 0×1"),
    "negative dilation": (conv, options(dilationWFactor=-1), "impossible dilation 1×-1"),
    "huge stride": (conv, options(strideW=2**31 - 1), "impossible stride"),
    "unknown padding": (conv, options(padding=2), "unknown padding 2"),
    "unknown activation": (conv, options(fusedActivationFunction=77), "unknown fused activation"),
    # Structure
    "missing tensor": (conv, operands(inputs=[0, 1, 99]), "tensor 99 of 4 does not exist"),
    "negative tensor": (conv, operands(inputs=[0, -2, 2]), "tensor -2 of 4 does not exist"),
    "negative output": (conv, operands(outputs=[-1]), "tensor -1 of 4 does not exist"),
    "absent input": (conv, operands(inputs=[-1, 1, 2]), "input 0 is missing"),
    "too few operands": (conv, operands(inputs=[0]), "1 inputs, not 2 to 3"),
    "too many operands": (conv, operands(inputs=[0, 1, 2, 2]), "4 inputs, not 2 to 3"),
    "two writers": (conv, second_operator, "already written by another"),
    "cycle": (lambda: unary("RELU"), cycle, "before any operator has written it"),
    "writes a constant": (conv, operands(outputs=[1]), "which is a constant"),
    "writes an input": (conv, operands(outputs=[0]), "already written"),
    "constant input": (conv, lambda b: b.graph.inputs.append(1), "an input.* that is a constant"),
    "input twice": (conv, lambda b: b.graph.inputs.append(0), "the same input twice"),
    "output twice": (conv, lambda b: b.graph.outputs.append(3), "the same output twice"),
    "no input": (conv, lambda b: b.graph.inputs.clear(), "no input"),
    "no output": (conv, lambda b: b.graph.outputs.clear(), "no output"),
    "input as output": (conv, lambda b: b.graph.outputs.append(0), "that no operator computes"),
    "missing buffer": (conv, tensor(1, buffer=77), "refers to buffer 77"),
    "missing operator code": (
        conv,
        lambda b: setattr(b.graph.operators[0], "opcodeIndex", 9),
        "operator code 9 of 1",
    ),
    "uneven groups": (conv, tensor(0, shape=[1, 4, 4, 4]), "weights for 2 channels"),
    "no network": (conv, lambda b: b.model.subgraphs.clear(), "holds no network"),
    "version": (conv, lambda b: setattr(b.model, "version", 2), "schema version 2"),
}

UNSUPPORTED: dict[str, tuple[Callable[[], ModelBuilder], Change, str]] = {
    "fused tanh": (lambda: conv(activation="TANH"), options(), "CONV_2D.*fused activation TANH"),
    "fused concatenation": (
        lambda: binary("CONCATENATION", axis=3, activation="RELU"),
        options(),
        "a fused activation",
    ),
    "batch": (conv, tensor(0, shape=[2, 4, 4, 2]), "a batch of 2"),
    "uint8 weights": (conv, tensor(1, type=3), "uint8 where int8 is expected"),
    "computed weights": (
        conv,
        lambda b: (
            tensor(1, buffer=0)(b),
            quantization(1, scale=[0.1], zeroPoint=[0])(b),
            b.graph.inputs.append(1),
        ),
        "weights that the model computes itself",
    ),
    "asymmetric weights": (conv, quantization(1, zeroPoint=[0, 1, 0]), "asymmetric weights"),
    "dynamic size": (conv, tensor(0, shapeSignature=[1, -1, -1, 2]), "only known at run time"),
    "variable": (conv, tensor(0, isVariable=True), "keeps state between inferences"),
    "external": (conv, tensor(1, externalBuffer=1), "in another file"),
    "int16": (lambda: unary("RELU"), tensor(0, type=7), "int16 operands"),
    "axes of run time": (
        lambda: with_numbers("MEAN", [1], (1, 4, 2)),
        lambda b: (tensor(1, buffer=0)(b), b.graph.inputs.append(1)),
        "only known at run time|int32 operands",
    ),
    "rank": (
        lambda: binary("ADD"),
        lambda b: [tensor(i, shape=[1, 1, 1, 1, 1, 1, 2])(b) for i in range(3)],
        "7 dimensions",
    ),
    "second network": (
        conv,
        lambda b: b.model.subgraphs.append(b.graph),
        "2 subgraphs",
    ),
    "shape from data": (
        lambda: with_numbers("RESHAPE", [2, 16], (2, 16)),
        lambda b: (tensor(1, buffer=0)(b), b.graph.inputs.append(1)),
        "int32 operands",
    ),
}


def built(make: Callable[[], ModelBuilder], change: Change) -> bytes:
    b = make()
    change(b)
    return b.finish()


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    make, change, reason = REFUSED[case]
    with pytest.raises(ModelError, match=reason) as caught:
        parse_model(built(make, change), "some/model.tflite")
    assert caught.value.where == "some/model.tflite"


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported(case: str) -> None:
    make, change, reason = UNSUPPORTED[case]
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        parse_model(built(make, change), "some/model.tflite")
    assert caught.value.where == "some/model.tflite"


def test_every_unsupported_operator_is_listed_at_once() -> None:
    b = ModelBuilder()
    x = b.input((1, 4, 4, 2), 0.1, 0)
    x = b.op("TANH", [x], (1, 4, 4, 2), 0.1, 0)
    x = b.op("RELU", [x], (1, 4, 4, 2), 0.1, 0)
    x = b.custom_op("Magic", [x], (1, 4, 4, 2))
    x = b.op("TANH", [x], (1, 4, 4, 2), 0.1, 0)
    x = b.op("ADD", [x, x], (1, 4, 4, 2), 0.1, 0, activation="SIGN_BIT")
    b.output(b.op("CUMSUM", [x], (1, 4, 4, 2), 0.1, 0))
    with pytest.raises(UnsupportedOperatorsError) as caught:
        parse_model(b.finish(), "model")
    found = [(operator.index, operator.name) for operator in caught.value.operators]
    assert found == [
        (0, "TANH"),
        (2, "custom 'Magic'"),
        (3, "TANH"),
        (4, "ADD"),
        (5, "CUMSUM"),
    ]
    text = str(caught.value)
    assert "5 operators" in text and "TANH (2×, at 0, 3)" in text and "SIGN_BIT" in text


def test_float_model_says_what_to_do() -> None:
    b = ModelBuilder()
    x = b.input((1, 4), dtype=np.float32)
    w = b.constant(np.ones((3, 4), np.float32))
    b.output(b.op("FULLY_CONNECTED", [x, w], (1, 3), dtype=np.float32))
    with pytest.raises(UnsupportedModelError, match="a float model") as caught:
        parse_model(b.finish(), "model")
    assert "edgemcu quantize" in (caught.value.hint or "")


def test_uint8_input_says_what_to_do() -> None:
    b = ModelBuilder()
    x = b.input((1, 4), 0.1, 128, dtype=np.uint8)
    b.output(b.op("QUANTIZE", [x], (1, 4), 0.1, 0))
    with pytest.raises(UnsupportedOperatorsError, match="the model's input: uint8") as caught:
        parse_model(b.finish(), "model")
    assert "int8 inputs and outputs" in (caught.value.hint or "")


def test_dynamic_range_model_says_so() -> None:
    b = ModelBuilder()
    x = b.input((1, 4), dtype=np.float32)
    w = b.constant(np.ones((3, 4), np.int8), 0.5)
    b.output(b.op("FULLY_CONNECTED", [x, w], (1, 3), dtype=np.float32))
    with pytest.raises(UnsupportedModelError, match="only its weights are int8"):
        parse_model(b.finish(), "model")


@pytest.mark.parametrize(
    "data", [b"", b"TFL3", b"\0" * 7, b"\x1c\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" + bytes(64)]
)
def test_rubbish(data: bytes) -> None:
    with pytest.raises(ModelError):
        parse_model(data, "rubbish")


def test_another_file_format() -> None:
    with pytest.raises(ModelError, match="not a TensorFlow Lite model"):
        parse_model(b"\x89PNG\r\n\x1a\n" + bytes(100), "photo.png")


def test_unused_tensor_may_be_anything() -> None:
    b = conv()
    b.input((1, 4), dtype=np.complex64)
    b.graph.inputs.pop()
    assert len(parse_model(b.finish(), "model").ops) == 1


def test_weights_beyond_any_microcontroller() -> None:
    """One large constant, used over and over: the file is small, what it describes is not."""
    b = ModelBuilder()
    x = b.input((1, 1024), 0.1, 0)
    w = b.constant(np.zeros((1024, 1024), np.int8), 0.5)
    for _ in range(80):
        x = b.op("FULLY_CONNECTED", [x, w], (1, 1024), 0.1, 0)
    b.output(x)
    with pytest.raises(ModelError, match="beyond a microcontroller's memory"):
        parse_model(b.finish(), "model")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read") as caught:
        read_model(tmp_path / "nothing.tflite")
    assert "nothing.tflite" in (caught.value.where or "")
    with pytest.raises(ModelError, match="not a file"):
        read_model(tmp_path)


def test_names_from_the_file_cannot_reach_the_terminal() -> None:
    b = conv()
    b.graph.tensors[0].name = "a\x1b[31m\nb" + "x" * 5000
    b.graph.tensors[0].shape = [0]
    with pytest.raises(ModelError) as caught:
        parse_model(b.finish(), "model")
    text = str(caught.value)
    assert len(text) < 1000 and not re.search(r"[\x00-\x09\x0b-\x1f]", text)
