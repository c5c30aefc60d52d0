"""Console on a terminal, drawn with rich on stderr: stdout belongs to results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console as RichTerminal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edgemcu.console import Console, ProgressBar
from edgemcu.report.text import printable_lines

PLAIN_WIDTH = 160


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._progress.update(self._task, advance=amount, note=note)


class _PlainBar:
    """A few lines in place of a moving bar, for logs and CI."""

    def __init__(self, terminal: RichTerminal, label: str, total: float | None) -> None:
        self._terminal = terminal
        self._label = label
        self._total = total
        self._done = 0.0
        self._next = 0.25

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._done += amount
        if self._total and self._done / self._total >= self._next:
            self._next = min(1.0, self._done / self._total // 0.25 * 0.25 + 0.25)
            if self._done >= self._total:
                self._next = float("inf")
            share = min(100, round(100 * self._done / self._total))
            line = f"  {self._label}: {share} %" + (f"  {note}" if note else "")
            self._terminal.print(line, markup=False, highlight=False)


class TerminalConsole:
    """Prints steps, warnings and progress bars; quiet leaves only the warnings."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._terminal = RichTerminal(stderr=True, highlight=False)
        self._quiet = quiet

    def info(self, text: str) -> None:
        if not self._quiet:
            self._terminal.print(printable_lines(text), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        warning = f"warning: {printable_lines(text)}"
        self._terminal.print(warning, style="yellow", markup=False, soft_wrap=True)

    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> Iterator[ProgressBar]:
        if self._quiet or not self._terminal.is_terminal:
            shown = self._terminal if not self._quiet else RichTerminal(quiet=True)
            yield _PlainBar(shown, label, total)
            return
        columns: list[str | ProgressColumn] = [
            TextColumn("  {task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
        ]
        with Progress(*columns, console=self._terminal, transient=False) as progress:
            task = progress.add_task(label, total=total, note="")
            yield _Bar(progress, task)
            if total is None:
                # Only now is it known how much there was: the bar ends full, not pulsing.
                progress.update(task, total=progress.tasks[0].completed)


def result_terminal() -> RichTerminal:
    """Where a verb's result goes: stdout, coloured only if that is a terminal."""
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return RichTerminal(file=sys.stdout, highlight=False, width=width)


def make_console(*, quiet: bool) -> Console:
    return TerminalConsole(quiet=quiet)
