"""Passes are lossless: equal bytes with all of them, with each left out, and with none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgemcu.bench.networks import mobilenet_v1
from edgemcu.bench.untrained import UntrainedNetwork
from edgemcu.cli.main import main
from edgemcu.compiler import PASSES, CompiledModel, compile_model
from edgemcu.compiler import fixed_point as fp
from edgemcu.compiler.arithmetic import rescale, wrap_int32
from edgemcu.compiler.passes import Step
from edgemcu.compiler.passes.network import Network
from edgemcu.compiler.passes.ranges import find_ranges
from edgemcu.errors import UnsupportedModelError
from edgemcu.reference_model import with_micro_rounding
from edgemcu.steps.request import firmware_request
from edgemcu.tflite import parse_model
from tests.support.compiled import ModelProcess, host_kernels
from tests.support.dead_networks import DeadNetwork
from tests.support.oracle import run_oracle
from tests.support.tflite_builder import ModelBuilder

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

SCALE = 0.05


def compiled(model: bytes, without: Sequence[str] = ()) -> CompiledModel:
    return compile_model(parse_model(model, "m"), model_digest="0" * 64, without_passes=without)


def macs(model: CompiledModel) -> int:
    return sum(layer.macs for layer in model.layers)


def check_networks(networks: Sequence[DeadNetwork], folder: Path) -> None:
    expected = run_oracle(
        [with_micro_rounding(network.model) for network in networks],
        [network.inputs for network in networks],
        folder / "oracle",
    )
    choices = [(), tuple(PASSES), *((name,) for name in PASSES)]
    models = [compiled(network.model, without) for network in networks for without in choices]
    wrong = []
    with ModelProcess(models, folder / "models", host_kernels()) as process:
        for index in range(len(models)):
            number, choice = divmod(index, len(choices))
            want = expected[number]
            assert want is not None
            if not np.array_equal(process.run(index, networks[number].inputs), want):
                wrong.append((number, choices[choice]))
    assert not wrong
    # The networks are such that there is something to do in most of them.
    smaller = [macs(models[i]) < macs(models[i + 1]) for i in range(0, len(models), len(choices))]
    assert sum(smaller) > len(networks) // 3


def test_sample_of_dead_networks(tmp_path: Path) -> None:
    check_networks([DeadNetwork(seed) for seed in (3, 5, 8)], tmp_path)


def expand_and_filter(*, read_twice: bool) -> bytes:
    """4 -> 24 channels by a 1×1 convolution, and a depthwise 3×3 one behind it."""
    rng = np.random.default_rng(7)
    b = ModelBuilder()
    x = b.input((1, 24, 24, 4), SCALE, 0)
    scales = np.full(24, 0.02, np.float32)
    bias = np.zeros(24, np.int32)
    w = b.constant(rng.integers(-127, 128, (24, 1, 1, 4)).astype(np.int8), scales, axis=0)
    options: dict[str, Any] = {"padding": "SAME", "activation": "RELU"}
    first = b.op("CONV_2D", [x, w, b.constant(bias)], (1, 24, 24, 24), 0.2, -128, **options)
    w = b.constant(rng.integers(-127, 128, (1, 3, 3, 24)).astype(np.int8), scales, axis=3)
    options |= {"depth_multiplier": 1, "stride": 2}
    operands, shape = [first, w, b.constant(bias)], (1, 12, 12, 24)
    b.output(b.op("DEPTHWISE_CONV_2D", operands, shape, 0.3, -128, **options))
    if read_twice:
        b.output(first)
    return b.finish()


def test_nothing_lies_between_two_layers_that_one_kernel_computes() -> None:
    """But a few rows, where the target has such a kernel and nobody else reads it."""

    def layers(target: str, *, read_twice: bool = False, without: Sequence[str] = ()) -> list[str]:
        graph = parse_model(expand_and_filter(read_twice=read_twice), "m")
        compiled = compile_model(
            graph, target=target, model_digest="0" * 64, without_passes=without
        )
        assert (compiled.arena_bytes < 24 * 24 * 24) is (len(compiled.layers) == 1)
        assert sum(layer.macs for layer in compiled.layers) == 24 * 24 * 24 * 4 + 12 * 12 * 24 * 9
        return [layer.kind for layer in compiled.layers]

    assert layers("cortex-m4") == ["CONV_2D + DEPTHWISE_CONV_2D"]
    apart = ["CONV_2D", "DEPTHWISE_CONV_2D"]
    assert layers("cortex-m4", without=["join-depthwise"]) == apart
    assert layers("cortex-m4", read_twice=True) == apart
    assert layers("portable") == apart


@pytest.mark.slow
def test_many_dead_networks(tmp_path: Path) -> None:
    check_networks([DeadNetwork(seed) for seed in range(1000, 1060)], tmp_path)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_outputs_stay_within_their_ranges(seed: int, tmp_path: Path) -> None:
    network = DeadNetwork(seed, rows=20)
    (want,) = run_oracle([with_micro_rounding(network.model)], [network.inputs], tmp_path)
    assert want is not None
    graph = parse_model(network.model, "m")
    ranges = find_ranges(Network(graph, tuple(Step(op) for op in graph.ops)))
    start = 0
    for index in graph.outputs:
        tensor = graph.tensors[index]
        values = want[:, start : start + tensor.bytes].view(np.int8)
        values = values.reshape(-1, ranges[index].low.size)
        assert np.all(values >= ranges[index].low)
        assert np.all(values <= ranges[index].high)
        start += tensor.bytes


@settings(deadline=None, max_examples=200)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(2**30, 2**31 - 1),
    st.integers(-31, 30),
)
def test_array_arithmetic_is_that_of_single_integers(value: int, factor: int, shift: int) -> None:
    expected = fp.multiply_by_quantized_multiplier(value, (factor, shift))
    assert int(rescale(np.array(value), factor, shift)) == expected
    assert int(wrap_int32(np.array(value * 3))) == fp.wrap_int32(value * 3)


def test_dead_channels_cost_nothing() -> None:
    """Half of the channels of every convolution: with them goes more than half of the work.

    Without a bias they are at the zero point, so that the padding makes no difference.
    """
    model = mobilenet_v1("dead", 96, 0.25, dead=0.5, dead_bias=(-1.0, 0.0))
    with_all, without = compiled(model), compiled(model, ["remove-channels"])
    assert macs(without) == 7_489_664
    assert macs(with_all) < 0.5 * macs(without)
    assert with_all.weights_bytes < 0.4 * without.weights_bytes
    assert "Without 32 of 64 inputs and 64 of 128 outputs" in with_all.files["model.c"]


def test_constant_channels_above_the_zero_point_fold_where_nothing_is_padded(
    tmp_path: Path,
) -> None:
    """A dead channel whose bias keeps it at 5: gone before a 1×1 convolution, not before a padded
    3×3 one, whose border does not see it."""
    for size, padding, removed in ((1, "SAME", True), (3, "VALID", True), (3, "SAME", False)):
        b = ModelBuilder()
        x = b.input((1, 5, 5, 4), SCALE, 0)
        weights = np.full((8, 1, 1, 4), 3, np.int8)
        weights[4:] = 0
        ones = np.full(8, 0.01, np.float32)
        bias = np.arange(8, dtype=np.int32) * 1000
        w = b.constant(weights, ones)
        y = b.op("CONV_2D", [x, w, b.constant(bias)], (1, 5, 5, 8), 0.1, 0, padding="SAME")
        out = 5 if padding == "SAME" else 3
        rng = np.random.default_rng(1)
        values = rng.integers(-9, 9, (4, size, size, 8)).astype(np.int8)
        operands = [b.constant(values, ones[:4]), b.constant(bias[:4])]
        b.output(b.op("CONV_2D", [y, *operands], (1, out, out, 4), 0.1, 0, padding=padding))
        model = b.finish()
        result = compiled(model)
        assert (result.layers[0].output_shape[3] == 4) == removed
        inputs = rng.integers(0, 256, (3, 100), dtype=np.uint8)
        (want,) = run_oracle([model], [inputs], tmp_path / f"{size}{padding}")
        with ModelProcess([result], tmp_path / f"{size}{padding}m", host_kernels()) as process:
            assert np.array_equal(process.run(0, inputs), want)


def test_dead_channels_behind_a_flattened_image(tmp_path: Path) -> None:
    """Convolution, RESHAPE, fully connected: each dead channel takes its weights for all pixels."""
    rng = np.random.default_rng(4)
    b = ModelBuilder()
    x = b.input((1, 3, 3, 4), SCALE, 0)
    weights = rng.integers(-50, 50, (8, 1, 1, 4)).astype(np.int8)
    weights[[1, 2, 5, 7]] = 0
    bias = rng.integers(-900, 900, 8).astype(np.int32)
    ones = np.full(8, 0.01, np.float32)
    operands = [b.constant(weights, ones), b.constant(bias)]
    y = b.op("CONV_2D", [x, *operands], (1, 3, 3, 8), 0.02, -20, padding="SAME")
    y = b.op("RESHAPE", [y], (1, 72), 0.02, -20, new_shape=[1, 72])
    values = rng.integers(-50, 50, (5, 72)).astype(np.int8)
    operands = [b.constant(values, ones[:5]), b.constant(bias[:5])]
    b.output(b.op("FULLY_CONNECTED", [y, *operands], (1, 5), 0.05, 3))
    model = b.finish()
    result = compiled(model)
    assert [layer.macs for layer in result.layers] == [3 * 3 * 4 * 4, 5 * 36]
    inputs = rng.integers(0, 256, (4, 36), dtype=np.uint8)
    (want,) = run_oracle([with_micro_rounding(model)], [inputs], tmp_path / "oracle")
    with ModelProcess([result], tmp_path / "models", host_kernels()) as process:
        assert np.array_equal(process.run(0, inputs), want)


def relu_behind_convolution(b: ModelBuilder, x: int) -> int:
    ones = np.full(4, 0.01, np.float32)
    w = b.constant(np.ones((4, 1, 1, 2), np.int8), ones)
    bias = b.constant(np.zeros(4, np.int32))
    y = b.op("CONV_2D", [x, w, bias], (1, 4, 4, 4), SCALE, 3, padding="SAME")
    return b.op("RELU", [y], (1, 4, 4, 4), SCALE, 3)


def relu_twice(b: ModelBuilder, x: int) -> int:
    y = b.op("RELU", [x], (1, 4, 4, 2), SCALE, 3)
    return b.op("RELU6", [y], (1, 4, 4, 2), SCALE, 3)


def nothing_at_all(b: ModelBuilder, x: int) -> int:
    paddings = b.constant(np.zeros((4, 2), np.int32))
    y = b.op("PAD", [x, paddings], (1, 4, 4, 2), SCALE, 3)
    y = b.op("CONCATENATION", [y], (1, 4, 4, 2), SCALE, 3, axis=3)
    y = b.op("MAX_POOL_2D", [y], (1, 4, 4, 2), SCALE, 3)
    return b.op("QUANTIZE", [y], (1, 4, 4, 2), SCALE, 3)


def sum_of_constants(b: ModelBuilder, x: int) -> int:
    parts = [b.constant(np.full((1, 4, 4, 2), v, np.int8), SCALE, 3) for v in (5, 9)]
    y = b.op("SUB", [b.op("ADD", parts, (1, 4, 4, 2), 0.1, 0), parts[0]], (1, 4, 4, 2), SCALE, 1)
    return b.op("MUL", [x, y], (1, 4, 4, 2), SCALE, 3)


@pytest.mark.parametrize(
    ("network", "name", "kinds"),
    [
        (relu_behind_convolution, "fuse-activations", ["CONV_2D"]),
        (relu_twice, "drop-identities", ["RELU", "RELU6"]),
        (nothing_at_all, "drop-identities", []),
        (sum_of_constants, "fold-constants", ["MUL"]),
    ],
)
def test_operators_that_go(
    network: Callable[[ModelBuilder, int], int], name: str, kinds: list[str]
) -> None:
    b = ModelBuilder()
    x = b.input((1, 4, 4, 2), SCALE, 3)
    b.output(network(b, x))
    model = b.finish()
    assert [layer.kind for layer in compiled(model).layers] == kinds
    left = [layer.kind for layer in compiled(model, [name]).layers]
    assert len(left) > len(kinds) or network is relu_twice


def test_an_identity_on_what_its_input_can_be_is_dropped() -> None:
    """RELU6 behind a convolution with RELU6 fused, in the same quantization."""
    b = ModelBuilder()
    x = b.input((1, 4, 4, 2), SCALE, 3)
    ones = np.full(4, 0.01, np.float32)
    w, bias = b.constant(np.ones((4, 1, 1, 2), np.int8), ones), b.constant(np.zeros(4, np.int32))
    y = b.op("CONV_2D", [x, w, bias], (1, 4, 4, 4), SCALE, 3, padding="SAME", activation="RELU6")
    b.output(b.op("RELU6", [y], (1, 4, 4, 4), SCALE, 3), y)
    without = ["fuse-activations"]
    assert [layer.kind for layer in compiled(b.finish(), without).layers] == ["CONV_2D"]


def test_passes_have_names() -> None:
    model = mobilenet_v1("m", 32, 0.25)
    with pytest.raises(UnsupportedModelError, match="there is no pass 'fold-space'"):
        compiled(model, ["fold-space"])


def test_work_is_linear_in_the_number_of_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the layers: at most a little more than twice the calls of what is called often."""
    from edgemcu.compiler import bounds, kernels, planner
    from edgemcu.compiler.passes import network

    calls: dict[str, int] = {}

    def count(module: object, name: str) -> None:
        function = getattr(module, name)

        def counted(*arguments: object, **options: object) -> object:
            calls[name] = calls.get(name, 0) + 1
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    for module, name in (
        (network, "lower"),
        (kernels, "choose"),
        (bounds, "_propagate"),
        (planner, "_first_fit"),
    ):
        count(module, name)

    def work(layers: int) -> dict[str, int]:
        net = UntrainedNetwork("chain", (12, 12, 8))
        x = net.image
        for _ in range(layers):
            x = net.conv(net.depthwise(x), 8)
        calls.clear()
        compiled(net.classify(net.global_pool(x), 4))
        return dict(calls)

    small, large = work(15), work(30)
    for name, count_small in small.items():
        assert large[name] <= 2.6 * count_small + 50, name


def test_passes_can_be_left_out_of_a_firmware(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dead.tflite"
    path.write_bytes(mobilenet_v1("dead", 32, 0.25, dead=0.5))
    out = tmp_path / "out"
    arguments = ["generate", "--model", str(path), "--board", "host", "--out", str(out), "-q"]
    texts = []
    for more in ([], ["--no-pass", "remove-channels", "--no-pass", "settle-channels"]):
        with pytest.raises(SystemExit) as done:
            main([*arguments, *more])
        assert done.value.code == 0
        texts.append((out / "project" / "lib" / "edgemcu_model" / "model.c").read_text())
    assert "constant (now in the bias) or unread" in texts[0]
    assert "constant (now in the bias) or unread" not in texts[1]
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--no-pass", "everything"])
    assert done.value.code == 1
    assert "there is no pass 'everything'" in capsys.readouterr().err

    (tmp_path / "edgemcu.toml").write_text(
        '[dataset]\nsource = "photos"\n[firmware]\nno_passes = ["fold-padding"]\n'
    )
    assert firmware_request(tmp_path).no_passes == ("fold-padding",)
    assert firmware_request(tmp_path, no_pass=("drop-unread",)).no_passes == ("drop-unread",)
