"""Verbs about the network: train, quantize and inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgemcu.cli.verb import examples, force_option, project_option, training_options, verb


def _show_training(result: Any) -> None:
    from edgemcu.cli import show

    show.training(result)


def _show_quantization(result: Any) -> None:
    from edgemcu.cli import show

    show.quantization(result)


def _show_inspection(result: Any) -> None:
    from edgemcu.cli import show

    show.inspection(result)


@click.command(
    epilog=examples(
        "edgemcu train",
        "edgemcu train --preset long",
        "edgemcu train --init zoo:cifar10-mobilenet-v1",
    )
)
@project_option
@training_options
@force_option
@verb(_show_training)
def train(project_path: Path, training: dict[str, Any], force: bool, console: Any) -> Any:
    """Train the network.

    Continues where an interrupted training stopped. The test photos are looked at once, at the
    end.
    """
    from edgemcu.project import load_project
    from edgemcu.steps.train import train_model

    project = load_project(project_path).with_training(training)
    return train_model(project, console=console, force=force)


@click.command(epilog=examples("edgemcu quantize", "edgemcu quantize --json"))
@project_option
@force_option
@verb(_show_quantization)
def quantize(project_path: Path, force: bool, console: Any) -> Any:
    """Quantize the network to full int8.

    Says what that cost in accuracy, over the whole test set, under the reference kernels.
    """
    from edgemcu.project import load_project
    from edgemcu.steps.quantize import quantize_model

    return quantize_model(load_project(project_path), console=console, force=force)


@click.command(
    epilog=examples(
        "edgemcu inspect build/quantize/model.tflite",
        "edgemcu inspect downloaded.tflite --board stm32f405 --json",
        "edgemcu inspect model.tflite --board stm32f405 --layers",
    )
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", "boards", multiple=True, help="Only these boards; may be repeated.")
@click.option("--layers", is_flag=True, help="Each layer's kernel, cost and place in memory.")
@verb(_show_inspection)
def inspect(model: Path, boards: tuple[str, ...], layers: bool, console: Any) -> Any:
    """Look into any int8 .tflite.

    Layers, MACs, RAM and flash per runtime and board, and what is unsupported.
    """
    from edgemcu.steps.inspect import inspect_model

    return inspect_model(model, boards=boards or None, layers=layers)
