"""Results as people read them, on stdout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from edgemcu.cli.terminal import result_terminal

if TYPE_CHECKING:
    from edgemcu.boards import Board
    from edgemcu.steps.doctor import Diagnosis, Finding


@dataclass(frozen=True)
class BoardList:
    """What `edgemcu boards` answers."""

    boards: tuple[Board, ...]

    @classmethod
    def load(cls, project_path: Path) -> BoardList:
        from edgemcu.boards import list_boards

        folder = project_path.parent if project_path.is_file() else project_path
        return cls(tuple(list_boards(folder)))

    def to_json(self) -> dict[str, Any]:
        return {"boards": [board.to_json() for board in self.boards]}


def size(count: int | None) -> str:
    """Bytes for people: "118.4 KiB"."""
    if count is None:
        return "-"
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 1024 / 1024:.2f} MiB"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def boards(listing: BoardList) -> None:
    table = _table("board", "", "flash>", "RAM>", "clock>", "emulator")
    for board in listing.boards:
        emulator = board.emulator
        runs_in = "-"
        if emulator is not None:
            runs_in = f"QEMU {emulator.machine}" if emulator.kind == "qemu" else "a process"
        table.add_row(
            f"[bold]{board.name}[/bold]",
            escape(board.title),
            size(board.flash_bytes),
            size(board.ram_bytes),
            f"{board.clock_hz / 1e6:g} MHz" if board.clock_hz else "-",
            runs_in,
        )
    result_terminal().print(table)


_STATUS = {
    "ok": "[green]ok[/green]",
    "missing": "[red]missing[/red]",
    "problem": "[red]wrong[/red]",
}


def diagnosis(result: Diagnosis) -> None:
    terminal = result_terminal()
    table = _table("", "", "version", "what it is for")
    for finding in result.findings:
        table.add_row(_status(finding), finding.name, finding.version or "", _purpose(finding))
    terminal.print(table)
    for finding in result.findings:
        if not finding.fine and finding.get:
            kind = "required" if finding.required else "optional"
            terminal.print(f"\n{escape(finding.name)} ({kind}):\n    {escape(finding.get)}")
    ready = "everything that is required is here" if result.ready else "not ready: see above"
    terminal.print(f"\n{ready}")


def _status(finding: Finding) -> str:
    if not finding.fine and not finding.required:
        return "[yellow]no[/yellow]"
    return _STATUS[finding.status]


def _purpose(finding: Finding) -> str:
    note = f" [dim]({escape(finding.note)})[/dim]" if finding.note else ""
    return escape(finding.purpose) + note
