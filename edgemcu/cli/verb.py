"""What all verbs share: --json, --quiet, --project, and errors that are messages."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from edgemcu.errors import EdgemcuError
from edgemcu.report.text import printable_lines

F = TypeVar("F", bound=Callable[..., Any])

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


def examples(*lines: str) -> str:
    """An epilog with commands to try, kept as they are by click."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def verb(show: Callable[[Any], None], *, exit_on_error: int = EXIT_ERROR) -> Callable[[F], F]:
    """Turn a function that returns a result into a verb.

    The function is called with `console` added. Its result must have `to_json()`; it is shown by
    `show`, or printed as one JSON document with --json. Errors of edgemcu become a message on
    stderr (with --json also a document on stdout) and the exit code `exit_on_error`.
    """

    def decorate(function: F) -> F:
        @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
        @click.option("-q", "--quiet", is_flag=True, help="No progress, only warnings and results.")
        @functools.wraps(function)
        def run(*args: Any, as_json: bool, quiet: bool, **options: Any) -> None:
            from edgemcu.cli.terminal import make_console

            try:
                result = function(*args, console=make_console(quiet=quiet), **options)
            except EdgemcuError as error:
                fail(error, as_json, exit_on_error)
            except KeyboardInterrupt:
                click.echo("\ninterrupted; finished steps are kept", err=True)
                sys.exit(EXIT_INTERRUPTED)
            else:
                if as_json:
                    click.echo(json.dumps(result.to_json(), indent=2))
                else:
                    show(result)
                sys.exit(getattr(result, "exit_code", 0))

        return run  # type: ignore[return-value]

    return decorate


def fail(error: EdgemcuError, as_json: bool = False, exit_code: int = EXIT_ERROR) -> NoReturn:
    """Say what was wrong and what to do next, and exit."""
    if as_json:
        document = {
            "error": {
                "kind": type(error).__name__,
                "message": error.message,
                "where": error.where,
                "hint": error.hint,
            }
        }
        click.echo(json.dumps(document, indent=2))
    headline = f"{error.where}: {error.message}" if error.where else error.message
    # Messages quote files and names that come from anywhere.
    click.echo(click.style("error: ", fg="red", bold=True) + printable_lines(headline), err=True)
    if error.hint:
        click.echo(click.style("hint: ", fg="cyan") + printable_lines(error.hint), err=True)
    sys.exit(exit_code)


project_option = click.option(
    "--project",
    "project_path",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default="this folder",
    help="The project: its folder or its edgemcu.toml.",
)

force_option = click.option("--force", is_flag=True, help="Do it again though nothing changed.")

TRAINING_KEYS = ("preset", "epochs", "seed", "init")


def training_options(function: F) -> F:
    """--preset, --epochs, --seed and --init, passed on together as `training`."""

    @functools.wraps(function)
    def gather(*args: Any, **options: Any) -> Any:
        training = {key: options.pop(key) for key in TRAINING_KEYS}
        return function(*args, training=training, **options)

    for option in (
        click.option("--init", metavar="zoo:NAME|FILE", help="Start from trained weights."),
        click.option("--seed", type=click.IntRange(0), help="Seed of the training."),
        click.option("--epochs", type=click.IntRange(1), help="How long to train."),
        click.option("--preset", help="A training recipe: demo, quick, long."),
    ):
        gather = option(gather)
    return gather  # type: ignore[return-value]
