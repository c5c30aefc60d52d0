"""Boards as people read them, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from edgemcu.cli.terminal import result_terminal
from edgemcu.report.text import size

if TYPE_CHECKING:
    from edgemcu.board_schema import Board
    from edgemcu.steps.boards import BoardCheck, BoardList, BoardRoom


def table(listing: BoardList) -> None:
    rows = Table(box=None, pad_edge=False, header_style="bold")
    rows.add_column("board", no_wrap=True)
    rows.add_column("core", no_wrap=True)
    for heading in ("clock", "flash", "RAM", "weights to", "activations to"):
        rows.add_column(heading, justify="right", no_wrap=True)
    rows.add_column("emulator", no_wrap=True)
    for entry in listing.boards:
        board = entry.board
        rows.add_row(
            f"[bold]{board.name}[/bold]",
            board.core.name,
            f"{board.clock_hz / 1e6:g} MHz" if board.clock_hz else "-",
            _size(board.flash_bytes),
            _size(board.ram_bytes),
            _size(entry.weights_bytes),
            _size(entry.arena_bytes),
            _emulator(board),
        )
    terminal = result_terminal()
    terminal.print(rows)
    terminal.print("[dim]edgemcu boards NAME says more of one[/dim]")


def _size(value: int | None) -> str:
    return "-" if value is None else size(value)


def _emulator(board: Board) -> str:
    if board.emulator is None:
        return "-"
    return f"QEMU {board.emulator.machine}" if board.emulator.kind == "qemu" else "a process"


def details(entry: BoardRoom) -> None:
    board = entry.board
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim")
    rows.add_column(overflow="fold")
    rows.add_row("chip", f"{board.mcu}, {board.core.name}")
    if board.clock is not None:
        rows.add_row("clock", f"{board.clock.hz / 1e6:g} MHz ({board.clock.driver})")
    for region in board.memory:
        holds = ", ".join(region.holds)
        rows.add_row(
            "memory", f"{region.name}: {size(region.size)} at 0x{region.origin:08x}, {holds}"
        )
    if board.psram is not None:
        rows.add_row("memory", f"PSRAM: {size(board.psram.size)}")
    if entry.weights_bytes is not None:
        rows.add_row("can hold", f"{size(entry.weights_bytes)} of weights")
        rows.add_row("", f"{_size(entry.arena_bytes)} of activations")
    baud = getattr(board.serial, "baud", None)
    rows.add_row("serial line", board.serial.driver + (f", {baud} baud" if baud else ""))
    for known in board.usb:
        rows.add_row("", f"{known.vid:04x}:{known.pid:04x}  {escape(known.what)}")
    rows.add_row("kernels", f"{board.kernels.compiled} (compiled), {board.kernels.tflm} (tflm)")
    pio = board.platformio
    rows.add_row("PlatformIO", f"{pio.platform}, {pio.framework or 'no framework'}")
    if pio.board is not None:
        rows.add_row("", f"board {pio.board.id or board.name}")
        if pio.board.upload:
            rows.add_row("upload", ", ".join(pio.board.upload))
    rows.add_row("emulator", _emulator(board))
    if board.camera is not None:
        rows.add_row("camera", "yes")
    terminal = result_terminal()
    terminal.print(f"[bold]{board.name}[/bold]: {escape(board.title)}")
    terminal.print(rows)
    if board.notes:
        terminal.print()
        terminal.print(board.notes, markup=False)


def checked(result: BoardCheck) -> None:
    terminal = result_terminal()
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "board", "generated", "compiled"):
        rows.add_column(heading, overflow="fold")
    for board in result.boards:
        compiled = "-" if board.compiled is None else f"{board.compiled} C files"
        if board.not_compiled:
            compiled = f"[dim]{escape(board.not_compiled)}[/dim]"
        rows.add_row(
            "[red]wrong[/red]" if board.problem else "[green]ok[/green]",
            board.name or escape(board.file.name),
            f"{board.generated} files" if board.generated else "-",
            compiled,
        )
    terminal.print(rows)
    for board in result.boards:
        if board.problem:
            terminal.print(f"\n{board.file}: {board.problem}", markup=False, style="red")
