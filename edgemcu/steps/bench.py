"""`edgemcu bench`: what models cost on boards, by runtime and kernel set, measured in one run.

Everything is counted in QEMU. Instructions are exact; cycles are a model of the Cortex-M4's, and
the times of boards are estimates from that.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np

from edgemcu._version import __version__
from edgemcu.artefacts import sha256_bytes, write_bytes
from edgemcu.bench.cycles import LATENCY_OVER_MODEL, MODELLED_CORES, Count
from edgemcu.bench.measure import Measurement, measure_inference
from edgemcu.bench.networks import DEFAULT, NETWORKS, benchmark_network
from edgemcu.bench.program import model_code_bytes, read_program
from edgemcu.board_schema import Board, QemuEmulator
from edgemcu.boards import list_boards, load_board
from edgemcu.compiler import CompiledModel, compile_model
from edgemcu.console import QUIET, Console
from edgemcu.device.emulator import QEMU
from edgemcu.errors import EdgemcuError, EmulatorError, ModelError, ProjectError
from edgemcu.graph.facts import graph_facts
from edgemcu.graph.ir import Graph
from edgemcu.inputs import random_inputs
from edgemcu.project import Runtime
from edgemcu.reference import reference_name, reference_outputs
from edgemcu.steps.build import BuiltFirmware, build_firmware
from edgemcu.steps.request import firmware_request
from edgemcu.tflite import parse_model

DEFAULT_BOARDS = ("mps2-an386",)
REPEATS = 2
HINT = "`edgemcu boards` says which ones it does; boards of one core count the same"
MODELS_FOLDER = "models"


@dataclass(frozen=True)
class LayerCount:
    """A layer of the compiled runtime, as it was counted; multiply-accumulates after the passes."""

    number: int
    kind: str
    kernel: str
    output_shape: tuple[int, ...]
    macs: int
    instructions: int
    cycles: int | None


@dataclass(frozen=True)
class Estimate:
    """How long an inference should take on a board: a range, by clock and published boards.

    The board that the range comes from has 5 wait states behind a cache; `flash_wait_states` are
    this board's, None where its file does not say.
    """

    board: str
    clock_hz: int
    flash_wait_states: int | None
    least_ms: float
    most_ms: float


@dataclass(frozen=True)
class BenchRow:
    """A model on a board, by one runtime and one kernel set.

    Attributes:
        macs: multiply-accumulates of the model as it came.
        macs_left: of the compiled runtime, after its lossless passes; None for others.
        flash_bytes, ram_bytes: of the whole firmware, with sketch, drivers and reserved stack.
        arena_bytes, weights_bytes, code_bytes: of the model alone: activations, constants, and code
            with its parameters (None where it cannot be told apart).
        stack_bytes: below the caller of the inference.
        instructions, cycles: of one inference; cycles by the model, None for other cores.
        bytes_equal: whether the outputs are those of the reference kernels, to the byte.
        repeatable: whether all of `REPEATS` runs counted the same.
        estimates: for boards with such a core.
        layers: counted one by one, for the compiled runtime.
        toolchain: the compiler's version line.
        reason: why there are no figures; None if there are.
    """

    model: str
    board: str
    runtime: str
    kernels: str
    macs: int
    macs_left: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    arena_bytes: int | None = None
    weights_bytes: int | None = None
    code_bytes: int | None = None
    stack_bytes: int | None = None
    instructions: int | None = None
    cycles: int | None = None
    bytes_equal: bool | None = None
    repeatable: bool | None = None
    estimates: tuple[Estimate, ...] = ()
    layers: tuple[LayerCount, ...] = ()
    toolchain: str | None = None
    reason: str | None = None

    @property
    def instructions_per_mac(self) -> float | None:
        return None if self.instructions is None else self.instructions / max(self.macs, 1)

    @property
    def cycles_per_mac(self) -> float | None:
        return None if self.cycles is None else self.cycles / max(self.macs, 1)

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "instructions_per_mac": self.instructions_per_mac,
            "cycles_per_mac": self.cycles_per_mac,
        }


@dataclass(frozen=True)
class BenchResult:
    """All rows, and what they were measured with; `with_layers` is for who shows them."""

    rows: tuple[BenchRow, ...]
    machine: dict[str, str] = field(default_factory=dict)
    with_layers: bool = False

    @property
    def exit_code(self) -> int:
        """1 if outputs differ from the reference's, or nothing could be measured."""
        measured = [row for row in self.rows if row.reason is None]
        return 0 if measured and all(row.bytes_equal for row in measured) else 1

    def to_json(self) -> dict[str, Any]:
        return {
            "edgemcu": __version__,
            "machine": self.machine,
            "cycle_model": {
                "cores": sorted(MODELLED_CORES),
                "boards_take_times": list(LATENCY_OVER_MODEL),
            },
            "rows": [row.to_json() for row in self.rows],
        }


