"""The verb monitor: what a firmware classifies, live."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import click

from edgemcu.cli.firmware import firmware_options
from edgemcu.cli.flash import ask_which, can_ask, port_option
from edgemcu.cli.verb import EXIT_INTERRUPTED, examples, fail
from edgemcu.errors import DeviceError, EdgemcuError


@click.command(
    epilog=examples(
        "edgemcu monitor                            # the port that the project's board is at",
        "edgemcu monitor --port /dev/ttyACM0 --log seen.csv",
        "edgemcu monitor --on qemu                  # boots it, and sends it the test photos",
        "edgemcu monitor --on host --photos ~/photos/new --count 100",
        "edgemcu monitor --port COM3 --json | jq .label",
    )
    + "\n\n\b\nEnds with Ctrl-C. Exit codes:\n"
    "  0  as much was seen as was asked for, or Ctrl-C\n"
    "  1  the port cannot be used, was lost for good, or the emulated firmware failed\n"
    "  2  the command line is wrong"
)
@firmware_options
@port_option
@click.option(
    "--on",
    metavar="host|qemu|renode|PORT",
    help="Start the firmware there and give it photos; or the same as --port.",
)
@click.option("--baud", type=click.IntRange(1200), help="Of the line. [default: the board's]")
@click.option(
    "--photos",
    type=click.Path(path_type=Path, exists=True),
    help="For --on: a photo, or a folder of them. [default: the project's test photos]",
)
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="For --on: between two photos.",
)
@click.option(
    "--log", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv|FILE.jsonl",
    help="Append each inference to a file.",
)  # fmt: skip
@click.option("--raw", is_flag=True, help="Show all that arrives, frames included.")
@click.option(
    "--reconnect",
    type=click.IntRange(0),
    default=60,
    show_default=True,
    metavar="N",
    help="Attempts in a row to get a lost port back.",
)
@click.option("--no-reconnect", is_flag=True, help="The same as --reconnect 0.")
@click.option("--count", type=click.IntRange(1), help="End after so many inferences.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="End after so long.")
@click.option(
    "--top", type=click.IntRange(1, 20), default=5, show_default=True, help="Classes with bars."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per line.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only warnings and results.")
def monitor(
    project_path: Path,
    port: str | None,
    on: str | None,
    raw: bool,
    reconnect: int,
    no_reconnect: bool,
    top: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Watch what a firmware classifies.

    A live table of predictions with times, bars of the classes and the rate; plain lines into a
    pipe. Gets a lost port back, and turns the addresses of a crash into source lines. At a port
    nothing is sent to the board.
    """
    if port is not None and on is not None:
        raise click.UsageError("--port and --on exclude each other")
    if raw and as_json:
        raise click.UsageError("--raw and --json exclude each other")
    try:
        run(
            project_path,
            port or on,
            reconnects=0 if no_reconnect else reconnect,
            top=top,
            shape="raw" if raw else "json" if as_json else "",
            quiet=quiet,
            **options,
        )
    except EdgemcuError as error:
        if as_json:
            facts = {"message": error.message, "where": error.where, "hint": error.hint}
            click.echo(json.dumps({"event": "error", "kind": type(error).__name__, **facts}))
        fail(error)
    except KeyboardInterrupt:
        # While something was built; a monitor that runs already ends with its summary.
        click.echo("\ninterrupted; finished steps are kept", err=True)
        sys.exit(EXIT_INTERRUPTED)


def run(
    project_path: Path,
    on: str | None,
    *,
    reconnects: int = 60,
    top: int = 5,
    shape: str = "",
    quiet: bool = False,
    **options: Any,
) -> None:
    """Monitor, and show it in the shape that suits where stdout leads.

    Raises:
        EdgemcuError: as `monitor_firmware`.
    """
    from inspect import signature

    from rich.console import Console as RichTerminal

    from edgemcu.boards import load_board
    from edgemcu.cli import monitor_view
    from edgemcu.cli.terminal import make_console, result_terminal
    from edgemcu.device.watch import WatchLimits
    from edgemcu.steps.monitor import monitor_firmware
    from edgemcu.steps.request import firmware_request

    keys = options.keys() & signature(firmware_request).parameters
    asked = {key: options.pop(key) for key in keys}
    options.pop("force", None)
    request = board = None
    if asked["model"] is not None or _has_project(project_path):
        request = firmware_request(project_path, **asked)
        if on is None and request.project is not None:
            on = request.project.file.flash.port
    elif asked["board"] is not None:
        board = load_board(asked["board"])
    elif on is None:
        raise DeviceError(
            "what is to be monitored?",
            where="edgemcu monitor",
            hint="--port /dev/ttyACM0; or --board NAME, which finds its port; or go to a project",
        )
    terminal = result_terminal()
    live = not shape and terminal.is_terminal and not terminal.is_dumb_terminal
    view: Any
    if shape:
        view = monitor_view.JsonView() if shape == "json" else monitor_view.RawView()
    elif live:
        view = monitor_view.LiveView(terminal, top)
    else:
        view = monitor_view.PlainView()
    screen: AbstractContextManager[Any] = nullcontext() if not live else view
    with _ended_politely(), screen:
        result = monitor_firmware(
            request,
            view,
            on=on,
            board=board,
            limits=WatchLimits(reconnects=reconnects),
            choose=ask_which if can_ask() else None,
            console=make_console(quiet=quiet),
            **options,
        )
    if shape == "json":
        click.echo(json.dumps({"event": "summary", **result.to_json()}))
    else:
        monitor_view.summary(result, terminal if live else RichTerminal(stderr=True))
    if result.problem is not None:
        fail(result.problem)


def _has_project(path: Path) -> bool:
    from edgemcu.project import PROJECT_FILE

    return path.is_file() or (path / PROJECT_FILE).is_file()


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Ctrl-C and SIGTERM interrupt once: a second one must not interrupt the putting in order of
    the terminal and the ending of an emulator."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
