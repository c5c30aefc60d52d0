"""Step: everything that is out of date, then the firmware boots and every output byte is compared.

The outcome is kept with the digests of what it came from, so that a run without changes reads it
back in place of booting again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgemcu.artefacts import StepFolder, sha256_bytes, sha256_file, write_json, write_text
from edgemcu.board_schema import Board
from edgemcu.boards import load_board
from edgemcu.console import QUIET, Console
from edgemcu.data import load_dataset
from edgemcu.device.streaming import DeviceOutputs, stream, worth_workers
from edgemcu.device.target import default_target, open_target
from edgemcu.errors import EmulatorError, InputsError
from edgemcu.graph.ir import Graph, OpKind
from edgemcu.inputs import check_inputs
from edgemcu.reference import run_reference
from edgemcu.report.html import render_html
from edgemcu.report.model import RunReport
from edgemcu.report.store import load_report, store_report
from edgemcu.steps.build import BuiltFirmware, build_firmware
from edgemcu.steps.dataset import dataset_spec
from edgemcu.steps.quantize import QuantizedModel, quantize_model
from edgemcu.steps.request import FirmwareRequest
from edgemcu.steps.run_report import compose_report
from edgemcu.steps.stimulus import Stimulus, photo_stimulus, tensor_stimulus
from edgemcu.steps.train import TrainedModel, train_model
from edgemcu.tflite import read_metadata, read_model

DEFAULT_INPUTS = "random:10"
REPORT_PAGE = "report.html"
REPORT_DATA = "report.json"


@dataclass(frozen=True)
class RunResult:
    """What a run found out, and where its page lies.

    Attributes:
        report: every figure.
        page: the HTML report.
        unchanged: nothing had changed since an earlier run, whose outcome this is.
    """

    report: RunReport
    page: Path
    unchanged: bool

    @property
    def exit_code(self) -> int:
        """0 when every byte was equal."""
        return 0 if self.report.proven else 1

    def to_json(self) -> dict[str, Any]:
        return {
            **self.report.to_json(),
            "report_html": str(self.page),
            "unchanged": self.unchanged,
        }


@dataclass(frozen=True)
class Trained:
    """What a project's own steps made, for the record."""

    training: TrainedModel
    quantized: QuantizedModel


def run_firmware(
    request: FirmwareRequest,
    *,
    images: int | None = None,
    inputs: str | None = None,
    console: Console = QUIET,
    force: bool = False,
) -> RunResult:
    """Bring everything up to date, run the firmware, and compare it with the reference.

    Args:
        request: model, board and runtime.
        images: how many test photos to send; by default the project's `run.images`.
        inputs: "random:N" or a .npy file in place of photos; the default for a bare model is
            random inputs.
        force: train, quantize and run again though nothing changed.

    Raises:
        EdgemcuError: of any step on the way; EmulatorError for a board that has no emulator.
    """
    board = load_board(request.board, request.project_directory)
    if board.emulator is None:
        raise EmulatorError(f"{board.name} cannot be emulated", hint="see `edgemcu boards`")
    if inputs is not None and images is not None:
        raise InputsError("--images and --inputs exclude each other", where="--inputs")
    if inputs is not None:
        check_inputs(inputs)
    trained = None
    if request.own_model and request.project is not None:
        training = train_model(request.project, console=console, force=force)
        quantized = quantize_model(request.project, console=console, force=force)
        trained = Trained(training, quantized)
    graph = read_model(request.existing_model())
    tensors = _tensors(request, graph, images, inputs)
    built = build_firmware(request, console=console)
    wanted = _wanted(request, built, board, images, inputs)
    step = StepFolder(request.folder / "run", "run")
    page = step.path / REPORT_PAGE
    if not force and step.result(wanted) is not None:
        return RunResult(load_report(step.path / REPORT_DATA), page, unchanged=True)

    stimulus = tensors or _photos(request, graph, images, console)
    device = _run_on_device(built, board, stimulus, console)
    expected = run_reference(request.model, stimulus.tensors, console=console)
    tflite = None
    if any(op.kind is OpKind.FULLY_CONNECTED for op in graph.ops):
        tflite = run_reference(request.model, stimulus.tensors, micro=False, console=console)
    report = compose_report(
        request=request,
        board=board,
        built=built,
        graph=graph,
        sent=stimulus.sent,
        photos=stimulus.photos,
        what=stimulus.what,
        device=device,
        expected=expected,
        expected_tflite=tflite,
        training=trained.training if trained else None,
        quantized=trained.quantized if trained else None,
    )
    with step.rewriting(wanted) as staged:
        store_report(report, staged.path / REPORT_DATA)
        write_text(staged.path / REPORT_PAGE, render_html(report))
        write_json(staged.path / "summary.json", report.to_json())
    return RunResult(report, page, unchanged=False)


def _wanted(
    request: FirmwareRequest,
    built: BuiltFirmware,
    board: Board,
    images: int | None,
    inputs: str | None,
) -> dict[str, Any]:
    """What the outcome depends on, cheap to find out."""
    project = request.project if request.own_model else None
    file = Path(inputs) if inputs is not None else None
    return {
        "elf": sha256_file(built.build.elf),
        "model": built.project.model_digest,
        "board": sha256_bytes(board.model_dump_json().encode()),
        "images": images or (project.file.run.images if project else None),
        "inputs": inputs,
        "inputs_file": sha256_file(file) if file is not None and file.is_file() else None,
        "name": project.name if project else None,
        "training": project.file.training.model_dump() if project else None,
    }


def _tensors(
    request: FirmwareRequest, graph: Graph, images: int | None, inputs: str | None
) -> Stimulus | None:
    """The inputs of a run without photos; None for one with."""
    if inputs is None and request.own_model:
        return None
    if images is not None:
        raise InputsError(
            "a model that was brought along has no test photos",
            where="--images",
            hint="use --inputs random:N or --inputs FILE.npy",
        )
    what = inputs or DEFAULT_INPUTS
    return tensor_stimulus(graph, what)


def _photos(
    request: FirmwareRequest, graph: Graph, images: int | None, console: Console
) -> Stimulus:
    metadata = read_metadata(graph, str(request.model))
    assert metadata is not None and request.project is not None
    count = images or request.project.file.run.images
    dataset = load_dataset(dataset_spec(request.project), metadata.preprocessing, console=console)
    return photo_stimulus(graph, metadata, dataset.test, count)


def _run_on_device(
    built: BuiltFirmware, board: Board, stimulus: Stimulus, console: Console
) -> DeviceOutputs:
    connect = partial(
        open_target,
        board,
        built.build.elf,
        default_target(board),
        model_digest=built.project.model_digest,
    )
    return stream(
        connect,
        stimulus.sent,
        stimulus.kind,
        workers=worth_workers(len(stimulus.sent)),
        console=console,
    )
