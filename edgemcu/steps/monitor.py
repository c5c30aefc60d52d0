"""Step: what a firmware classifies, live: figures, a log file, crashes as source lines.

A board at a port is only listened to. In an emulator, or as a process of this computer, the
firmware is started here, and given photos one after the other unless it has pictures of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from edgemcu.artefacts import sha256_file
from edgemcu.board_schema import Board
from edgemcu.boards import load_board
from edgemcu.console import QUIET, Console
from edgemcu.device.crash import Symbols, code_addresses, is_crash
from edgemcu.device.log import (
    LogDamage,
    LogEvent,
    LogFault,
    LogReader,
    LogRecord,
    LogStart,
    LogText,
)
from edgemcu.device.ports import SerialPort, find_port, name_now, port_called
from edgemcu.device.protocol import Identity, Kind
from edgemcu.device.target import DEFAULT_BAUD, Target, connect, parse_target, start
from edgemcu.device.watch import (
    Connected,
    FedLine,
    Line,
    Lost,
    Received,
    WatchEvent,
    WatchLimits,
    watch,
)
from edgemcu.errors import DeviceError, EdgemcuError
from edgemcu.firmware.assemble import IMAGE_HEADER
from edgemcu.steps.generate import PROJECT_FOLDER
from edgemcu.steps.monitor_figures import Clock, Figures, KnownModel
from edgemcu.steps.monitor_inputs import FEED_PAUSE_S, feed_inputs
from edgemcu.steps.monitor_log import RecordLog
from edgemcu.steps.request import DEFAULT_SOURCE, FirmwareRequest
from edgemcu.steps.subject import Subject, prepare

Choose = Callable[[Any], SerialPort]


@dataclass(frozen=True)
class CrashPlace:
    """A line of a crash report with what its addresses are in the sources.

    Attributes:
        lines: "pc 0x08001234  conv_2d at lib/…/conv.c:120", …; why not, where the program that
            runs there is not known.
    """

    lines: tuple[str, ...]


MonitorEvent = WatchEvent | LogEvent | CrashPlace


class MonitorView(Protocol):
    """What shows the events, as they come."""

    def show(self, event: MonitorEvent, figures: Figures) -> None: ...

    def tick(self, figures: Figures) -> None:
        """Some tenths of a second have passed."""
        ...


@dataclass(frozen=True)
class MonitorSummary:
    """What was seen.

    Attributes:
        target: the port, or the emulator.
        ended: "count" or "seconds" when as much as was asked for has been seen, "interrupted", or
            "failed".
        seconds: how long it was watched.
        count, missed, damaged, restarts, reconnects, crashes: as in `Figures`.
        unit: of the times: "ms", "ms of this computer", "instructions" or "ticks".
        p50, p95, p99, max: of the inferences' times; None where there was none.
        classes: predictions by class.
        log: the file that was written.
        problem: why it failed: the line was lost for good, or the emulated firmware has failed.
    """

    target: str
    ended: str
    seconds: float
    count: int
    missed: int
    damaged: int
    restarts: int
    reconnects: int
    crashes: int
    unit: str
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None
    classes: dict[str, int]
    log: Path | None
    problem: DeviceError | None

    @property
    def exit_code(self) -> int:
        return 0 if self.problem is None else 1

    def to_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        log = None if self.log is None else str(self.log)
        problem = None if self.problem is None else self.problem.message
        return {**facts, "log": log, "problem": problem}


def monitor_firmware(
    request: FirmwareRequest | None,
    view: MonitorView,
    *,
    on: str | None = None,
    baud: int | None = None,
    board: Board | None = None,
    photos: Path | None = None,
    interval_s: float = FEED_PAUSE_S,
    log: Path | None = None,
    limits: WatchLimits | None = None,
    count: int | None = None,
    seconds: float | None = None,
    choose: Choose | None = None,
    console: Console = QUIET,
) -> MonitorSummary:
    """Show what a firmware classifies until it has been enough, or somebody interrupts.

    Args:
        request: the project or model that the firmware was made from; None if only the port is
            known: then outputs have no other names than those on the lines.
        view: shows it.
        on: as `parse_target`; by default the port that the board is plugged into.
        baud: of the serial line.
        board: for its USB ids and speed, where there is no request.
        photos: a file or folder that an emulated firmware gets; by default the project's test
            photos.
        interval_s: seconds between two of them.
        log: a .csv or .jsonl file to append to.
        limits: of getting a lost line back.
        count, seconds: when it is enough.
        choose: picks one of several ports.

    Raises:
        DeviceError: there is no such port, or the emulator does not start.
        InputsError: the log or the photos cannot be used.
        EdgemcuError: of building for the emulator.
    """
    if request is not None:
        board = load_board(request.board, request.project_directory)
    # First of all: what cannot be written is said before minutes of building.
    record_log = RecordLog(log) if log is not None else None
    try:
        source = _source(request, on, baud, board, photos, interval_s, choose, console)
        job = _Monitor(source, view, record_log, count)
        return job.run(limits or WatchLimits(), seconds)
    finally:
        if record_log is not None:
            record_log.close()


@dataclass(frozen=True)
class _Source:
    """Where the log comes from, and what is known about who writes it.

    Attributes:
        open: the line to it.
        program, base: ELF file for crashes, and the folder of its sources.
    """

    name: str
    open: Callable[[], Line]
    clock: Clock
    model: KnownModel | None
    program: Path | None
    base: Path | None


def _source(
    request: FirmwareRequest | None,
    on: str | None,
    baud: int | None,
    board: Board | None,
    photos: Path | None,
    interval_s: float,
    choose: Choose | None,
    console: Console,
) -> _Source:
    if request is not None and on in ("host", "qemu", "renode"):
        subject = prepare(request, on=on, baud=baud, console=console)
        return _started(subject, photos, interval_s, console)
    if on in ("host", "qemu", "renode"):
        raise DeviceError(
            "there is no firmware to start here", where=f"--on {on}",
            hint="go to a project, or give a model: --model FILE.tflite",
        )  # fmt: skip
    target, port = _port(on, baud, board, choose)
    model = program = base = None
    if request is not None:
        model, base = _model(request), request.folder / PROJECT_FOLDER
        assert board is not None
        program = base / ".pio" / "build" / board.name / board.platformio.program
        program = program if program.is_file() else None

    def open_line() -> Line:
        return connect(replace(target, port=name_now(port)))

    return _Source(str(target), open_line, Clock(), model, program, base)


def _started(subject: Subject, photos: Path | None, interval_s: float, console: Console) -> _Source:
    inputs: list[bytes] = []
    kind = Kind.TENSOR
    if subject.request.source == DEFAULT_SOURCE or photos is not None:
        inputs, kind = feed_inputs(subject, photos, console)
    clock = Clock(here=subject.target.kind == "host")

    def open_line() -> Line:
        transport, clock.instructions_per_tick = start(
            subject.board, subject.program, subject.target, None
        )
        return FedLine(transport, inputs, kind, interval_s) if inputs else transport

    classes = subject.metadata.classes if subject.metadata else ()
    model = KnownModel(subject.model_digest, subject.graph, classes)
    base = subject.request.folder / PROJECT_FOLDER
    return _Source(str(subject.target), open_line, clock, model, subject.program, base)


def _port(
    on: str | None, baud: int | None, board: Board | None, choose: Choose | None
) -> tuple[Target, SerialPort]:
    speed = baud or int(getattr(getattr(board, "serial", None), "baud", DEFAULT_BAUD))
    if on is not None:
        target = Target("port", on, speed) if board is None else parse_target(on, board, baud=baud)
        return target, port_called(on, board)
    if board is None:
        raise DeviceError(
            "which port?",
            where="--port",
            hint="edgemcu monitor --port /dev/ttyACM0, or --board NAME to find it",
        )
    port = find_port(board, choose=choose)
    return Target("port", port.device, speed), port


def _model(request: FirmwareRequest) -> KnownModel | None:
    """The request's model, if it is there: monitoring goes without it, too."""
    try:
        path = request.existing_model()
        return KnownModel.load(path, sha256_file(path))
    except EdgemcuError:
        return None


