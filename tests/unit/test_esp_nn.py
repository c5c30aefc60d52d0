"""Kernels that call ESP-NN: the reference's bytes, on the host.

Without a checkout of ESP-NN they are linked with functions of this project that follow ESP-NN's
documentation, which proves what the kernels make of an operator. With one, named by EDGEMCU_ESP_NN,
with ESP-NN's own C: its ANSI versions, and those that it takes for other chips of Espressif. The
assembly for the ESP32-S3 cannot run here.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemcu.compiler import CompiledModel, compile_model
from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import choose, esp_nn
from edgemcu.compiler.kernels.esp_nn_scratch import conv_scratch, depthwise_scratch
from edgemcu.reference_model import with_micro_rounding
from edgemcu.tflite import parse_model
from tests.support import esp_idf
from tests.support.compiled import (
    HOST_FLAGS,
    ModelProcess,
    build_kernels,
    check_command,
    require_compiler,
)
from tests.support.esp_nn_cases import FITTING, fitting_case
from tests.support.operator_cases import CASES, make_case
from tests.support.oracle import run_oracle
from tests.support.tflite_builder import ModelBuilder
from tests.support.tflm_networks import NETWORKS

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

CHECKOUT = "EDGEMCU_ESP_NN"
SEEDS = range(700_000, 700_006)
ANSI = ("basic_math/esp_nn_add", "basic_math/esp_nn_mul", "convolution/esp_nn_conv")
ANSI += ("convolution/esp_nn_depthwise_conv", "fully_connected/esp_nn_fully_connected")


@cache
def models() -> tuple[list[str], list[bytes], list[NDArray[np.uint8]]]:
    """Names, models and inputs: what ESP-NN takes, what it must leave alone, and whole networks."""
    names, files, inputs = [], [], []
    for kind in FITTING:
        for seed in SEEDS:
            case = fitting_case(kind, seed)
            names.append(f"fitting {kind}, {seed}")
            files.append(case.model)
            inputs.append(case.inputs)
    for kind in CASES:
        for seed in SEEDS[:1]:
            case = make_case(kind, seed)
            names.append(f"{kind}, {seed}")
            files.append(case.model)
            inputs.append(case.inputs)
    rng = np.random.default_rng(0)
    for name, make in NETWORKS.items():
        graph = parse_model(make(), name)
        size = sum(graph.tensors[index].bytes for index in graph.inputs)
        names.append(name)
        files.append(make())
        inputs.append(rng.integers(0, 256, (4, size), dtype=np.uint8))
    return names, files, inputs


@cache
def compiled() -> tuple[CompiledModel, ...]:
    names, files, _ = models()
    return tuple(
        compile_model(parse_model(model, name), target="esp-nn", model_digest="0" * 64)
        for name, model in zip(names, files, strict=True)
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.uint8] | None]:
    _, files, inputs = models()
    return run_oracle(
        [with_micro_rounding(model) for model in files], inputs, tmp_path_factory.mktemp("oracle")
    )


def check(
    expected: list[NDArray[np.uint8] | None], folder: Path, library: list[Path], flags: list[str]
) -> None:
    names, _, inputs = models()
    all_flags = (*HOST_FLAGS, *flags)
    kernels = build_kernels(folder / "kernels", require_compiler(), all_flags, target="esp-nn")
    # ESP-NN's own code shifts negative numbers to the left: it is compiled without the sanitizers.
    own = [flag for flag in flags if not flag.startswith("-fsanitize")]
    (folder / "library").mkdir()
    command = ["gcc", "-std=gnu11", "-O1", "-fwrapv", *own, "-c"]
    check_command([*command, *map(str, library)], folder / "library")
    objects = [str(path) for path in (folder / "library").glob("*.o")]
    check_command(["ar", "rs", str(kernels), *objects], folder)
    wrong = []
    with ModelProcess(list(compiled()), folder / "models", kernels, flags=all_flags) as process:
        for index, (name, want) in enumerate(zip(names, expected, strict=True)):
            assert want is not None, name
            if not np.array_equal(process.run(index, inputs[index]), want):
                wrong.append(name)
    assert not wrong


def test_what_fits_is_computed_by_esp_nn() -> None:
    names, _, _ = models()
    used = {
        name: "esp_nn" in model.files["model.c"]
        for name, model in zip(names, compiled(), strict=True)
    }
    assert all(used[name] for name in names if name.startswith("fitting"))
    assert not all(used.values())


def test_bytes_with_functions_that_follow_the_documentation(
    expected: list[NDArray[np.uint8] | None], tmp_path: Path
) -> None:
    check(expected, tmp_path, [esp_idf.FOLDER / "esp_nn.c"], [f"-I{esp_idf.INCLUDE}"])


@pytest.mark.slow
@pytest.mark.parametrize("version", ["ansi", "opt"])
def test_bytes_with_esp_nn_itself(
    version: str, expected: list[NDArray[np.uint8] | None], tmp_path: Path
) -> None:
    checkout = Path(os.environ.get(CHECKOUT, ""))
    if not os.environ.get(CHECKOUT):
        pytest.skip(f"{CHECKOUT} does not name a checkout of ESP-NN")
    flags = ["-isystem", str(checkout / "include"), "-isystem", str(checkout / "src/common")]
    flags += ["-isystem", str(empty_settings(tmp_path))]
    if version == "opt":
        flags.append("-DCONFIG_NN_OPTIMIZED=1")
    sources = [checkout / f"src/{name}_ansi.c" for name in ANSI]
    sources += [checkout / f"src/convolution/{name}_opt.c" for name in OPTIMIZED]
    check(expected, tmp_path, sources, flags)


OPTIMIZED = ("esp_nn_conv", "esp_nn_depthwise_conv")


def empty_settings(folder: Path) -> Path:
    (folder / "settings").mkdir()
    (folder / "settings/sdkconfig.h").write_text("")
    return folder / "settings"


# ---- What it must not be asked for ------------------------------------------------------------


def convolution(**changes: object) -> o.Convolution:
    window = {
        "input_size": (8, 8),
        "input_channels": 16,
        "output_size": (8, 8),
        "size": (3, 3),
        "padding": (1, 1),
    }
    weights = np.ones((4, 3, 3, 16), np.int8)
    scales = o.ChannelScales(
        bias=np.zeros(4, np.int32),
        multiplier=np.full(4, 1 << 30, np.int32),
        shift=np.full(4, -8, np.int8),
    )
    facts = {"scales": scales, "output": o.OutputRange(0), "input_zero_point": -128}
    facts["weights"] = weights
    for name, value in changes.items():
        (window if name in window or name in ("stride", "dilation") else facts)[name] = value
    return o.Convolution(window=o.Window(**window), **facts)  # type: ignore[arg-type]


def test_a_usual_convolution_is_taken() -> None:
    assert choose(convolution(), "esp-nn").name == "conv_2d_esp_nn"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"dilation": (2, 2)}, id="dilated"),
        pytest.param({"output_size": (9, 9)}, id="more padding at the end than at the beginning"),
        pytest.param({"weights": np.ones((4, 3, 3, 8), np.int8)}, id="grouped"),
        pytest.param(
            {
                "scales": o.ChannelScales(
                    np.zeros(4, np.int32), np.full(4, 1 << 30, np.int32), np.array([0, 1, 0, 0])
                )
            },
            id="a factor that shifts to the left",
        ),
        pytest.param(
            {
                "scales": o.ChannelScales(
                    np.full(4, 1 << 30, np.int32),
                    np.full(4, 1 << 30, np.int32),
                    np.full(4, -8, np.int8),
                )
            },
            id="a sum that may saturate",
        ),
    ],
)
def test_the_rest_is_left_to_other_kernels(changes: dict[str, object]) -> None:
    assert choose(convolution(**changes), "esp-nn").name.endswith("_int8")


def test_activations_and_weights_are_aligned() -> None:
    model = compile_model(
        parse_model(fitting_case("CONV_2D", 700_000).model, "model"),
        target="esp-nn",
        model_digest="0" * 64,
    )
    assert all(place.offset % esp_nn.ALIGNMENT == 0 for place in model.activations)
    assert "_Alignas(16) const int8_t" in model.files["weights.c"]


def test_constant_operands_are_aligned() -> None:
    b = ModelBuilder()
    x = b.input((1, 4, 4, 4), 0.05, 0)
    operand = b.constant(np.ones((1, 4, 4, 4), np.int8), 0.05, 0)
    b.output(b.op("ADD", [x, operand], (1, 4, 4, 4), 0.1, 0))
    for target, alignments in (("esp-nn", 1), ("portable", 0)):
        model = compile_model(parse_model(b.finish(), "m"), target=target, model_digest="0" * 64)
        assert model.files["weights.c"].count("_Alignas(16) const int8_t") == alignments


class Sizes(ctypes.Structure):
    """data_dims_t"""

    _fields_ = [(name, ctypes.c_int32) for name in ("width", "height", "channels", "extra")]


def parameters(window: o.Window, multiplier: int | None) -> ctypes.Array[ctypes.c_int32]:
    """conv_params_t or dw_conv_params_t, whose members are all int32."""
    (top, left), (down, right) = window.padding, window.stride
    values = [0, 0, *([multiplier] if multiplier else []), right, down, left, top, 1, 1, -128, 127]
    return (ctypes.c_int32 * len(values))(*values)


def random_window(rng: np.random.Generator, *, depthwise: bool) -> o.Window:
    taps = int(rng.choice([3, 3, 5])) if depthwise else int(rng.integers(1, 6))
    stride = int(rng.integers(1, 3))
    pad = int(rng.integers(0, 2)) if taps > 1 else 0
    size = tuple(int(n) for n in rng.integers(taps, 50, 2))
    out = tuple((n + 2 * pad - taps) // stride + 1 for n in size)
    channels = int(rng.choice([1, 3, 8, 16])) * int(rng.integers(1, 9))
    return o.Window(
        input_size=(size[0], size[1]),
        input_channels=channels,
        output_size=(out[0], out[1]),
        size=(taps, taps),
        stride=(stride, stride),
        padding=(pad, pad),
    )


def test_scratch_memory_is_what_the_chip_s_functions_ask_for(tmp_path: Path) -> None:
    if not os.environ.get(CHECKOUT):
        pytest.skip(f"{CHECKOUT} does not name a checkout of ESP-NN")
    folder = Path(os.environ[CHECKOUT])
    names = ("esp_nn_conv_esp32s3", "esp_nn_depthwise_conv_s8_esp32s3")
    sources = [str(folder / f"src/convolution/{name}.c") for name in names]
    include = [f"-I{folder / part}" for part in ("include", "src/common")]
    # Their assembly stays undefined: it is not called.
    command = ["gcc", "-w", "-shared", "-fPIC", "-Wl,-z,lazy", *include, *sources]
    check_command([*command, "-o", "sizes.so"], tmp_path)
    library = ctypes.CDLL(str(tmp_path / "sizes.so"), mode=os.RTLD_LAZY)
    rng = np.random.default_rng(1)
    for _ in range(400):
        for depthwise in (False, True):
            window = random_window(rng, depthwise=depthwise)
            multiplier = int(rng.choice([1, 1, 2, 4, 8])) if depthwise else None
            outputs = window.input_channels * (multiplier or 1)
            if not depthwise:
                outputs = int(rng.integers(1, 70))
            (height, width), (rows, columns) = window.input_size, window.output_size
            dims = [
                Sizes(width, height, window.input_channels, 1),
                Sizes(window.size[1], window.size[0], window.input_channels, 1),
                Sizes(columns, rows, outputs, 1),
            ]
            kind = "depthwise_conv" if depthwise else "conv"
            function = getattr(library, f"esp_nn_get_{kind}_scratch_size_esp32s3")
            asked = function(*map(ctypes.byref, dims), parameters(window, multiplier))
            planned = (
                depthwise_scratch(window, multiplier)
                if multiplier
                else conv_scratch(window, outputs)
            )
            assert asked == planned, window
