"""Kernels for the DSP extension, in C on the host: layouts, tails and bounds, under sanitizers.

`tests/emulator/test_compiled_on_cortex_m.py` runs the same cases on the cores themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edgemcu.compiler import fixed_point as fp
from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels.cortex_m4 import rounding as cortex_m4
from edgemcu.compiler.kernels.cortex_m4.dot import dot
from edgemcu.compiler.kernels.cortex_m4.winograd import (
    TILE_2X2,
    TILE_2X4,
    Tile,
    winograd_stream,
)
from edgemcu.reference_model import with_micro_rounding
from tests.support.compiled import (
    WARNINGS,
    ModelProcess,
    check_command,
    host_kernels,
    kernel_sources,
    require_compiler,
)
from tests.support.kernel_cases import dsp_cases
from tests.support.oracle import run_oracle

TARGET = "cortex-m4"

SEEDS = st.integers(0, 2**32 - 1)

# A failure names its case; shrinking would build thousands of programs to say little more.
BATCH = settings(
    max_examples=1,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def check(seeds: Sequence[int], folder: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    cases = dsp_cases(seeds, TARGET)
    expected = run_oracle(
        [with_micro_rounding(forced.case.model) for forced in cases],
        [forced.case.inputs for forced in cases],
        folder / "oracle",
    )
    wrong = []
    compiled = [forced.compiled for forced in cases]
    with ModelProcess(compiled, folder / "models", host_kernels(TARGET)) as process:
        for index, (forced, want) in enumerate(zip(cases, expected, strict=True)):
            got = process.run(index, forced.case.inputs)
            if want is None or not np.array_equal(got, want):
                wrong.append(
                    (forced.case.kind, forced.case.seed, compiled[index].layers[-1].kernel)
                )
    assert not wrong


@BATCH
@given(seeds=st.lists(SEEDS, min_size=4, max_size=4, unique=True))
def test_sample_of_every_kernel(tmp_path_factory: pytest.TempPathFactory, seeds: list[int]) -> None:
    check(seeds, tmp_path_factory.mktemp("sample"))


@pytest.mark.slow
@BATCH
@given(seeds=st.lists(SEEDS, min_size=40, max_size=40, unique=True))
def test_many_of_every_kernel(tmp_path_factory: pytest.TempPathFactory, seeds: list[int]) -> None:
    check(seeds, tmp_path_factory.mktemp("many"))


def reference(value: int, factor: fp.Multiplier, output: o.OutputRange) -> int:
    scaled = fp.multiply_by_quantized_multiplier(value, factor) + output.zero_point
    return min(max(scaled, output.min), output.max)


@pytest.mark.parametrize("scale_bits", [2, 8])
@pytest.mark.parametrize("relu", [False, True])
def test_rounding_in_one_multiplication(scale_bits: int, relu: bool) -> None:
    """Every sum near a tie of either rounding, and at the ends, for many factors and shifts."""
    rng = np.random.default_rng(scale_bits)
    output = o.OutputRange(-128) if relu else o.OutputRange(int(rng.integers(-128, 128)))
    assert cortex_m4.is_relu(output) is relu
    multipliers = [1 << 30, (1 << 31) - 1, (1 << 30) + 1, 3 << 29]
    multipliers += rng.integers(1 << 30, 1 << 31, 12).tolist()
    for right in range(1, 23 - scale_bits):
        scales = o.ChannelScales(
            bias=np.zeros(len(multipliers), np.int32),
            multiplier=np.array(multipliers, np.int32),
            shift=np.full(len(multipliers), -right, np.int8),
        )
        limit = (1 << (31 - scale_bits)) - 1
        factors = cortex_m4.rounding(
            scales, output, np.full(len(multipliers), limit, np.int64), scale_bits
        )
        assert factors is not None
        for channel, multiplier in enumerate(multipliers):
            # Sums whose result is close to k + 1/2, small ones, and the extremes.
            steps = np.arange(-130, 131) + 0.5
            ties = np.rint(steps * 2.0 ** (31 + right) / multiplier).astype(np.int64)
            sums = np.concatenate([ties - 1, ties, ties + 1, np.arange(-9, 10), [-limit, limit]])
            for total in sums[np.abs(sums) <= limit].tolist():
                m, offset, shift = (int(f[channel]) for f in factors)
                down = (1 << (scale_bits - 1)) if total < 0 and not relu else 0
                value = (((total << scale_bits) * m >> 32) + offset - down) >> shift
                got = min(max(value, output.min), output.max)
                assert got == reference(total, (multiplier, -right), output), (total, m, right)


def test_rounding_of_factors_too_small_to_matter() -> None:
    output = o.OutputRange(5)
    scales = o.ChannelScales(
        bias=np.zeros(3, np.int32),
        multiplier=np.array([0, 1 << 30, (1 << 31) - 1], np.int32),
        shift=np.array([0, -31, -12], np.int8),
    )
    factors = cortex_m4.rounding(scales, output, np.array([1 << 22, 1 << 22, 1 << 10]), 8)
    assert factors is not None
    for m, offset, shift in zip(*(f.tolist() for f in factors), strict=True):
        for total in (-(1 << 10), -1, 0, 1, 1 << 10):
            assert (((total << 8) * m >> 32) + offset - (128 if total < 0 else 0)) >> shift == 5


def test_rounding_refuses_what_would_not_be_exact() -> None:
    output = o.OutputRange(0)

    def factors(shift: int, largest: int) -> object:
        scales = o.ChannelScales(
            np.zeros(1, np.int32), np.array([1 << 30], np.int32), np.array([shift], np.int8)
        )
        return cortex_m4.rounding(scales, output, np.array([largest]), 8)

    assert factors(-7, (1 << 23) - 1) is not None
    assert factors(-7, 1 << 23) is None
    assert factors(0, 1000) is None
    assert factors(-15, 1 << 20) is None
    assert factors(-14, 1 << 20) is not None


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_one_shift_for_all_channels(data: st.DataObject) -> None:
    """Where it says that it is exact, it is: at and beside each step of the output, and between."""
    shift = data.draw(st.sampled_from([10, 11, 13]))
    channels = data.draw(st.integers(1, 6))
    right = [data.draw(st.integers(shift - 7, shift + 3)) for _ in range(channels)]
    multipliers = [
        data.draw(st.one_of(st.integers(1 << 30, (1 << 31) - 1), st.sampled_from([0, 1 << 30])))
        for _ in range(channels)
    ]
    reach = [data.draw(st.integers(1, (1 << 22) - 1)) for _ in range(channels)]
    centre = [data.draw(st.integers(-r, r)) for r in reach]
    scales = o.ChannelScales(
        bias=np.zeros(channels, np.int32),
        multiplier=np.array(multipliers, np.int32),
        shift=-np.array(right, np.int8),
    )
    low, high = np.array(centre) - reach, np.array(centre) + reach
    found = cortex_m4.one_shift(scales, o.OutputRange(-128), low, high, shift)
    # Channels that lose nothing always can; of others, some cannot.
    if found is None:
        assert any(r > shift - 7 for r in right)
        return
    for channel, (m, offset, nudge) in enumerate(zip(*found, strict=True)):
        factor = multipliers[channel], -right[channel]
        steps = (np.arange(256) - 0.5) * 2.0 ** (31 + right[channel]) / max(factor[0], 1)
        near = steps[np.abs(steps) < 1 << 30].astype(np.int64)
        limits = [low[channel], high[channel]]
        sums = np.concatenate([near + d for d in range(-2, 4)] + [np.linspace(*limits, 99), limits])
        for total in np.unique(np.clip(sums.astype(np.int64), *limits)).tolist():
            scaled = ((total << 8) + int(nudge)) * int(m) + (int(offset) << 32)
            assert abs(scaled) < 1 << 63 and abs((total << 8) + int(nudge)) < 1 << 31
            got = min(max(scaled >> 32 >> shift, -128), 127)
            assert got == reference(total, factor, o.OutputRange(-128)), (total, channel)


def test_one_shift_refuses_what_would_not_be_exact() -> None:
    def found(right: int, output: o.OutputRange, largest: int = 1 << 20) -> object:
        scales = o.ChannelScales(
            np.zeros(1, np.int32), np.array([1518500249], np.int32), np.array([-right], np.int8)
        )
        bound = np.array([largest])
        return cortex_m4.one_shift(scales, output, -bound, bound, 11)

    relu = o.OutputRange(-128)
    assert found(4, relu) is not None
    # The multiplier would not fit; it would lose too many bits; sums would not fit.
    assert found(3, relu) is None
    assert found(14, relu, (1 << 23) - 1) is None
    assert found(4, relu, 1 << 23) is None
    # Ties of negative values, and clamps.
    assert found(4, o.OutputRange(0)) is None
    assert found(4, o.OutputRange(-128, max=100)) is None


def scales_of(channels: int, bias: int = 0) -> o.ChannelScales:
    return o.ChannelScales(
        np.full(channels, bias, np.int32),
        np.full(channels, 1 << 30, np.int32),
        np.full(channels, -10, np.int8),
    )


def test_layers_that_blocks_of_three_by_two_cannot_compute() -> None:
    """A weight of -128 in an odd place, before a positive one, or a sum beyond 24 bits."""
    output = o.OutputRange(0)
    fits = np.full((2, 8), 127, np.int8)
    assert dot(fits, scales_of(2), output) is not None
    for place, value in ((1, 1), (0, 1)):
        rows = np.full((2, 8), value, np.int8)
        rows[1, place] = -128
        assert dot(rows, scales_of(2), output) is None
    most = 2**23 - 1 - 8 * 127 * 127
    assert dot(fits, scales_of(2, most), output) is not None
    assert dot(fits, scales_of(2, most + 1), output) is None


@pytest.mark.parametrize("tile", [TILE_2X2, TILE_2X4])
def test_sums_too_large_for_winograd(tile: Tile) -> None:
    """Multiples of sums have to fit 32 bits, and no weights are too large before that."""
    weights = np.full((4, 3, 3, 16), -128, np.int8)
    window = o.Window((4, 4), 16, (4, 4), (3, 3), padding=(1, 1))

    def stream(bias: int) -> object:
        scales = scales_of(4, bias)
        layer = o.Convolution(window, weights, scales, o.OutputRange(0), input_zero_point=0)
        return winograd_stream(layer, tile)

    most = (1 << (31 - tile.scale_bits)) - 1 - 9 * 16 * 128 * 128
    assert stream(most) is not None
    assert stream(most + 1) is None


@pytest.mark.parametrize(
    ("compiler", "core"),
    [("arm-none-eabi-gcc", "cortex-m33"), ("clang", "cortex-m4"), ("clang", "cortex-m33")],
)
def test_compile_without_a_warning(compiler: str, core: str, tmp_path: Path) -> None:
    """Assembly included, by both compilers."""
    require_compiler(compiler)
    flags = [f"-mcpu={core}", "-mthumb", "-mfloat-abi=soft", "-O2", "-c"]
    if compiler == "clang":
        headers = Path("/usr/lib/arm-none-eabi/include")
        if not headers.is_dir():
            pytest.skip("newlib's headers are not installed")
        flags += ["--target=arm-none-eabi", f"-I{headers}", "-I/usr/include/newlib"]
    sources = [str(p) for p in kernel_sources(TARGET) if p.parent.name == "cortex_m4"]
    assert len(sources) > 5
    check_command([compiler, *WARNINGS, *flags, *sources], tmp_path)
