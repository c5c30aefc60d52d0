"""How monitoring looks: a live table in a terminal, plain lines or JSON lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

from rich.console import Console as RichTerminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgemcu.device.log import LogDamage, LogFault, LogRecord, LogStart, LogText
from edgemcu.device.protocol import readable
from edgemcu.device.watch import Connected, Lost, Received
from edgemcu.steps.monitor import CrashPlace, MonitorEvent, MonitorSummary
from edgemcu.steps.monitor_figures import Figures
from edgemcu.steps.monitor_log import record_facts

REFRESH_S = 0.12
BAR_WIDTH = 24
MAX_ROWS = 12
_NOTHING_YET = (
    "no prediction yet: a firmware whose source is the serial line waits for photos from a host "
    "(edgemcu classify); RESET makes it say who it is"
)
# Lines of the screen that are not predictions: headings, figures, and room for a prompt.
_OTHER_LINES = 8


def _state(event: MonitorEvent) -> tuple[str, str] | None:
    """What an event that is no inference says, and its style."""
    if isinstance(event, Connected):
        return (f"{event.name}: {'back again' if event.again else 'listening'}", "cyan")
    if isinstance(event, Lost):
        tried = f"; trying to get it back, {event.attempts} times" * bool(event.attempts)
        return f"the connection is lost ({event.reason}){tried}", "yellow"
    if isinstance(event, LogDamage):
        return f"[damaged: {event.reason}] {event.text[:200]}".rstrip(), "yellow"
    if isinstance(event, LogStart):
        identity = event.identity
        return (
            f"{identity.board}: model {identity.model[:16]}…, {identity.runtime} runtime, "
            f"{identity.kernels} kernels, firmware of edgemcu {identity.firmware}",
            "cyan",
        )
    if isinstance(event, LogFault):
        return event.text, "bold red"
    if isinstance(event, LogText):
        return event.text, ""
    return None


class PlainView:
    """Lines as they come, for pipes and files; news of the connection go to stderr."""

    def show(self, event: MonitorEvent, figures: Figures) -> None:
        if isinstance(event, LogRecord):
            self._out(event.text or f"#{event.number}")
        elif isinstance(event, CrashPlace):
            for line in event.lines:
                self._out(f"    {line}")
        elif isinstance(event, (Connected, Lost)):
            state = _state(event)
            assert state is not None
            print(state[0], file=sys.stderr, flush=True)
        elif (state := _state(event)) is not None:
            self._out(state[0])

    def _out(self, text: str) -> None:
        # Whoever reads the other end of a pipe wants each line when it is there.
        print(text, flush=True)

    def tick(self, figures: Figures) -> None: ...


class JsonView:
    """One JSON document per line."""

    def show(self, event: MonitorEvent, figures: Figures) -> None:
        document = self._document(event, figures)
        if document is not None:
            print(json.dumps(document), flush=True)

    def _document(self, event: MonitorEvent, figures: Figures) -> dict[str, Any] | None:
        if isinstance(event, LogRecord):
            exact = int(figures.value(event)) if figures.unit == "instructions" else None
            return {"event": "inference", **record_facts(event, exact)}
        if isinstance(event, CrashPlace):
            return {"event": "crash", "lines": list(event.lines)}
        if isinstance(event, LogStart):
            return {"event": "start", **vars(event.identity)}
        if isinstance(event, Connected):
            return {"event": "connected", "name": event.name, "again": event.again}
        if isinstance(event, Lost):
            return {"event": "lost", "reason": event.reason}
        if isinstance(event, LogDamage):
            return {"event": "damage", "reason": event.reason, "text": event.text}
        if isinstance(event, (LogText, LogFault)):
            kind = "fault" if isinstance(event, LogFault) else "text"
            return {"event": kind, "text": event.text}
        return None

    def tick(self, figures: Figures) -> None: ...


class RawView:
    """What the line carries, frames included: as it is into a pipe, escaped into a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()

    def show(self, event: MonitorEvent, figures: Figures) -> None:
        if isinstance(event, Received):
            if self._terminal:
                lines = event.data.replace(b"\r\n", b"\n").split(b"\n")
                sys.stdout.write("\n".join(readable(line) for line in lines))
            else:
                sys.stdout.buffer.write(event.data)
            sys.stdout.flush()
        elif isinstance(event, (Connected, Lost)):
            state = _state(event)
            assert state is not None
            print(state[0], file=sys.stderr, flush=True)
        elif isinstance(event, CrashPlace):
            print("\n".join(event.lines), file=sys.stderr, flush=True)

    def tick(self, figures: Figures) -> None: ...


