"""Verbs about firmware: generate, build and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgemcu.cli.verb import F, examples, force_option, project_option, training_options, verb


def _show_project(result: Any) -> None:
    from edgemcu.cli import show

    show.generated_project(result)


def _show_build(result: Any) -> None:
    from edgemcu.cli import show

    show.build(result)


def _show_run(result: Any) -> None:
    from edgemcu.cli import show

    show.run(result)


def _complete_board(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from edgemcu.boards import list_boards

    return [board.name for board in list_boards() if board.name.startswith(incomplete)]


def _complete_kernels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from edgemcu.compiler.kernels import targets

    return [name for name in ("auto", *sorted(targets())) if name.startswith(incomplete)]


def _complete_pass(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from edgemcu.compiler import PASSES

    return [name for name in PASSES if name.startswith(incomplete)]


def firmware_options(function: F) -> F:
    """--project, --model, --board, --runtime, --kernels, --source, --no-pass, --out and --force."""
    options: list[Callable[[Any], Any]] = [
        project_option,
        click.option(
            "--model",
            type=click.Path(path_type=Path),
            help="Any full int8 .tflite, instead of a project's own model.",
        ),
        click.option(
            "--board",
            shell_complete=_complete_board,
            help="See `edgemcu boards`. [default: the project's]",
        ),
        click.option(
            "--runtime",
            type=click.Choice(["compiled", "tflm"]),
            help="[default: the project's, or compiled]",
        ),
        click.option(
            "--source",
            type=click.Choice(["serial", "flash", "camera"]),
            help="Where the firmware's pictures come from. [default: the project's, or serial]",
        ),
        click.option(
            "--kernels",
            metavar="auto|portable|…",
            shell_complete=_complete_kernels,
            help="The compiled runtime's kernel set. [default: the project's, or the board's]",
        ),
        click.option(
            "--no-pass",
            "no_pass",
            metavar="NAME",
            multiple=True,
            shell_complete=_complete_pass,
            help="Leave out a lossless pass of the compiled runtime; may be repeated.",
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where to write. [default: build/ in the project or here]",
        ),
        force_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command(
    epilog=examples(
        "edgemcu generate --board stm32f405",
        "edgemcu generate --model any.tflite --board mps2-an500 --out firmware",
    )
)
@firmware_options
@verb(_show_project)
def generate(project_path: Path, console: Any, **options: Any) -> Any:
    """Write a PlatformIO project for a board."""
    from edgemcu.steps.generate import generate_firmware
    from edgemcu.steps.request import firmware_request

    force = options.pop("force")
    request = firmware_request(project_path, **options)
    return generate_firmware(request, console=console, force=force)


@click.command(
    epilog=examples(
        "edgemcu build --board stm32f405",
        "edgemcu build --model any.tflite --board host --json",
    )
)
@firmware_options
@verb(_show_build)
def build(project_path: Path, console: Any, **options: Any) -> Any:
    """Build a board's firmware with PlatformIO."""
    from edgemcu.steps.build import build_firmware
    from edgemcu.steps.request import firmware_request

    force = options.pop("force")
    request = firmware_request(project_path, **options)
    return build_firmware(request, console=console, force=force)


@click.command(
    epilog=examples(
        "edgemcu run                                      # the project's board and photos",
        "edgemcu run --board mps3-an547 --images 50",
        "edgemcu run --model any.tflite --board host --inputs random:20",
        "edgemcu run --model any.tflite --board stm32f405 --inputs inputs.npy --json",
    )
)
@firmware_options
@click.option(
    "--images", type=click.IntRange(1), help="How many test photos. [project: run.images]"
)
@click.option(
    "--inputs",
    metavar="random:N|FILE.npy",
    help="Inputs for a model without photos: N seeded random ones, or an int8 array (N, …).",
)
@training_options
@verb(_show_run)
def run(
    project_path: Path,
    images: int | None,
    inputs: str | None,
    training: dict[str, Any],
    console: Any,
    **options: Any,
) -> Any:
    """Do it all, and compare every output byte.

    Trains, quantizes, generates and builds what is out of date, boots the firmware, sends it
    photos, and compares its answers with TensorFlow Lite's.
    """
    from edgemcu.steps.request import firmware_request
    from edgemcu.steps.run import run_firmware

    force = options.pop("force")
    request = firmware_request(project_path, **options)
    return run_firmware(
        request.with_training(training),
        images=images,
        inputs=inputs,
        console=console,
        force=force,
    )
