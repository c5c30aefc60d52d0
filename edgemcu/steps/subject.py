"""A firmware and where it runs: what verify, classify and tests begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgemcu.artefacts import sha256_file
from edgemcu.board_schema import Board
from edgemcu.boards import load_board
from edgemcu.console import QUIET, Console
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.streaming import DeviceOutputs, stream, worth_workers
from edgemcu.device.target import (
    Target,
    default_target,
    open_target,
    parse_target,
    require_target,
)
from edgemcu.errors import InputsError
from edgemcu.graph.ir import Graph
from edgemcu.platformio.elf import MemoryUse, memory_use
from edgemcu.steps.build import build_firmware
from edgemcu.steps.generate import PROJECT_FOLDER
from edgemcu.steps.request import DEFAULT_KERNELS, FirmwareRequest
from edgemcu.steps.stimulus import Stimulus
from edgemcu.tflite import ModelMetadata, read_metadata, read_model

HOST_BOARD = "host"
SANITIZE = "sanitize"


@dataclass(frozen=True)
class Subject:
    """A firmware and where it runs.

    Attributes:
        request: model, board and runtime; for the target "host" the board is `host`.
        board: its data.
        target: where.
        graph, metadata: the model, and what edgemcu stored in it.
        model_digest: SHA-256 of the .tflite, hex.
        program: the ELF file, or the process; None at a port, for which nothing was built here.
        memory: what the program takes; None where there is none here.
        toolchain: the compiler's own version line, where something was built.
        sanitized: built with the address and undefined-behaviour sanitizers.
    """

    request: FirmwareRequest
    board: Board
    target: Target
    graph: Graph
    metadata: ModelMetadata | None
    model_digest: str
    program: Path | None
    memory: MemoryUse | None
    toolchain: str | None = None
    sanitized: bool = False

    @property
    def promised_kernels(self) -> str:
        """What the firmware must compute with, by the board's file or by what was asked for."""
        if self.request.runtime != "compiled":
            return self.board.kernels.tflm
        if self.request.kernels != DEFAULT_KERNELS:
            return self.request.kernels
        return self.board.kernels.compiled

    @property
    def photo_metadata(self) -> ModelMetadata:
        """How a photo becomes the model's input.

        Raises:
            InputsError: the model does not say it.
        """
        return _must_take_photos(self.metadata, self.request.model)

    def open(
        self, limits: Limits | None = None, on_line: Callable[[str], None] | None = None
    ) -> DeviceSession:
        """Start the firmware or connect to it; raises as `open_target`."""
        return open_target(
            self.board,
            self.program if self.target.kind != "port" else None,
            self.target,
            model_digest=self.model_digest,
            limits=limits,
            on_line=on_line,
        )

    def run(
        self,
        stimulus: Stimulus,
        *,
        self_test: bool = False,
        limits: Limits | None = None,
        console: Console = QUIET,
    ) -> DeviceOutputs:
        """Send all of `stimulus`, to as many emulators as are worth it.

        Args:
            self_test: have the device check itself afterwards, if it can.

        Raises:
            DeviceError: as `open` and `DeviceSession.infer`.
        """
        workers = 1 if self.target.kind == "port" else worth_workers(len(stimulus.sent))
        connect = partial(self.open, limits)
        return stream(
            connect,
            stimulus.sent,
            stimulus.kind,
            workers=workers,
            self_test=self_test,
            console=console,
        )


def find_target(
    request: FirmwareRequest, on: str | None, baud: int | None = None
) -> tuple[FirmwareRequest, Board, Target]:
    """Where `request` is to run, and the board that this makes of it: `host` on this computer.

    Raises:
        BoardError: there is no such board.
        DeviceError: `on` is not understood; EmulatorError: there is no default for the board.
    """
    board = load_board(request.board, request.project_directory)
    target = default_target(board) if on is None else parse_target(on, board, baud=baud)
    if target.kind == "host" and not board.hosted:
        request = request.on_board(HOST_BOARD)
        board = load_board(HOST_BOARD, request.project_directory)
    return request, board, target


def prepare(
    request: FirmwareRequest,
    *,
    on: str | None = None,
    baud: int | None = None,
    sanitize: bool = False,
    photos: bool = False,
    force: bool = False,
    console: Console = QUIET,
) -> Subject:
    """Find out where the firmware is to run, and build it if it is not there already.

    Args:
        on: as `parse_target`; by default where the board's data file says.
        baud: another speed of the serial line than the board's.
        sanitize: build with sanitizers; on this computer only.
        photos: whether the model must be one that takes photos.
        force: build though nothing changed, over files that were edited by hand.

    Raises:
        ToolMissingError: the emulator, PlatformIO or the compiler is not installed.
        DeviceError: `on` is not understood; EmulatorError: the board cannot be emulated there.
        InputsError: sanitizers for something else than this computer, or photos for a model that
            does not say how they become its input.
        EdgemcuError: of the build.
    """
    request, board, target = find_target(request, on, baud)
    if sanitize and target.kind != "host":
        raise InputsError(
            "sanitizers run on this computer only", where="--sanitize", hint="add --on host"
        )
    model = request.existing_model()
    graph = read_model(model)
    metadata = read_metadata(graph, str(model))
    if photos:
        _must_take_photos(metadata, model)
    require_target(board, target)
    program, memory, toolchain = None, None, None
    if target.kind == "port":
        program, memory = _program_here(request, board)
    else:
        variant = SANITIZE if sanitize else None
        built = build_firmware(request, variant=variant, console=console, force=force).build
        program, toolchain = built.elf, built.toolchain
        memory = MemoryUse(built.flash_bytes, built.ram_bytes, built.regions)
    return Subject(
        request=request,
        board=board,
        target=target,
        graph=graph,
        metadata=metadata,
        model_digest=sha256_file(model),
        program=program,
        memory=memory,
        toolchain=toolchain,
        sanitized=sanitize,
    )


def _must_take_photos(metadata: ModelMetadata | None, model: Path) -> ModelMetadata:
    if metadata is None:
        raise InputsError(
            "the model does not say how a photo becomes its input, nor what its outputs mean",
            where=str(model),
            hint="models that edgemcu made say it; this one takes tensors: edgemcu verify "
            "--inputs FILE.npy",
        )
    return metadata


def _program_here(
    request: FirmwareRequest, board: Board
) -> tuple[Path, MemoryUse] | tuple[None, None]:
    """The program that an earlier build left, if it holds this model; nothing is built."""
    builds = request.folder / PROJECT_FOLDER / ".pio" / "build"
    elf = builds / board.name / board.platformio.program
    digest = sha256_file(request.model).encode()
    if not elf.is_file() or digest not in elf.read_bytes():
        return None, None
    return elf, memory_use(elf, board)
