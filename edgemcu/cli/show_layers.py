"""The compiled runtime's layers, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from edgemcu.cli.terminal import result_terminal
from edgemcu.report.text import count

if TYPE_CHECKING:
    from edgemcu.steps.layers import CompiledPlan


def compiled_plan(plan: CompiledPlan) -> None:
    terminal = result_terminal()
    terminal.print(f"\n[bold]{plan.kernels}[/bold] kernels, for {', '.join(plan.boards)}")
    if plan.reason is not None:
        terminal.print(f"[red]{escape(plan.reason)}[/red]")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "output", "kernel"):
        table.add_column(column, no_wrap=True)
    for column in ("MACs", "cost", "bound", "weights", "offset", "bytes", "scratch"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("slides")
    for layer in plan.layers:
        table.add_row(
            str(layer.number),
            "×".join(map(str, layer.output_shape[1:] or layer.output_shape)),
            layer.kernel,
            count(layer.macs),
            "-" if layer.cost is None else count(round(layer.cost)),
            count(round(layer.bound)),
            count(layer.weights_bytes),
            count(layer.offset),
            count(layer.output_bytes),
            count(layer.scratch_bytes),
            "yes" if layer.overlaps else "",
        )
    terminal.print(table)
    terminal.print(
        "cost: estimated; bound: multiplications alone; slides: the output is written over what was"
        " read of the input"
    )
    for layer in plan.layers:
        for note in layer.notes:
            terminal.print(f"layer {layer.number}: {escape(note)}")
    terminal.print(
        f"activations: {count(plan.arena_bytes)} bytes; no plan for these kernels needs less than "
        f"{count(plan.arena_lower_bound)}. Constants: {count(plan.weights_bytes)} bytes."
    )
