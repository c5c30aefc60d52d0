"""What `edgemcu bench` found out, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from edgemcu.cli.show import _table
from edgemcu.cli.terminal import result_terminal
from edgemcu.report.text import count, shape, size

if TYPE_CHECKING:
    from edgemcu.steps.bench import BenchResult, BenchRow


def bench(result: BenchResult) -> None:
    terminal = result_terminal()
    measured = [row for row in result.rows if row.reason is None]
    table = _table(
        *("model", "board", "runtime", "kernels", "instructions>", "per MAC>", "cycles*>"),
        *("per MAC>", "bytes"),
    )
    for row in measured:
        table.add_row(
            *(escape(row.model), row.board, row.runtime, row.kernels),
            _count(row.instructions),
            _ratio(row.instructions_per_mac),
            _count(row.cycles),
            _ratio(row.cycles_per_mac),
            "[green]equal[/green]" if row.bytes_equal else "[red]different[/red]",
        )
    terminal.print(table)
    terminal.print()
    terminal.print(_memory(measured))
    terminal.print()
    estimates = _estimates(measured)
    if estimates is not None:
        terminal.print(estimates)
        terminal.print(
            "* modelled for a Cortex-M4 without wait states; boards were seen to take 22 to 29 %"
            " longer, which the estimates have in them"
        )
    if result.with_layers:
        for row in measured:
            _layers(row)
    for row in result.rows:
        if row.reason is not None:
            name = escape(f"{row.model} on {row.board}, {row.runtime} {row.kernels}")
            terminal.print(f"[yellow]not measured:[/yellow] {name}: {escape(row.reason)}")
    terminal.print("\n" + "; ".join(f"{name}: {value}" for name, value in result.machine.items()))


def _memory(rows: list[BenchRow]) -> Table:
    table = _table(
        *("model", "board", "runtime", "kernels", "activations>", "stack>", "code>", "weights>"),
        *("firmware>", "its RAM>"),
    )
    for row in rows:
        table.add_row(
            *(escape(row.model), row.board, row.runtime, row.kernels),
            _count(row.arena_bytes),
            _count(row.stack_bytes),
            _count(row.code_bytes),
            _count(row.weights_bytes),
            size(row.flash_bytes or 0),
            size(row.ram_bytes or 0),
        )
    return table


def _estimates(rows: list[BenchRow]) -> Table | None:
    """Boards down, models across; only where cycles are modelled."""
    shown = [row for row in rows if row.estimates]
    if not shown:
        return None
    columns = [f"{row.model}, {row.runtime}, {row.kernels}>" for row in shown]
    table = _table("estimated ms", "clock>", "flash waits>", *columns)
    found = {
        (estimate.board, estimate.clock_hz, estimate.flash_wait_states): [
            next((e for e in row.estimates if e.board == estimate.board), None) for row in shown
        ]
        for row in shown
        for estimate in row.estimates
    }
    for (board, hz, waits), estimates in found.items():
        ranges = [f"{_ms(e.least_ms)}…{_ms(e.most_ms)}" if e else "-" for e in estimates]
        table.add_row(board, f"{hz / 1e6:g} MHz", "?" if waits is None else str(waits), *ranges)
    return table


def _layers(row: BenchRow) -> None:
    if not row.layers:
        return
    terminal = result_terminal()
    terminal.print(f"\n[bold]{escape(row.model)}[/bold] on {row.board}, {row.kernels}")
    table = _table(
        *("layer>", "", "output", "kernel", "MACs>", "instructions>", "per MAC>", "cycles*>"),
        *("per MAC>", "share>"),
    )
    total = sum(layer.cycles or layer.instructions for layer in row.layers)
    for layer in row.layers:
        table.add_row(
            str(layer.number),
            layer.kind,
            shape(layer.output_shape),
            layer.kernel,
            count(layer.macs),
            count(layer.instructions),
            _ratio(layer.instructions / layer.macs if layer.macs else None),
            _count(layer.cycles),
            _ratio(layer.cycles / layer.macs if layer.macs and layer.cycles else None),
            f"{100 * (layer.cycles or layer.instructions) / max(total, 1):.1f} %",
        )
    terminal.print(table)
    if row.flash_bytes is not None and row.ram_bytes is not None:
        terminal.print(
            f"firmware: {size(row.flash_bytes)} of flash, {size(row.ram_bytes)} of RAM with"
            " sketch, drivers and the stack that is kept free"
        )


def _count(value: int | None) -> str:
    return "-" if value is None else count(value)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _ms(value: float) -> str:
    """Three digits, and never an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
