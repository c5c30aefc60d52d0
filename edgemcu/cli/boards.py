"""The verb boards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgemcu.cli.verb import examples, project_option, verb

if TYPE_CHECKING:
    from edgemcu.steps.boards import BoardCheck, BoardFile, BoardList


def _show(result: BoardList | BoardCheck | BoardFile) -> None:
    from edgemcu.cli import show_boards
    from edgemcu.steps.boards import BoardCheck, BoardFile

    if isinstance(result, BoardFile):
        click.echo(result.text, nl=False)
    elif isinstance(result, BoardCheck):
        show_boards.checked(result)
    elif result.detailed:
        show_boards.details(result.boards[0])
    else:
        show_boards.table(result)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from edgemcu.boards import list_boards

    return [board.name for board in list_boards() if board.name.startswith(incomplete)]


@click.command(
    epilog=examples(
        "edgemcu boards",
        "edgemcu boards nucleo-l4r5zi",
        "edgemcu boards nucleo-f446re --toml > boards/my-board.toml",
        "edgemcu boards --check",
        "edgemcu boards --check boards/my-board.toml",
    )
)
@project_option
@click.option("--check", is_flag=True, help="Check all boards, or the files that are named.")
@click.option("--toml", is_flag=True, help="Print the board's data file, to begin another with.")
@click.argument("names", nargs=-1, metavar="[NAME | FILE…]", shell_complete=_complete)
@verb(_show)
def boards(
    project_path: Path, check: bool, toml: bool, names: tuple[str, ...], console: Any
) -> Any:
    """List the boards, the project's own included.

    With a NAME, all that is known of one. With --check, whether the files of all boards, or those
    that are named, are right: the schema, what must agree, and whether a project for the board
    compiles.
    """
    from edgemcu.steps.boards import board_file, check_boards, describe_boards

    folder = project_path.parent if project_path.is_file() else project_path
    if check:
        return check_boards(names, project_directory=folder, console=console)
    if len(names) > 1:
        raise click.UsageError("one board at a time; to check files, add --check")
    if toml:
        if not names:
            raise click.UsageError("--toml: of which board?")
        return board_file(names[0], folder)
    return describe_boards(names[0] if names else None, folder)
