"""Compiled models against TensorFlow Lite's reference kernels: equal in every byte.

The generated code runs under the address and undefined-behaviour sanitizers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgemcu.compiler import CompiledModel, compile_model
from edgemcu.graph.ir import OpKind
from edgemcu.reference_model import with_micro_rounding
from edgemcu.tflite import parse_model
from tests.support.compiled import ModelProcess, host_kernels
from tests.support.operator_cases import CASES, Case, make_case
from tests.support.oracle import run_oracle
from tests.support.random_models import RandomModel

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

DIGEST = "0123456789abcdef" * 4

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


def compile_bytes(model: bytes) -> CompiledModel:
    return compile_model(parse_model(model, "model"), model_digest=DIGEST)


def differences(
    models: Sequence[bytes],
    inputs: Sequence[NDArray[np.uint8]],
    folder: Path,
) -> dict[int, str]:
    """What is wrong, by the model's index; models that the reference refuses count as well."""
    compiled = [compile_bytes(model) for model in models]
    expected = run_oracle([with_micro_rounding(m) for m in models], inputs, folder / "oracle")
    wrong = {}
    with ModelProcess(compiled, folder / "models", host_kernels()) as process:
        for index, (rows, want) in enumerate(zip(inputs, expected, strict=True)):
            got = process.run(index, rows)
            if want is None:
                wrong[index] = "the reference refuses it"
            elif not np.array_equal(got, want):
                wrong[index] = f"{np.count_nonzero(got != want)} of {want.size} bytes differ"
    return wrong


def check_cases(cases: Sequence[Case], folder: Path) -> None:
    models = [case.model for case in cases]
    wrong = differences(models, [case.inputs for case in cases], folder)
    assert not {(cases[i].kind, cases[i].seed): what for i, what in wrong.items()}


SHARES = 4


@pytest.mark.parametrize("share", range(SHARES))
@BATCH
@given(seeds=st.lists(SEEDS, min_size=7, max_size=7, unique=True))
def test_sample_of_every_operator(
    tmp_path_factory: pytest.TempPathFactory, share: int, seeds: list[int]
) -> None:
    cases = [make_case(kind, seed) for kind in sorted(CASES)[share::SHARES] for seed in seeds]
    cases = [case for case in cases if not logistic_is_a_tie(case.model)]
    check_cases(cases, tmp_path_factory.mktemp("sample"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
@BATCH
@given(seeds=st.lists(SEEDS, min_size=120, max_size=120, unique=True))
def test_many_of(tmp_path_factory: pytest.TempPathFactory, kind: str, seeds: list[int]) -> None:
    cases = [make_case(kind, seed) for seed in seeds]
    cases = [case for case in cases if not logistic_is_a_tie(case.model)]
    check_cases(cases, tmp_path_factory.mktemp("many"))


def logistic_is_a_tie(model: bytes) -> bool:
    """Whether some LOGISTIC has a value so close to a tie that the references may differ.

    TensorFlow Lite rounds a sigmoid in float32, TensorFlow Lite Micro one in fixed point.
    """
    graph = parse_model(model, "model")
    for op in graph.ops:
        if op.kind is OpKind.LOGISTIC:
            source = graph.tensors[op.inputs[0]].quantization
            assert source is not None
            steps = np.arange(-128, 128) - source.zero_point
            exact = 256 / (1 + np.exp(-steps * np.float64(source.scale)))
            if np.any(np.abs(exact % 1 - 0.5) < 1e-5):
                return True
    return False


def random_network(seed: int) -> tuple[bytes, NDArray[np.uint8]]:
    """A chain of up to 12 operators over one input."""
    rng = np.random.default_rng(seed)
    network = RandomModel(rng)
    shape = network.shape
    for _ in range(int(rng.integers(2, 13))):
        network.step()
    inputs = rng.integers(0, 256, (3, int(np.prod(shape))), dtype=np.uint8)
    return network.finish(), inputs


def check_networks(seeds: Sequence[int], folder: Path) -> None:
    networks = [random_network(seed) for seed in seeds]
    networks = [(model, x) for model, x in networks if not logistic_is_a_tie(model)]
    assert len(networks) > 0.7 * len(seeds)
    wrong = differences([m for m, _ in networks], [x for _, x in networks], folder)
    assert not {i: (what, _kinds(networks[i][0])) for i, what in wrong.items()}


def _kinds(model: bytes) -> str:
    return " ".join(op.kind.value for op in parse_model(model, "model").ops)


@BATCH
@given(seeds=st.lists(SEEDS, min_size=20, max_size=20, unique=True))
def test_sample_of_networks(tmp_path_factory: pytest.TempPathFactory, seeds: list[int]) -> None:
    check_networks(seeds, tmp_path_factory.mktemp("networks"))


@pytest.mark.slow
@BATCH
@given(seeds=st.lists(SEEDS, min_size=300, max_size=300, unique=True))
def test_many_networks(tmp_path_factory: pytest.TempPathFactory, seeds: list[int]) -> None:
    check_networks(seeds, tmp_path_factory.mktemp("networks"))


def test_every_operator_has_cases() -> None:
    words = {kind.split()[0] for kind in CASES}
    assert {kind.value for kind in OpKind} - words == {"RESHAPE", "SQUEEZE"}
