"""`edgemcu verify`: the regression test of a firmware, on an emulator or on the board itself."""

from __future__ import annotations

import datetime
import json
import platform
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu._version import __version__
from edgemcu.artefacts import StepFolder, sha256_file, write_json, write_text
from edgemcu.console import QUIET, Console
from edgemcu.device.protocol import Identity
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.streaming import DeviceOutputs, infer_rows
from edgemcu.errors import InputsError
from edgemcu.reference import inputs_digest, reference_name, reference_outputs
from edgemcu.report.comparison import Comparison, compare, regression_checks
from edgemcu.report.junit import junit_error, junit_xml
from edgemcu.report.text import printable
from edgemcu.report.verification import (
    Difference,
    Distribution,
    Figures,
    Prediction,
    Verification,
    load_verification,
)
from edgemcu.report.verification_html import render_verification
from edgemcu.report.verification_markdown import verification_markdown
from edgemcu.steps.checks import Circumstances, make_checks
from edgemcu.steps.evidence import (
    device_evaluation,
    find_mismatches,
    machine_name,
    output_scores,
    photo_samples,
)
from edgemcu.steps.request import DEFAULT_KERNELS, FirmwareRequest
from edgemcu.steps.stimulus import Stimulus
from edgemcu.steps.subject import Subject, prepare
from edgemcu.steps.verify_inputs import choose_stimulus, verify_settings

BASELINE_FILE = "edgemcu-baseline.json"
GOLDEN_FOLDER = "golden"

EXIT_FAILED = 1


@dataclass(frozen=True)
class VerifyResult:
    """What came of a verification.

    Attributes:
        verification: figures and checks.
        comparison: with the baseline, if there is one.
        page: the HTML report.
        saved: the baseline that was written.
    """

    verification: Verification
    comparison: Comparison | None
    page: Path
    saved: Path | None = None

    @property
    def passed(self) -> bool:
        return self.verification.passed

    @property
    def exit_code(self) -> int:
        """0 when no check failed."""
        return 0 if self.passed else EXIT_FAILED

    def to_json(self) -> dict[str, Any]:
        return {
            **self.verification.to_json(),
            "comparison": self.comparison.to_json() if self.comparison else None,
            "report_html": str(self.page),
            "saved_baseline": str(self.saved) if self.saved else None,
        }


@dataclass(frozen=True)
class Outputs:
    """Files to write beside the ones in the build folder; None for none."""

    junit: Path | None = None
    html: Path | None = None
    markdown: Path | None = None


def verify_firmware(
    request: FirmwareRequest,
    *,
    on: str | None = None,
    baud: int | None = None,
    images: int | None = None,
    inputs: str | None = None,
    photos: Path | None = None,
    sanitize: bool = False,
    baseline: Path | None = None,
    save_baseline: bool = False,
    outputs: Outputs = Outputs(),
    limits: Limits | None = None,
    force: bool = False,
    console: Console = QUIET,
) -> VerifyResult:
    """Compare what a firmware answers with the reference, and with the project's limits.

    An emulator or this computer gets a firmware that is up to date. A board at a port keeps the
    one that it has, which must hold the project's model.

    Args:
        request: model, board and runtime.
        on: as `edgemcu.device.target.parse_target`; by default where the board is emulated.
        baud: another speed of the serial line than the board's.
        images: how many photos to send; by default the project's `verify.images`.
        inputs: "random:N" or a .npy file in place of photos.
        photos: a folder of class folders; by default the project's `verify.photos`, or its test
            photos.
        sanitize: with sanitizers, on this computer.
        baseline: an earlier report to compare with; by default BASELINE_FILE beside the project
            file, if it is there.
        save_baseline: make this run the baseline, if it passes.
        outputs: files to write; a JUnit file is written even if nothing could be verified.
        limits: time-outs and retries of the session.
        force: build though nothing changed.

    Raises:
        EdgemcuError: of any step on the way; DeviceError for a device that is silent, hangs, or
            holds another firmware.
    """
    started = time.monotonic()
    with errors_in_junit(outputs.junit, request.board, on):
        path = _baseline_path(request, baseline, save_baseline)
        old = (
            load_verification(path) if path and not (save_baseline and not path.exists()) else None
        )
        subject = prepare(
            request, on=on, baud=baud, sanitize=sanitize, force=force, console=console
        )
        stimulus = choose_stimulus(subject, images, inputs, photos, console)
        expected = golden(subject, stimulus, console)
        device = subject.run(stimulus, self_test=True, limits=limits, console=console)
        verification = assemble(subject, stimulus, expected, device)
        comparison = None
        if old is not None:
            comparison = compare(old, verification, str(path))
            tolerance = verify_settings(subject).max_regression
            if tolerance is not None and not save_baseline:
                more = regression_checks(comparison, tolerance)
                verification = replace(verification, checks=(*verification.checks, *more))
        seconds = time.monotonic() - started
        page = _write(subject, verification, comparison, outputs, seconds)
        saved = None
        if save_baseline and path is not None:
            if verification.passed:
                _save(path, json.dumps(verification.to_json(), indent=2) + "\n")
                saved = path
            else:
                console.warn("not saved as the baseline: a check failed")
    return VerifyResult(verification, comparison, page, saved)


