"""The reference interpreter behind its process boundary."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from edgemcu import reference
from edgemcu.errors import ModelError
from edgemcu.reference import reference_activations, reference_outputs, run_reference
from tests.support.tflite_builder import ModelBuilder

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")


def _relu_model(path: Path) -> Path:
    """int8 ReLU with input and output of the same quantization: max(q, zero point)."""
    builder = ModelBuilder()
    x = builder.input((1, 2, 2, 1), scale=0.5, zero_point=-3)
    y = builder.op("RELU", [x], (1, 2, 2, 1), 0.5, -3)
    builder.output(y)
    return builder.save(path)


def test_bytes_of_a_known_operator(tmp_path: Path) -> None:
    model = _relu_model(tmp_path / "relu.tflite")
    inputs = np.random.default_rng(0).integers(0, 256, (120, 4), np.uint8)
    expected = np.maximum(inputs.view(np.int8), -3).view(np.uint8)
    assert np.array_equal(run_reference(model, inputs, workers=2), expected)
    assert run_reference(model, inputs[:0]).shape[0] == 0


def test_outputs_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _relu_model(tmp_path / "relu.tflite")
    inputs = np.array([[1, 2, 250, 200]], np.uint8)
    first = reference_outputs(model, inputs, tmp_path / "cache")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("ran again")

    monkeypatch.setattr(reference, "run_reference", refuse)
    assert np.array_equal(reference_outputs(model, inputs, tmp_path / "cache"), first)
    with pytest.raises(AssertionError, match="ran again"):
        reference_outputs(model, inputs + 1, tmp_path / "cache")


def test_activations_are_dequantized(tmp_path: Path) -> None:
    model = _relu_model(tmp_path / "relu.tflite")
    inputs = np.array([[253, 254, 5, 200]], np.uint8)
    (values,) = reference_activations(model, inputs).values()
    assert values.reshape(-1).tolist() == [0.0, 0.5, 4.0, 0.0]


def test_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(b"not a flatbuffer " * 10)
    with pytest.raises(ModelError, match="not a TensorFlow Lite model") as caught:
        run_reference(path, np.zeros((3, 4), np.uint8))
    assert caught.value.where == str(path)
    with pytest.raises(ModelError, match="no such model"):
        run_reference(tmp_path / "missing.tflite", np.zeros((1, 4), np.uint8))


def test_inputs_of_another_size(tmp_path: Path) -> None:
    model = _relu_model(tmp_path / "relu.tflite")
    with pytest.raises(ModelError, match="4 bytes, and a row has 5"):
        run_reference(model, np.zeros((1, 5), np.uint8))
    with pytest.raises(ModelError, match="rows of bytes"):
        run_reference(model, np.zeros(4, np.uint8))


def _worker_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Put a program in the place of Python, and so of the worker."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setattr(reference.sys, "executable", str(program))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_an_abort_in_the_interpreter_is_an_error_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _relu_model(tmp_path / "relu.tflite")
    _worker_that(tmp_path, monkeypatch, f"echo 'check failed' >&2; kill -{int(signal.SIGABRT)} $$")
    with pytest.raises(ModelError, match=r"crashed \(SIGABRT\) on this model: check failed"):
        run_reference(model, np.zeros((2, 4), np.uint8))


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_a_hang_in_the_interpreter_is_an_error_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _relu_model(tmp_path / "relu.tflite")
    _worker_that(tmp_path, monkeypatch, "exec sleep 60")
    with pytest.raises(ModelError, match="silent"):
        run_reference(model, np.zeros((2, 4), np.uint8), timeout_s=0.2)
