"""The verb that measures: bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgemcu.cli.verb import examples, verb


def _show(result: Any) -> None:
    from edgemcu.cli import show_bench

    show_bench.bench(result)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


@click.command(
    epilog=examples(
        "edgemcu bench                                      # three networks, Cortex-M4F",
        "edgemcu bench --model model.tflite --board stm32f405 --layers",
        "edgemcu bench --kernels auto,portable --plot bench.svg --json",
        "edgemcu bench --runtime compiled,tflm              # with the library of [tflm]",
    )
)
@click.option("--model", "models", multiple=True, help="A .tflite or a built-in network; repeat.")
@click.option(
    "--board", "boards", multiple=True, help="One that QEMU emulates; repeat. [default: mps2-an386]"
)
@click.option(
    "--runtime", "runtimes", default="compiled", show_default=True, help="compiled, tflm, or both."
)
@click.option(
    "--kernels",
    default="auto,portable",
    show_default=True,
    help="Kernel sets of the compiled runtime; auto is the board's own.",
)
@click.option("--layers", is_flag=True, help="Each layer on its own.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="An .svg or .png.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bench"),
    show_default=True,
    help="Where firmware is built.",
)
@verb(_show)
def bench(
    models: tuple[str, ...],
    boards: tuple[str, ...],
    runtimes: str,
    kernels: str,
    layers: bool,
    plot: Path | None,
    out: Path,
    console: Any,
) -> Any:
    """Count instructions and cycles of models in QEMU.

    Builds each model for each board, runtime and kernel set, runs one inference of each, and
    compares its bytes with the reference. Cycles are modelled; times of boards are estimates.
    """
    from dataclasses import replace

    from edgemcu.steps.bench import DEFAULT_BOARDS, bench_models

    result = bench_models(
        models,
        boards or DEFAULT_BOARDS,
        _names(runtimes),
        _names(kernels),
        out=out,
        console=console,
    )
    if plot is not None:
        from edgemcu.bench.plot import plot_bars

        plot_bars([row.to_json() for row in result.rows], plot)
    return replace(result, with_layers=layers)
