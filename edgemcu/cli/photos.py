"""Verbs about photos and projects: init and dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgemcu.cli.verb import examples, force_option, project_option, verb


def _show_project(created: Any) -> None:
    from edgemcu.cli import show

    show.created_project(created)


def _show_dataset(report: Any) -> None:
    from edgemcu.cli import show

    show.dataset(report)


@click.command(
    epilog=examples(
        "edgemcu init my-project                                     # asks",
        "edgemcu init birds --photos ~/photos/birds --size 64 --board stm32f405",
        "edgemcu init pets --photos cifar10 --classes cat,dog",
    )
)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--photos", help="A folder with one folder per class, cifar10, or fashion-mnist.")
@click.option("--classes", help="Only these classes, separated by commas.")
@click.option("--size", type=click.IntRange(24, 224), help="Input size in pixels.")
@click.option("--colour", type=click.Choice(["rgb", "grey"]), help="Colour of the input.")
@click.option(
    "--architecture",
    type=click.Choice(["mobilenet_v1", "mobilenet_v2", "resnet8", "ds_cnn"]),
    help="The network.",
)
@click.option("--width", type=click.FloatRange(0.05, 2.0), help="Width multiplier.")
@click.option("--board", help="See `edgemcu boards`.")
@verb(_show_project)
def init(
    directory: Path,
    photos: str | None,
    classes: str | None,
    size: int | None,
    colour: str | None,
    architecture: str | None,
    width: float | None,
    board: str | None,
    console: Any,
) -> Any:
    """Create a project with a commented edgemcu.toml."""
    import sys

    from edgemcu.steps.init import init_project

    if photos is None and sys.stdin.isatty():
        photos = click.prompt("Photos (a folder of class folders, cifar10, fashion-mnist)")
    if photos is None:
        raise click.UsageError("say which photos: --photos FOLDER, cifar10 or fashion-mnist")
    names = tuple(name.strip() for name in classes.split(",")) if classes else None
    return init_project(
        directory,
        source=photos,
        classes=names,
        size=size,
        colour=colour,
        architecture=architecture,
        width=width,
        board=board,
    )


@click.command(epilog=examples("edgemcu dataset", "edgemcu dataset --project my-project --json"))
@project_option
@force_option
@verb(_show_dataset)
def dataset(project_path: Path, force: bool, console: Any) -> Any:
    """Look at the photos.

    Counts, sizes, broken files, duplicates, and a contact sheet to look at.
    """
    from edgemcu.project import load_project
    from edgemcu.steps.dataset import describe_dataset

    return describe_dataset(load_project(project_path), console=console, force=force)
