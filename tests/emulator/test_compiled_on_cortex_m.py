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