def bench_models(
    models: Sequence[str] = (),
    boards: Sequence[str] = DEFAULT_BOARDS,
    runtimes: Sequence[str] = ("compiled",),
    kernels: Sequence[str] = ("auto", "portable"),
    *,
    out: Path = Path("build") / "bench",
    console: Console = QUIET,
) -> BenchResult:
    """Build, run and count every combination.

    Args:
        models: names of `bench.networks.NETWORKS` or paths of .tflite files; the first three
            networks by default.
        boards: names of boards that QEMU emulates.
        runtimes: "compiled", "tflm".
        kernels: sets of the compiled runtime, "auto" for the board's own.
        out: where projects are written and built.

    Raises:
        ModelError, UnsupportedModelError: a model is missing, damaged, or unsupported.
        BoardError: there is no such board.
        EmulatorError: QEMU does not emulate it.
        ProjectError: there is no such runtime.
        ToolMissingError: no reference interpreter.
    """
    for runtime in runtimes:
        if runtime not in get_args(Runtime):
            raise ProjectError(
                f"there is no runtime {runtime!r}", hint=f"known: {', '.join(get_args(Runtime))}"
            )
    chosen_boards = [load_board(name) for name in boards]
    for board in chosen_boards:
        if not isinstance(board.emulator, QemuEmulator):
            raise EmulatorError("QEMU does not emulate this board", where=board.name, hint=HINT)
    rows = []
    for name in models or DEFAULT:
        subject = _subject(name, out)
        for board, (runtime, kernel_set) in product(chosen_boards, _variants(runtimes, kernels)):
            console.info(f"{subject.name} on {board.name}, {runtime} {kernel_set or ''}".rstrip())
            rows.append(_measured(subject, board, runtime, kernel_set, out, console))
    return BenchResult(tuple(rows), _machine())


@dataclass(frozen=True)
class _Subject:
    """A model and what it has to answer."""

    name: str
    path: Path
    graph: Graph
    digest: str
    data: bytes
    expected: bytes

    @property
    def macs(self) -> int:
        return graph_facts(self.graph).macs


def _subject(name: str, out: Path) -> _Subject:
    path = Path(name)
    if name in NETWORKS:
        path = out / MODELS_FOLDER / f"{name}.tflite"
        model = benchmark_network(name)
        if not path.is_file() or path.read_bytes() != model:
            write_bytes(path, model)
    elif not path.is_file():
        raise ModelError(
            "there is no such model", where=name, hint=f"or name one of: {', '.join(NETWORKS)}"
        )
    data = path.read_bytes()
    graph = parse_model(data, str(path))
    inputs = random_inputs(graph, 1)
    expected = reference_outputs(path, inputs, out / "reference")
    return _Subject(
        path.stem, path, graph, sha256_bytes(data), inputs[0].tobytes(), expected[0].tobytes()
    )


def _variants(runtimes: Sequence[str], kernels: Sequence[str]) -> list[tuple[str, str | None]]:
    """Runtimes, the compiled one with each kernel set."""
    return [
        variant
        for runtime in dict.fromkeys(runtimes)
        for variant in (
            [(runtime, name) for name in dict.fromkeys(kernels)]
            if runtime == "compiled"
            else [(runtime, None)]
        )
    ]


def _measured(
    subject: _Subject,
    board: Board,
    runtime: str,
    kernels: str | None,
    out: Path,
    console: Console,
) -> BenchRow:
    folder = out / f"{subject.name}-{board.name}-{runtime}{f'-{kernels}' if kernels else ''}"
    row = BenchRow(subject.name, board.name, runtime, kernels or "-", subject.macs)
    try:
        request = firmware_request(
            out, model=subject.path, board=board.name, runtime=runtime, kernels=kernels, out=folder
        )
        built = build_firmware(request, console=QUIET)
        return _row(subject, board, row, built, console)
    except EdgemcuError as error:
        console.warn(f"{subject.name}, {runtime}: {error.message}")
        return BenchRow(**{**vars(row), "reason": error.message})


