"""Kernels for the Cortex-M55: exact, also at the smallest distances that they state, and careful.

What is read beyond a tensor does not show in the bytes where it meets weights of zero. So models
are also run with one tensor at a time ending where the machine's memory does, which faults on the
first byte too many, and vector code cannot run under the host's sanitizers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemcu.bench.networks import benchmark_network
from edgemcu.compiler import CompiledModel, compile_model
from edgemcu.compiler.kernels import cortex_m55, targets
from edgemcu.reference_model import with_micro_rounding
from edgemcu.shipped import shipped
from edgemcu.steps.bench import bench_models
from edgemcu.tflite import parse_model
from tests.support.bare_metal import COMPILER, CORES, Machine, require_tools
from tests.support.compiled import WARNINGS, check_command, require_compiler
from tests.support.operator_cases import CASES, WIDE_CASES, Case, make_case
from tests.support.oracle import run_oracle
from tests.support.tflite_builder import ModelBuilder
from tests.support.tight import tight_models

pytestmark = pytest.mark.emulator

TARGET = CORE = "cortex-m55"
IMAGE_MODELS = 80
"""Of one image: they fit the 512 KiB of code memory that the machine has."""

RAM_END = 0x20080000
GUARDED_BYTES = 64 << 10

VECTOR = {kernel.name for kernel in cortex_m55.KERNELS}
VECTOR_KINDS = (
    *WIDE_CASES,
    "CONV_2D 1x1",
    "CONV_2D behind PAD",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    "HARD_SWISH",
)

Job = tuple[str, Case, NDArray[np.uint8], CompiledModel]


def references(cases: Sequence[Case], folder: Path) -> list[NDArray[np.uint8]]:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    outputs = run_oracle(
        [with_micro_rounding(case.model) for case in cases],
        [case.inputs for case in cases],
        folder / "oracle",
    )
    wanted = [output for output in outputs if output is not None]
    assert len(wanted) == len(cases)
    return wanted


def jobs(cases: Sequence[Case], folder: Path) -> Iterator[Job]:
    """Each case as the planner places it, and with its output over its inputs."""
    for case, want in zip(cases, references(cases, folder), strict=True):
        graph = parse_model(case.model, case.kind)
        yield "planned", case, want, compile_model(graph, target=TARGET, model_digest="0" * 64)
        for model in tight_models(graph, target=TARGET):
            yield "overlapping", case, want, model


def wrong(work: Sequence[Job], folder: Path, **memory: int) -> list[tuple[str, str, int]]:
    """The jobs whose bytes differ from the reference's."""
    found = []
    for start in range(0, len(work), IMAGE_MODELS):
        part = work[start : start + IMAGE_MODELS]
        core = replace(CORES[CORE], **memory)
        with Machine([job[3] for job in part], core, folder / f"image{start}") as machine:
            for index, (how, case, want, _) in enumerate(part):
                if not np.array_equal(machine.run(index, case.inputs), want):
                    found.append((how, case.kind, case.seed))
    return found