def verify_session(
    subject: Subject,
    session: DeviceSession,
    *,
    images: int | None = None,
    inputs: str | None = None,
    photos: Path | None = None,
    console: Console = QUIET,
) -> Verification:
    """The same in a session that is open already and stays so; no baseline, no files.

    Raises:
        As `verify_firmware`.
    """
    stimulus = choose_stimulus(subject, images, inputs, photos, console)
    expected = golden(subject, stimulus, console)
    device = infer_rows(session, stimulus.sent, stimulus.kind, self_test=True)
    return assemble(subject, stimulus, expected, device)


@contextmanager
def errors_in_junit(junit: Path | None, board: str, on: str | None) -> Iterator[None]:
    """Write whatever error ends the block to `junit` too: CI must see a test case, not a gap."""
    started = time.monotonic()
    try:
        yield
    except Exception as error:
        if junit is not None:
            seconds = time.monotonic() - started
            text = junit_error(board, on or "emulator", error, seconds=seconds, finished=_now())
            # That it cannot be written, too, is not what went wrong.
            with suppress(OSError):
                write_text(junit, text)
        raise


def golden(subject: Subject, stimulus: Stimulus, console: Console = QUIET) -> NDArray[np.uint8]:
    """The reference's outputs for `stimulus`, kept in the build folder."""
    folder = subject.request.build_folder / GOLDEN_FOLDER
    return reference_outputs(subject.request.model, stimulus.tensors, folder, console=console)


def assemble(
    subject: Subject, stimulus: Stimulus, expected: NDArray[np.uint8], device: DeviceOutputs
) -> Verification:
    """Figures and checks of what came back."""
    photos, board, target = stimulus.photos, subject.board, subject.target
    scores = output_scores(subject.graph, device.outputs)
    equal = (device.outputs == expected).all(axis=1)
    evaluation = device_evaluation(photos, scores)
    own = _found_program(subject, device.identity)
    memory = subject.memory if own else None
    test = device.self_test
    timed = device.seconds is not None and target.kind == "port" and not board.hosted
    figures = Figures(
        inferences=len(expected),
        bytes_equal=int(equal.sum()),
        output_bytes=subject.graph.output_bytes,
        accuracy=evaluation.accuracy if evaluation else None,
        photos=evaluation.total if evaluation else 0,
        latency_ms=Distribution.of([1000 * s for s in device.seconds or ()]) if timed else None,
        instructions=Distribution.of(device.instructions) if device.instructions else None,
        flash_bytes=memory.flash_bytes if memory else None,
        flash_limit=board.flash_bytes,
        ram_bytes=memory.ram_bytes if memory else None,
        ram_limit=board.ram_bytes,
        arena_planned=device.identity.arena_planned,
        arena_used=device.identity.arena_used,
        stack_used=test.stack_used if test else None,
        stack_limit=device.identity.stack_bytes or None,
        restarts=device.restarts,
        damaged=device.damaged,
    )
    circumstances = Circumstances(
        target=target,
        hosted=board.hosted,
        runtime=subject.request.runtime,
        promised_kernels=subject.promised_kernels,
        identity=device.identity,
        self_test=test,
        sanitized=subject.sanitized,
    )
    predictions: tuple[Prediction, ...] = ()
    if photos is not None and scores is not None:
        predictions = tuple(
            Prediction(
                printable(photos.ids[row]),
                photos.classes[int(photos.labels[row])],
                photos.classes[int(scores[row].argmax())],
                round(float(scores[row].max()), 6),
            )
            for row in range(len(photos))
        )
    return Verification(
        title=_title(subject),
        board=board.name,
        board_name=board.title,
        target=str(target),
        machine=machine_name(board, target),
        runtime=device.identity.runtime,
        kernels=device.identity.kernels,
        model_sha256=subject.model_digest,
        model_bytes=subject.request.model.stat().st_size,
        firmware=device.identity.firmware,
        elf_sha256=sha256_file(subject.program) if own and subject.program else None,
        sanitized=subject.sanitized,
        inputs=stimulus.what,
        inputs_sha256=inputs_digest(stimulus.tensors),
        figures=figures,
        checks=make_checks(figures, verify_settings(subject), circumstances),
        predictions=predictions,
        differences=_differences(expected, device.outputs, stimulus),
        versions=_versions(subject),
        finished=_now(),
        command=_command(subject, stimulus),
        samples=photo_samples(photos, scores, equal),
    )