class LiveView:
    """The latest predictions, bars of the classes and figures; all other lines scroll by above.

    Args:
        top: how many classes have bars.
    """

    def __init__(self, terminal: RichTerminal, top: int) -> None:
        self._terminal = terminal
        self._name = ""
        self._top = top
        self._records: deque[LogRecord] = deque(maxlen=MAX_ROWS)
        self._shown_at = 0.0
        self._state = ""
        self._live = Live(
            console=terminal, auto_refresh=False, transient=True, vertical_overflow="crop"
        )

    def __enter__(self) -> LiveView:
        return self

    def __exit__(self, *exc_info: object) -> None:
        # A terminal that is gone cannot be put in order any more.
        with suppress(OSError):
            self._live.stop()

    def show(self, event: MonitorEvent, figures: Figures) -> None:
        if isinstance(event, Connected):
            # Not before: until here somebody may be asked, and builds have bars of their own.
            self._name = event.name
            self._live.start()
        if isinstance(event, LogRecord):
            self._records.append(event)
        elif isinstance(event, CrashPlace):
            for line in event.lines:
                self._terminal.print(Text(f"    {line}", style="red"), soft_wrap=True)
        elif (state := _state(event)) is not None:
            if isinstance(event, (Connected, Lost)):
                self._state = state[0] if isinstance(event, Lost) else ""
            text, style = state
            self._terminal.print(Text(text, style=style), soft_wrap=True)

    def tick(self, figures: Figures) -> None:
        now = time.monotonic()
        if now - self._shown_at >= REFRESH_S:
            self._shown_at = now
            self._live.update(self.render(figures, now), refresh=True)

    def render(self, figures: Figures, now: float) -> RenderableType:
        """The live part of the screen."""
        rows = max(1, self._terminal.size.height - _OTHER_LINES - self._top)
        parts: list[RenderableType] = [Text("─" * self._terminal.width, style="dim")]
        if self._records:
            parts += [self._predictions(figures, rows), self._bars(figures)]
        else:
            parts.append(Text(_NOTHING_YET, style="dim"))
        parts.append(self._footer(figures, now))
        return Group(*parts)

    def _predictions(self, figures: Figures, rows: int) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
        table.add_column("#", justify="right", no_wrap=True)
        table.add_column("class", no_wrap=True)
        table.add_column("score", justify="right", no_wrap=True)
        table.add_column(figures.unit, justify="right", no_wrap=True)
        records = list(self._records)[-rows:]
        for record in records:
            style = "bold" if record is records[-1] else ""
            score = "" if record.score is None else f"{record.score:.2f}"
            label = record.label if record.label is not None else record.text
            time_text = amount(figures.value(record), figures.unit)
            table.add_row(str(record.number), Text(label), score, time_text, style=style)
        return table

    def _bars(self, figures: Figures) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
        # What is left beside the names and the numbers is for two bars.
        width = max(4, min(BAR_WIDTH, (self._terminal.width - 32) // 2))
        wide = width == BAR_WIDTH
        table.add_column("class", no_wrap=True, max_width=self._terminal.width - 2 * width - 16)
        table.add_column("last score", no_wrap=True)
        table.add_column("share of the last 100" if wide else "recent", no_wrap=True)
        for label, score, share in figures.top(self._top):
            table.add_row(
                Text(label),
                _bar(score, width, "cyan") if score is not None else Text(""),
                _bar(share, width, "green", percent=True),
            )
        return table

    def _footer(self, figures: Figures, now: float) -> Text:
        parts = [f"{self._name}", f"{figures.count} seen"]
        if figures.count:
            p50, p95, worst = (figures.percentile(p) for p in (50, 95, 100))
            assert p50 is not None and p95 is not None and worst is not None
            times = " / ".join(amount(value, figures.unit) for value in (p50, p95, worst))
            parts.append(f"p50/p95/max {times} {figures.unit}")
            parts.append(f"{figures.rate(now):.1f}/s")
        troubles = _troubles(figures)
        text = Text(" · ".join(parts), style="dim")
        if troubles:
            text.append(f" · {troubles}", style="yellow")
        if self._state:
            text.append(f"\n{self._state}", style="yellow")
        return text


def _bar(value: float, width: int, colour: str, *, percent: bool = False) -> Text:
    filled = round(min(1.0, max(0.0, value)) * width)
    bar = Text("█" * filled, style=colour)
    bar.append("░" * (width - filled), style="dim")
    return bar.append(f" {value:4.0%}" if percent else f" {value:5.2f}")


def _troubles(seen: Figures | MonitorSummary) -> str:
    """What went wrong, counted."""
    counts = {
        "damaged line": seen.damaged,
        "missed inference": seen.missed,
        "restart": seen.restarts,
        "reconnect": seen.reconnects,
    }
    found = [f"{n} {what}{'s' * (n > 1)}" for what, n in counts.items() if n]
    found += [f"{seen.crashes} crash{'es' * (seen.crashes > 1)}"] * bool(seen.crashes)
    return ", ".join(found)


def amount(value: float, unit: str) -> str:
    """Milliseconds with two digits, or as many as say something; counts with separators."""
    if not unit.startswith("ms"):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def summary(result: MonitorSummary, terminal: RichTerminal) -> None:
    """The last words of a monitor."""
    terminal.print(
        f"{result.count} inferences in {result.seconds:.0f} s at {result.target}",
        markup=False, highlight=False,
    )  # fmt: skip
    if result.p50 is not None and result.p95 is not None and result.max is not None:
        figures = [
            f"{name} {amount(value, result.unit)}"
            for name, value in (("p50", result.p50), ("p95", result.p95), ("max", result.max))
        ]
        terminal.print(f"  {result.unit}: {', '.join(figures)}", markup=False, highlight=False)
    if result.classes:
        counted = ", ".join(f"{label} {number}" for label, number in result.classes.items())
        terminal.print(f"  {counted}", markup=False, highlight=False)
    if troubles := _troubles(result):
        terminal.print(f"  {troubles}", style="yellow", markup=False, highlight=False)
    if result.log is not None:
        terminal.print(f"  log: {result.log}", markup=False, highlight=False)
