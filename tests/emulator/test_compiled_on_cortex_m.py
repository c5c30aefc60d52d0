"""Compiled models on emulated Cortex-M cores: the same bytes as on the host, and as the reference.

Everything is built with warnings as errors, with the options of the boards.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgemcu.compiler import compile_model
from edgemcu.reference_model import with_micro_rounding
from edgemcu.tflite import parse_model
from tests.support.bare_metal import CORES, Machine, require_tools
from tests.support.kernel_cases import dsp_cases
from tests.support.operator_cases import CASES, make_case
from tests.support.oracle import run_oracle

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

pytestmark = pytest.mark.emulator

SEEDS = range(500_000, 500_006)


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
    wrong = []
    with Machine(compiled, CORES[name], tmp_path / "image") as machine:
        for index, (case, want) in enumerate(zip(cases, expected, strict=True)):
            assert want is not None, (case.kind, case.seed)
            if not np.array_equal(machine.run(index, case.inputs), want):
                wrong.append((case.kind, case.seed))
    assert not wrong


def check_dsp_kernels(seeds: range, name: str, folder: Path) -> None:
    cases = dsp_cases(seeds)
    expected = run_oracle(
        [with_micro_rounding(forced.case.model) for forced in cases],
        [forced.case.inputs for forced in cases],
        folder / "oracle",
    )
    wrong = []
    compiled = [forced.compiled for forced in cases]
    with Machine(compiled, CORES[name], folder / "image") as machine:
        for index, (forced, want) in enumerate(zip(cases, expected, strict=True)):
            if want is None or not np.array_equal(machine.run(index, forced.case.inputs), want):
                kernel = compiled[index].layers[-1].kernel
                wrong.append((forced.case.kind, forced.case.seed, kernel))
    assert not wrong


@pytest.mark.parametrize("name", CORES)
def test_sample_of_every_dsp_kernel(name: str, tmp_path: Path) -> None:
    """A Cortex-M55 has these instructions as well."""
    require_tools()
    check_dsp_kernels(range(600_000, 600_004), name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(8))
def test_many_of_every_dsp_kernel(share: int, tmp_path: Path) -> None:
    require_tools()
    first = 700_000 + 20 * share
    check_dsp_kernels(range(first, first + 20), "cortex-m4", tmp_path)
