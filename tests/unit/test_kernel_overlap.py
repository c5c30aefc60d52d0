"""How far outputs may lie over inputs: proven from the geometry, and tried with the kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgemcu.compiler.kernels.overlap import gather_overlap, raster_overlap, rows_overlap
from edgemcu.compiler.operations import Window
from edgemcu.reference_model import with_micro_rounding
from edgemcu.tflite import parse_model
from tests.support.compiled import ModelProcess, host_kernels
from tests.support.operator_cases import CASES, make_case
from tests.support.oracle import run_oracle
from tests.support.tight import tight_models

Step = tuple[set[int], set[int]]
"""What one block of work reads, and then writes: byte offsets in the input and in the output."""


@st.composite
def windows(draw: st.DrawFn) -> Window:
    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    size, stride, dilation = pair(1, 3), pair(1, 3), pair(1, 2)
    return Window(
        input_size=pair(1, 6),
        input_channels=draw(st.integers(1, 3)),
        output_size=pair(1, 6),
        size=size,
        stride=stride,
        dilation=dilation,
        padding=pair(0, 2),
    )


def steps(window: Window, channels: int, block_pixels: int, block_rows: int) -> list[Step]:
    """The schedule that `raster_overlap` describes, byte by byte."""
    (height, width), depth = window.input_size, window.input_channels
    result = []
    for top in range(0, window.output_size[0], block_rows):
        for left in range(0, window.output_size[1], block_pixels):
            reads: set[int] = set()
            writes: set[int] = set()
            for oy in range(top, min(top + block_rows, window.output_size[0])):
                for ox in range(left, min(left + block_pixels, window.output_size[1])):
                    pixel = oy * window.output_size[1] + ox
                    writes.update(range(pixel * channels, (pixel + 1) * channels))
                    for ky in range(window.size[0]):
                        for kx in range(window.size[1]):
                            y = oy * window.stride[0] - window.padding[0] + ky * window.dilation[0]
                            x = ox * window.stride[1] - window.padding[1] + kx * window.dilation[1]
                            if 0 <= y < height and 0 <= x < width:
                                first = (y * width + x) * depth
                                reads.update(range(first, first + depth))
            result.append((reads, writes))
    return result


def works(schedule: list[Step], distance: int, buffered: bool) -> bool:
    """Whether nothing is overwritten before its last use, the input `distance` behind the output.

    Within a block that is not buffered, reads and writes may come in any order.
    """
    overwritten: set[int] = set()
    for reads, writes in schedule:
        if not buffered:
            overwritten |= writes
        if overwritten & {offset + distance for offset in reads}:
            return False
        overwritten |= writes
    return True


@settings(deadline=None, max_examples=400)
@given(windows(), st.integers(1, 4), st.integers(1, 4), st.integers(1, 2), st.booleans())
def test_windows_may_overlap_exactly_as_far_as_stated(
    window: Window, channels: int, block_pixels: int, block_rows: int, buffered: bool
) -> None:
    distance = raster_overlap(
        window,
        channels,
        block_pixels=block_pixels,
        block_rows=block_rows,
        buffered=buffered,
    )
    schedule = steps(window, channels, block_pixels, block_rows)
    input_bytes = window.input_size[0] * window.input_size[1] * window.input_channels
    for more in (0, 1, 2, 7, 100):
        assert works(schedule, distance + more, buffered)
    if distance > -input_bytes and block_rows == 1:
        assert not works(schedule, distance - 1, buffered)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.booleans())
def test_rows_may_overlap_exactly_as_far_as_stated(
    rows: int, inputs: int, outputs: int, block_rows: int, buffered: bool
) -> None:
    distance = rows_overlap(rows, inputs, outputs, block_rows=block_rows, buffered=buffered)
    schedule: list[Step] = [
        (
            set(range(first * inputs, min(first + block_rows, rows) * inputs)),
            set(range(first * outputs, min(first + block_rows, rows) * outputs)),
        )
        for first in range(0, rows, block_rows)
    ]
    assert works(schedule, distance, buffered)
    if distance > -rows * inputs:
        assert not works(schedule, distance - 1, buffered)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=10), st.integers(1, 3))
def test_gathering_kernels_may_overlap_as_stated(reads: list[int], output_bytes: int) -> None:
    schedule: list[Step] = [
        ({read}, set(range(i * output_bytes, (i + 1) * output_bytes)))
        for i, read in enumerate(reads)
    ]
    distance = gather_overlap(np.array(reads), output_bytes)
    assert works(schedule, distance, True)


SEEDS = range(600_000, 600_005)

# Softmax, tables and the like are one loop; what overlaps in unusual ways is tried more often.
MORE = ("CONV", "POOL", "MEAN", "FULLY", "DEQUANTIZE", "CONCATENATION")


@pytest.mark.parametrize("share", range(4))
def test_kernels_at_the_smallest_distance(share: int, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    cases = [
        make_case(kind, seed)
        for kind in sorted(CASES)[share::4]
        for seed in (SEEDS if any(word in kind for word in MORE) else SEEDS[:2])
    ]
    expected = run_oracle(
        [with_micro_rounding(case.model) for case in cases],
        [case.inputs for case in cases],
        tmp_path / "oracle",
    )
    tight = [
        (case, want, model)
        for case, want in zip(cases, expected, strict=True)
        for model in tight_models(parse_model(case.model, case.kind))
    ]
    assert len(tight) > len(cases) // 3
    wrong = []
    with ModelProcess([m for _, _, m in tight], tmp_path / "models", host_kernels()) as process:
        for index, (case, want, _) in enumerate(tight):
            assert want is not None
            if not np.array_equal(process.run(index, case.inputs), want):
                wrong.append((case.kind, case.seed))
    assert not wrong
