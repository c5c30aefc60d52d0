"""What `edgemcu inspect` finds in models that run, that do not fit, and that cannot run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgemcu.artefacts import sha256_file
from edgemcu.cli.main import main
from edgemcu.errors import BoardError, ModelError
from edgemcu.preprocessing import METADATA_NAME, Preprocessing
from edgemcu.steps.inspect import inspect_model
from edgemcu.tflite import ModelMetadata
from tests.support.tflite_builder import ModelBuilder

METADATA = ModelMetadata(Preprocessing(8, 8), ("cat", "dog"))


def classifier(size: int = 8) -> ModelBuilder:
    b = ModelBuilder("a classifier")
    x = b.input((1, size, size, 3), 1 / 128, 0, name="photo")
    w = b.constant(np.ones((4, 3, 3, 3), np.int8), np.full(4, 0.01))
    x = b.op("CONV_2D", [x, w, -1], (1, size, size, 4), 0.1, -128, padding="SAME", stride=1)
    x = b.op("MEAN", [x, b.constant(np.int32([1, 2]))], (1, 4), 0.1, -128)
    x = b.op("FULLY_CONNECTED", [x, b.constant(np.ones((2, 4), np.int8), 0.1)], (1, 2), 0.1, 0)
    b.output(b.op("SOFTMAX", [x], (1, 2), 1 / 256, -128))
    return b


def test_a_model_that_runs(tmp_path: Path) -> None:
    builder = classifier()
    builder.metadata(METADATA_NAME, METADATA.encode())
    path = builder.save(tmp_path / "model.tflite")
    result = inspect_model(path, ["stm32f405", "host"])
    found = result.to_json()
    assert json.loads(json.dumps(found)) == found
    assert found["supported"] and found["problem"] is None and found["unsupported"] == []
    assert found["digest"] == sha256_file(path)
    assert found["model_bytes"] == path.stat().st_size
    assert found["macs"] == 8 * 8 * 4 * 27 + 2 * 4
    assert found["operators"] == {"CONV_2D": 1, "FULLY_CONNECTED": 1, "MEAN": 1, "SOFTMAX": 1}
    assert found["inputs"][0]["shape"] == [1, 8, 8, 3]
    assert found["inputs"][0]["scale"] == 1 / 128
    assert found["classes"] == ["cat", "dog"]
    assert found["preprocessing"] == METADATA.preprocessing.to_json()
    assert [layer["kind"] for layer in found["layers"]] == [
        "CONV_2D",
        "MEAN",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    places = {(place["board"], place["runtime"]): place for place in found["placements"]}
    assert set(places) == {
        (board, runtime) for board in ("stm32f405", "host") for runtime in ("compiled", "tflm")
    }
    compiled = places["stm32f405", "compiled"]
    assert compiled["fits"] and compiled["reason"] is None
    # Outputs slide over inputs: less than all that is alive at once.
    portable = places["host", "compiled"]
    assert 8 * 8 * 4 <= portable["arena_bytes"] < found["peak_activation_bytes"]
    assert compiled["arena_bytes"] < compiled["ram_bytes"] < compiled["ram_limit"]
    assert compiled["weights_bytes"] < compiled["flash_bytes"] < compiled["flash_limit"]
    assert places["host", "compiled"]["ram_limit"] is None
    assert found["fits"] == ["stm32f405", "host"]


def test_a_model_that_does_not_fit(tmp_path: Path) -> None:
    path = classifier(size=300).save(tmp_path / "large.tflite")
    result = inspect_model(path, ["stm32f405", "mps2-an386"])
    places = {(place.board, place.runtime): place for place in result.placements}
    small = places["stm32f405", "compiled"]
    assert not small.fits and "ram needs at least" in (small.reason or "")
    assert places["mps2-an386", "compiled"].fits
    assert result.fitting_boards == ("mps2-an386",)


def test_a_model_that_cannot_run_is_described_all_the_same(tmp_path: Path) -> None:
    b = ModelBuilder()
    x = b.input((1, 4), 0.1, 0)
    x = b.op("TANH", [x], (1, 4), 1 / 128, 0)
    w = b.constant(np.ones((3, 4), np.int8), 0.1)
    x = b.op("FULLY_CONNECTED", [x, w], (1, 3), 0.1, 0)
    b.output(b.op("LOG_SOFTMAX", [x], (1, 3), 0.1, 0))
    result = inspect_model(b.save(tmp_path / "model.tflite"))
    found = result.to_json()
    assert not found["supported"]
    assert [operator["name"] for operator in found["unsupported"]] == ["TANH", "LOG_SOFTMAX"]
    assert "2 operators" in found["problem"]
    assert [layer["kind"] for layer in found["layers"]] == [
        "TANH",
        "FULLY_CONNECTED",
        "LOG_SOFTMAX",
    ]
    assert found["parameters"] == 12
    assert found["macs"] is None and found["placements"] == [] and found["fits"] == []


def test_a_float_model_says_what_to_do(tmp_path: Path) -> None:
    b = ModelBuilder()
    x = b.input((1, 4), dtype=np.float32)
    w = b.constant(np.ones((3, 4), np.float32))
    b.output(b.op("FULLY_CONNECTED", [x, w], (1, 3), dtype=np.float32))
    result = inspect_model(b.save(tmp_path / "model.tflite"))
    assert result.problem is not None and "Quantize it" in result.problem
    assert result.inputs[0].dtype == "float32"


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        inspect_model(tmp_path / "none.tflite")
    (tmp_path / "bad.tflite").write_bytes(b"rubbish")
    with pytest.raises(ModelError, match="not a TensorFlow Lite model"):
        inspect_model(tmp_path / "bad.tflite")
    with pytest.raises(BoardError):
        inspect_model(classifier().save(tmp_path / "model.tflite"), ["toaster"])


def test_layers_as_they_will_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgemcu.bench.networks import benchmark_network

    path = tmp_path / "m.tflite"
    path.write_bytes(benchmark_network("ds-cnn"))
    result = inspect_model(path, ["stm32f405", "mps2-an386", "host"], layers=True)
    dsp, portable = result.plans
    assert (dsp.kernels, dsp.boards) == ("cortex-m4", ("stm32f405", "mps2-an386"))
    assert (portable.kernels, portable.boards) == ("portable", ("host",))
    for plan in result.plans:
        assert sum(layer.macs for layer in plan.layers) == result.macs
        assert plan.arena_lower_bound <= plan.arena_bytes < 2 * 8000
        assert any(layer.overlaps for layer in plan.layers)
        for layer in plan.layers:
            assert layer.offset + layer.output_bytes <= plan.arena_bytes
            assert layer.cost is None or layer.cost >= layer.bound
    assert portable.layers[0].bound == portable.layers[0].macs == 2 * dsp.layers[0].bound
    assert json.loads(json.dumps(result.to_json()))["plans"][0]["layers"][1]["number"] == 2
    assert inspect_model(path, ["host"]).plans == ()

    with pytest.raises(SystemExit):
        main(["inspect", str(path), "--layers", "--board", "host"])
    assert "no plan for these kernels needs less than" in capsys.readouterr().out