def _found_program(subject: Subject, identity: Identity) -> bool:
    """Whether the program in the build folder is the one that answered."""
    if subject.target.kind != "port" or subject.program is None:
        return subject.program is not None
    return bool(identity.image) and identity.image.encode() in subject.program.read_bytes()


def _differences(
    expected: NDArray[np.uint8], got: NDArray[np.uint8], stimulus: Stimulus
) -> tuple[Difference, ...]:
    return tuple(
        Difference(
            inference=m.inference,
            input=printable(stimulus.photos.ids[m.inference]) if stimulus.photos else None,
            offset=int(np.flatnonzero(expected[m.inference] != got[m.inference])[0]),
            differing=m.differing,
            expected=m.expected.hex(),
            got=m.got.hex(),
        )
        for m in find_mismatches(expected, got)
    )


def _title(subject: Subject) -> str:
    project = subject.request.project
    return project.name if project else printable(subject.request.model.stem)


def _versions(subject: Subject) -> dict[str, str]:
    versions = {
        "edgemcu": __version__,
        "Python": platform.python_version(),
        "reference": reference_name(),
    }
    return {**versions, "compiler": subject.toolchain} if subject.toolchain else versions


def _command(subject: Subject, stimulus: Stimulus) -> str:
    request = subject.request
    source = ["--project", str(request.project.directory)] if request.project else []
    configured = request.project.file.firmware.model if request.project else None
    if not request.own_model and configured is None:
        source += ["--model", str(request.model)]
    words = ["edgemcu", "verify", *source, "--board", request.board, "--on", str(subject.target)]
    words += ["--runtime", request.runtime]
    if request.kernels != DEFAULT_KERNELS:
        words += ["--kernels", request.kernels]
    for name in request.no_passes:
        words += ["--no-pass", name]
    if stimulus.photos is None:
        words += ["--inputs", stimulus.what]
    else:
        words += ["--images", str(len(stimulus.photos))]
    return shlex.join([*words, "--sanitize"] if subject.sanitized else words)


def _baseline_path(request: FirmwareRequest, given: Path | None, save: bool) -> Path | None:
    if given is not None:
        return given
    project = request.project
    beside = project.directory / BASELINE_FILE if project else None
    if save and beside is None:
        raise InputsError(
            "say where the baseline is to be kept", where="--save-baseline", hint="--baseline FILE"
        )
    return beside if beside is not None and (save or beside.is_file()) else None


def _write(
    subject: Subject,
    verification: Verification,
    comparison: Comparison | None,
    outputs: Outputs,
    seconds: float,
) -> Path:
    """Write the reports; the path of the page in the build folder."""
    step = StepFolder(subject.request.folder / f"verify-{subject.target.kind}", "verify")
    page = render_verification(verification, comparison)
    inputs = {
        "model": verification.model_sha256,
        "inputs": verification.inputs_sha256,
        "elf": verification.elf_sha256,
        "target": verification.target,
    }
    with step.rewriting(inputs) as staged:
        write_text(staged.path / "report.html", page)
        write_json(staged.path / "report.json", verification.to_json())
    for path, text in (
        (outputs.html, page),
        (outputs.markdown, verification_markdown(verification, comparison)),
        (outputs.junit, junit_xml(verification, seconds)),
    ):
        if path is not None:
            _save(path, text)
    return step.path / "report.html"


def _save(path: Path, text: str) -> None:
    """Raises: InputsError: the file that was asked for cannot be written."""
    try:
        write_text(path, text)
    except OSError as error:
        raise InputsError(f"cannot be written: {error.strerror}", where=str(path)) from None


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
