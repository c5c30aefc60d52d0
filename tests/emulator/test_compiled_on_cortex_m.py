"""Compiled models on emulated Cortex-M cores: the same bytes as on the host, and as the reference.

Everything is built with warnings as errors, with the options of the boards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemcu.compiler import CompiledModel, compile_model
from edgemcu.reference_model import with_micro_rounding
from edgemcu.tflite import parse_model
from tests.support.bare_metal import CORES, Machine, require_tools
from tests.support.kernel_cases import dsp_cases
from tests.support.operator_cases import CASES, Case, make_case
from tests.support.oracle import run_oracle

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

pytestmark = pytest.mark.emulator

SEEDS = range(500_000, 500_006)

# Of one image: they fit the smallest code memory among the machines, 512 KiB.
IMAGE_MODELS = 60


def wrong(
    cases: Sequence[Case],
    compiled: Sequence[CompiledModel],
    expected: Sequence[NDArray[np.uint8] | None],
    core: str,
    folder: Path,
) -> list[tuple[str, int, str]]:
    """Kind, seed and kernel of the cases whose bytes on the core are not the expected ones."""
    found = []
    for first in range(0, len(cases), IMAGE_MODELS):
        models = compiled[first : first + IMAGE_MODELS]
        with Machine(models, CORES[core], folder / f"image-{first}") as machine:
            for index, model in enumerate(models):
                case, want = cases[first + index], expected[first + index]
                if want is None or not np.array_equal(machine.run(index, case.inputs), want):
                    found.append((case.kind, case.seed, model.layers[-1].kernel))
    return found


@pytest.mark.parametrize("name", CORES)
def test_sample_of_every_operator(name: str, tmp_path: Path) -> None:
    require_tools()
    cases = [make_case(kind, seed) for kind in CASES for seed in SEEDS]
    expected = run_oracle(
        [with_micro_rounding(case.model) for case in cases],
        [case.inputs for case in cases],
        tmp_path / "oracle",
    )
    compiled = [
        compile_model(parse_model(case.model, case.kind), model_digest="0" * 64) for case in cases
    ]
    assert not wrong(cases, compiled, expected, name, tmp_path)


def check_dsp_kernels(seeds: range, name: str, folder: Path) -> None:
    cases = dsp_cases(seeds)
    expected = run_oracle(
        [with_micro_rounding(forced.case.model) for forced in cases],
        [forced.case.inputs for forced in cases],
        folder / "oracle",
    )
    compiled = [forced.compiled for forced in cases]
    assert not wrong([forced.case for forced in cases], compiled, expected, name, folder)


@pytest.mark.parametrize("name", CORES)
def test_sample_of_every_dsp_kernel(name: str, tmp_path: Path) -> None:
    """A Cortex-M55 has these instructions as well."""
    require_tools()
    check_dsp_kernels(range(600_000, 600_004), name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(8))
def test_many_of_every_dsp_kernel(share: int, tmp_path: Path) -> None:
    require_tools()
    first = 700_000 + 12 * share
    check_dsp_kernels(range(first, first + 12), "cortex-m4", tmp_path)