class _Monitor:
    """One run: events in, figures and a log out."""

    def __init__(
        self, source: _Source, view: MonitorView, log: RecordLog | None, count: int | None
    ) -> None:
        self._source = source
        self._count = count
        self._view = view
        self._log = log
        self._figures = Figures(source.clock, source.model)
        self._reader = LogReader()
        self._connected = False
        self._symbols: Symbols | None = None
        self._identity: Identity | None = None
        self._last_at_start: LogRecord | None = None

    def run(self, limits: WatchLimits, seconds: float | None) -> MonitorSummary:
        started = time.monotonic()
        ended, problem = "interrupted", None
        events = watch(self._source.open, limits)
        try:
            for event in events:
                if event is not None:
                    self._take(event)
                self._view.tick(self._figures)
                if self._enough:
                    ended = "count"
                    break
                if seconds is not None and time.monotonic() - started >= seconds:
                    ended = "seconds"
                    break
        except KeyboardInterrupt:
            pass
        except DeviceError as error:
            # What was seen until then is worth its summary.
            if not self._connected:
                raise
            ended, problem = "failed", error
        finally:
            events.close()
            if self._symbols is not None:
                self._symbols.close()
        return self._summary(ended, time.monotonic() - started, problem)

    @property
    def _enough(self) -> bool:
        return self._count is not None and self._figures.count >= self._count

    def _take(self, event: WatchEvent) -> None:
        figures = self._figures
        if isinstance(event, Connected):
            # Half a line of before must not run into the first one of now.
            self._reader = LogReader()
            self._connected = True
            figures.reconnects += event.again
        elif isinstance(event, Lost):
            figures.lost()
        self._view.show(event, figures)
        if isinstance(event, Received):
            for found in self._reader.feed(event.data):
                self._log_event(found)
                if self._enough:
                    return

    def _log_event(self, event: LogEvent) -> None:
        figures = self._figures
        if isinstance(event, LogRecord):
            figures.record(event, time.monotonic())
            if self._log is not None:
                exact = self._source.clock.instructions_per_tick is not None
                self._log.record(event, int(figures.value(event)) if exact else None)
        elif isinstance(event, LogDamage):
            figures.damaged += 1
        elif isinstance(event, LogStart):
            # It also says who it is when a host asks: no news, unless something was seen since.
            if event.identity == self._identity and figures.last is self._last_at_start:
                return
            figures.started()
            self._identity, self._last_at_start = event.identity, figures.last
        self._view.show(event, figures)
        if isinstance(event, (LogText, LogFault)):
            self._crash(event.text)

    def _crash(self, text: str) -> None:
        self._figures.crashes += is_crash(text)
        if not code_addresses(text):
            return
        self._view.show(CrashPlace(tuple(self._explained(text))), self._figures)

    def _explained(self, text: str) -> list[str]:
        program = self._source.program
        if program is None:
            return ["where that is in the sources: build the firmware here, then monitor again"]
        try:
            if self._symbols is None:
                self._symbols = Symbols(program, self._source.base)
            return [*self._symbols.explain(text), *self._doubts()]
        except DeviceError as error:
            return [str(error)]

    def _doubts(self) -> list[str]:
        """What is to be said about lines of a program that may be another one than runs there."""
        base = self._source.base
        header = base / IMAGE_HEADER if base is not None else None
        if self._identity is None or header is None or not header.is_file():
            return []
        if self._identity.image in header.read_text(encoding="utf-8", errors="replace"):
            return []
        return ["the firmware that runs there is not the one that was built here: flash it again"]

    def _summary(self, ended: str, seconds: float, problem: DeviceError | None) -> MonitorSummary:
        figures = self._figures
        return MonitorSummary(
            target=self._source.name,
            ended=ended,
            seconds=seconds,
            count=figures.count,
            missed=figures.missed,
            damaged=figures.damaged,
            restarts=figures.restarts,
            reconnects=figures.reconnects,
            crashes=figures.crashes,
            unit=figures.unit,
            p50=figures.percentile(50),
            p95=figures.percentile(95),
            p99=figures.percentile(99),
            max=figures.percentile(100),
            classes=figures.totals(),
            log=self._log.path if self._log is not None else None,
            problem=problem,
        )