def test_bytes_equal_the_reference(tmp_path: Path) -> None:
    require_tools()
    cases = [make_case(kind, seed) for kind in VECTOR_KINDS for seed in range(700_000, 700_006)]
    cases += [make_case(kind, 700_000) for kind in CASES]
    work = list(jobs(cases, tmp_path))
    used = {layer.kernel for job in work for layer in job[3].layers}
    assert used >= VECTOR
    assert not wrong(work, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", VECTOR_KINDS)
def test_bytes_of_many_cases(kind: str, tmp_path: Path) -> None:
    require_tools()
    cases = [make_case(kind, seed) for seed in range(710_000, 710_060)]
    assert not wrong(list(jobs(cases, tmp_path)), tmp_path)


def test_windows_that_lie_in_padding_alone(tmp_path: Path) -> None:
    """As a PAD wider than the image makes them, whose column the stride skips."""
    require_tools()
    b = ModelBuilder()
    x = b.input((1, 3, 1, 8), 0.05, 3)
    paddings = b.constant(np.array([[0, 0], [5, 2], [5, 1], [0, 0]], np.int32))
    padded = b.op("PAD", [x, paddings], (1, 10, 7, 8), 0.05, 3)
    rng = np.random.default_rng(0)
    weights = b.constant(rng.integers(-127, 128, (8, 3, 3, 8)).astype(np.int8), [0.004] * 8)
    bias = b.constant(rng.integers(-900, 900, 8).astype(np.int32))
    operands = [padded, weights, bias]
    y = b.op("CONV_2D", operands, (1, 2, 1, 8), 0.1, 5, stride=5, padding="VALID")
    b.output(y)
    graph = parse_model(b.finish(), "m")
    models = [
        compile_model(graph, target=TARGET, model_digest="0" * 64, without_passes=without)
        for without in ((), ("fold-padding",))
    ]
    inputs = rng.integers(0, 256, (4, 24)).astype(np.uint8)
    with Machine(models, CORES[CORE], tmp_path / "image") as machine:
        folded, apart = (machine.run(index, inputs) for index in range(2))
    assert np.array_equal(folded, apart)


def at_the_end_of_memory(model: CompiledModel, tensor: str, size: int) -> CompiledModel:
    """The same model with what its code calls `arena + tensor` as the last bytes of the RAM."""
    text = model.files["model.c"]
    place = f"(int8_t *){RAM_END - size:#x}u"
    text, count = re.subn(rf"arena \+ {tensor}\b", place, text)
    assert count
    return replace(model, files={**model.files, "model.c": text})


def edge_jobs(case: Case, want: NDArray[np.uint8]) -> Iterator[Job]:
    """The case with its first input, its output and its scratch memory at the edge."""
    model = compile_model(parse_model(case.model, case.kind), target=TARGET, model_digest="0" * 64)
    graph = parse_model(case.model, case.kind)
    names = re.findall(r"^    (TENSOR_\w+) = \d+,", model.files["model.c"], re.MULTILINE)
    last = f"TENSOR_{graph.outputs[0]}_"
    for tensor, name in ((graph.inputs[0], f"TENSOR_{graph.inputs[0]}_"), (graph.outputs[0], last)):
        (full,) = [n for n in names if n.startswith(name)]
        yield full, case, want, at_the_end_of_memory(model, full, graph.tensors[tensor].bytes)
    scratch = model.layers[-1].scratch_bytes
    if scratch:
        (offset,) = re.findall(r"arena \+ (\d+)\)", model.files["model.c"])
        # Scratch memory is aligned, whatever its size.
        size = scratch + -scratch % 4
        yield "scratch", case, want, at_the_end_of_memory(model, offset, size)


def window_on_padding() -> Case:
    """A convolution whose first windows lie left of its input, of which they read nothing."""
    rows, channels = 32, 16
    builder = ModelBuilder()
    x = builder.input((1, rows, 1, 3), 0.1, 5)
    paddings = builder.constant(np.array([[0, 0], [0, 0], [2, 0], [0, 0]], np.int32))
    padded = builder.op("PAD", [x, paddings], (1, rows, 3, 3), 0.1, 5)
    values = np.arange(3 * channels, dtype=np.int8).reshape(channels, 1, 1, 3)
    weights = builder.constant(values, 0.01)
    bias = builder.constant(np.arange(channels, dtype=np.int32) * 20, 0.001)
    shape = (1, rows, 2, channels)
    builder.output(builder.op("CONV_2D", [padded, weights, bias], shape, 0.02, 0, stride=(1, 2)))
    inputs = np.arange(3 * rows, dtype=np.uint8)[None]
    return Case("window on padding", 0, builder.finish(), inputs)


def test_nothing_is_touched_beyond_tensors(tmp_path: Path) -> None:
    require_tools()
    cases = [make_case(kind, seed) for kind in VECTOR_KINDS for seed in range(720_000, 720_004)]
    cases.append(window_on_padding())
    wanted = references(cases, tmp_path)
    model = parse_model(cases[-1].model, cases[-1].kind)
    assert compile_model(model, target=TARGET, model_digest="0" * 64).layers[-1].kernel in VECTOR
    work = [job for pair in zip(cases, wanted, strict=True) for job in edge_jobs(*pair)]
    assert not wrong(work, tmp_path, ram_bytes=CORES[CORE].ram_bytes - GUARDED_BYTES)


@pytest.mark.parametrize("compiler", [COMPILER, "clang"])
def test_builds_without_a_warning(compiler: str, tmp_path: Path) -> None:
    require_tools()
    flags = [*CORES[CORE].flags, "-mthumb", "-O2", "-Wshadow", "-Wpedantic"]
    if require_compiler(compiler) == "clang":
        headers = Path("/usr/lib/arm-none-eabi/include")
        if not headers.is_dir():
            pytest.skip(f"clang looks for the C library of {COMPILER} in {headers}")
        flags += ["--target=arm-none-eabi", "-isystem", str(headers)]
    folder = shipped("firmware_templates") / "compiled" / "kernels" / cortex_m55.FOLDER
    sources = [str(path) for path in sorted(folder.glob("*.c"))]
    check_command([compiler, *WARNINGS, *flags, "-c", *sources], tmp_path)


def test_layers_that_vectors_do_not_take() -> None:
    """Factors of 1 and above, and windows with gaps, are left to the other kernels."""
    kernels = {kernel.name for kernel in targets()[TARGET]} - VECTOR
    used = set()
    for kind in VECTOR_KINDS:
        for seed in range(730_000, 730_040):
            case = make_case(kind, seed)
            model = compile_model(
                parse_model(case.model, case.kind), target=TARGET, model_digest="0" * 64
            )
            used.add(model.layers[-1].kernel)
    assert used & kernels


def test_costs_are_what_the_emulator_counts(tmp_path: Path) -> None:
    """Layer by layer of MLPerf Tiny's shapes, within a tenth, or a hundred instructions."""
    require_tools()
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    names = ["ds-cnn", "resnet8"]
    result = bench_models(names, ["mps3-an547"], kernels=[TARGET], out=tmp_path / "bench")
    wrong = []
    for name, row in zip(names, result.rows, strict=True):
        assert row.bytes_equal
        graph = parse_model(benchmark_network(name), name)
        estimated = compile_model(graph, target=TARGET, model_digest="0" * 64).layers
        for layer, counted in zip(estimated, row.layers, strict=True):
            if not layer.kernel.endswith("_mve"):
                continue
            if abs(layer.cost - counted.instructions) > max(0.1 * counted.instructions, 100):
                wrong.append((name, layer.name, layer.cost, counted.instructions))
    assert not wrong