def _row(
    subject: _Subject, board: Board, row: BenchRow, built: BuiltFirmware, console: Console
) -> BenchRow:
    project, build = built.project, built.build
    compiled: CompiledModel | None = None
    if row.runtime == "compiled":
        compiled = compile_model(subject.graph, target=project.kernels, model_digest=subject.digest)
    program = read_program(build.elf)
    calls = [call for layer in compiled.layers for call in layer.calls] if compiled else []
    runs = [
        measure_inference(build.elf, program, board, subject.data, sorted(set(calls)))
        for _ in range(REPEATS)
    ]
    repeatable = len({run.total for run in runs}) == 1
    if not repeatable:
        counts = ", ".join(f"{run.total.instructions:,}" for run in runs)
        console.warn(f"{row.model} on {row.board}: runs differ: {counts} instructions")
    equal = all(run.outputs == subject.expected for run in runs)
    if not equal:
        console.warn(f"{row.model} on {row.board}: outputs differ from the reference kernels'")
    total = runs[0].total
    return BenchRow(
        model=row.model,
        board=row.board,
        runtime=row.runtime,
        kernels=project.kernels,
        macs=row.macs,
        macs_left=sum(layer.macs for layer in compiled.layers) if compiled else None,
        flash_bytes=build.flash_bytes,
        ram_bytes=build.ram_bytes,
        arena_bytes=project.arena_bytes,
        weights_bytes=project.weights_bytes,
        code_bytes=(
            model_code_bytes(program, project.path, project.weights_bytes) if compiled else None
        ),
        stack_bytes=runs[0].stack_bytes,
        instructions=total.instructions,
        cycles=total.cycles,
        bytes_equal=equal,
        repeatable=repeatable,
        estimates=_estimates(board, total),
        layers=_layers(compiled, runs[0]) if compiled else (),
        toolchain=build.toolchain,
    )


def _layers(compiled: CompiledModel, run: Measurement) -> tuple[LayerCount, ...]:
    """Sections of a measurement as layers: a layer begins where its first kernel is entered.

    What other marked functions a kernel calls stays with it.
    """
    begins = [call for layer in compiled.layers for call in layer.calls]
    owner = [layer for layer in compiled.layers for _ in layer.calls]
    instructions = dict.fromkeys((layer.number for layer in compiled.layers), 0)
    cycles = dict(instructions)
    position = -1
    for mark, count in zip(run.marks, run.sections, strict=True):
        if position + 1 < len(begins) and mark == begins[position + 1]:
            position += 1
        if position >= 0:
            instructions[owner[position].number] += count.instructions
            cycles[owner[position].number] += count.cycles or 0
    return tuple(
        LayerCount(
            number=layer.number,
            kind=layer.kind,
            kernel=layer.kernel,
            output_shape=layer.output_shape,
            macs=layer.macs,
            instructions=instructions[layer.number],
            cycles=None if run.total.cycles is None else cycles[layer.number],
        )
        for layer in compiled.layers
    )


def _estimates(measured: Board, total: Count) -> tuple[Estimate, ...]:
    """For boards that exist with this core: those whose clock is set up, not an emulator's."""
    if total.cycles is None:
        return ()
    estimates = []
    for board in list_boards():
        hz = board.clock_hz
        if board.core.name != measured.core.name or hz is None or _only_emulated(board):
            continue
        low, high = (1000 * total.cycles * times / hz for times in LATENCY_OVER_MODEL)
        waits = getattr(board.clock, "flash_wait_states", None)
        estimates.append(Estimate(board.name, hz, waits, low, high))
    return tuple(estimates)


def _only_emulated(board: Board) -> bool:
    """Arm's FPGA boards run at whatever their image says; nobody deploys to them."""
    return isinstance(board.emulator, QemuEmulator) and board.emulator.machine == board.mcu


def _machine() -> dict[str, str]:
    """What the figures were measured with."""
    try:
        lines = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False)
        emulator = lines.stdout.splitlines()[0] if lines.stdout else "not installed"
    except OSError:
        emulator = "not installed"
    return {
        "emulator": emulator,
        "reference": reference_name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "host": f"{platform.system()} {platform.machine()}",
    }
