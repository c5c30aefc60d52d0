"""A verification in a terminal: figures, checks, what changed, and one verdict."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgemcu.report.comparison import Comparison
from edgemcu.report.text import count, figure, percent, plural, printable, signed_figure, size
from edgemcu.report.verification import Check, Distribution, Unit, Verification
from edgemcu.report.verification_markdown import change_text

SIGNS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "not checked": ("–", "dim")}
MAX_ANSWERS = 10
MAX_HEX = 32


def render_verification_terminal(
    verification: Verification, comparison: Comparison | None, console: Console
) -> None:
    """Print it; text from outside is printed as it is, never as markup."""
    v = verification
    title = Text.assemble((v.title, "bold"), " on ", (v.board_name, "bold"))
    parts: list[RenderableType] = [Text(), title, _figures(v), Text(), _checks(v.checks)]
    parts += _details(v.checks)
    parts += [Text(line, "red") for line in _differences(v)]
    if comparison is not None:
        parts += [Text(), *_comparison(comparison)]
    parts += [Text(), _verdict(v)]
    console.print(Group(*parts))


def _figures(v: Verification) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    sanitized = ", with sanitizers" if v.sanitized else ""
    table.add_row("  Ran in", Text(f"{v.machine}{sanitized}"))
    table.add_row("  Runtime", Text(f"{v.runtime}, {v.kernels} kernels"))
    table.add_row("  Inputs", Text(v.inputs))
    f = v.figures
    if f.accuracy is not None:
        table.add_row(
            "  Accuracy",
            Text(percent(f.accuracy), "bold").append(
                f" of {plural(f.photos, 'photo')}", "not bold dim"
            ),
        )
    if f.latency_ms is not None:
        table.add_row("  Latency", _distribution(f.latency_ms, "ms"))
    if f.instructions is not None:
        table.add_row("  Instructions", _distribution(f.instructions, "instructions"))
    for label, used, limit in (
        ("Flash", f.flash_bytes, f.flash_limit),
        ("RAM", f.ram_bytes, f.ram_limit),
        ("Arena", f.arena_used, f.arena_planned),
        ("Stack", f.stack_used, f.stack_limit),
    ):
        if used is not None:
            share = f" of {size(limit)}, {percent(used / limit)}" if limit else ""
            table.add_row(f"  {label}", Text(size(used)).append(share, "dim"))
    if f.restarts or f.damaged:
        told = f"{plural(f.damaged, 'damaged line')} repeated, {plural(f.restarts, 'reset')}"
        table.add_row("  On the line", Text(told))
    return table


def _distribution(values: Distribution, unit: Unit) -> Text:
    text = Text(figure(values.p50, unit))
    return text.append(
        f" median, {figure(values.p95, unit)} p95, {figure(values.max, unit)} max", "dim"
    )


def _checks(checks: tuple[Check, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("check", overflow="fold")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("limit", justify="right", overflow="fold")
    table.add_column("margin", justify="right", no_wrap=True)
    for check in checks:
        sign, style = SIGNS[check.outcome]
        row_style = "dim" if check.outcome == "not checked" else ""
        table.add_row(
            Text(f"  {sign}", style),
            Text(check.title, "bold red" if check.outcome == "failed" else row_style),
            Text("" if check.value is None else figure(check.value, check.unit), row_style),
            Text("" if check.limit is None else figure(check.limit, check.unit), row_style),
            Text(
                "" if check.margin is None else signed_figure(check.margin, check.unit), row_style
            ),
        )
    return table


def _details(checks: tuple[Check, ...]) -> list[RenderableType]:
    """Below the table, where there is room: why a check failed, or was not made."""
    told = [check for check in checks if check.detail]
    lines: list[RenderableType] = [Text()] if told else []
    for check in told:
        style = "dim" if check.outcome == "not checked" else "red"
        lines.append(Text(f"  {check.title}: {check.detail}", style))
    return lines


def _differences(v: Verification) -> list[str]:
    lines = []
    for d in v.differences:
        place = f" ({d.input})" if d.input else ""
        first = 2 * d.offset
        lines += [
            f"    inference {d.inference}{place}: {d.differing} of {v.figures.output_bytes} bytes "
            f"differ, from offset {d.offset}:",
            f"      expected {d.expected[first : first + MAX_HEX]}",
            f"      got      {d.got[first : first + MAX_HEX]}",
        ]
    return lines


def _comparison(comparison: Comparison) -> list[RenderableType]:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("  against the baseline", overflow="fold")
    for column in ("baseline", "now", "change"):
        table.add_column(column, justify="right")
    for change in comparison.changes:
        style = "red" if change.loss > 0 else "green" if change.loss < 0 else "dim"
        table.add_row(
            Text(f"  {change.title}"),
            figure(change.old, change.unit),
            figure(change.new, change.unit),
            Text(change_text(change), style),
        )
    parts: list[RenderableType] = [table]
    # The baseline is a file from wherever.
    parts += [Text(f"  {printable(note)}", "yellow") for note in comparison.notes]
    if comparison.compared:
        changed = len(comparison.answers)
        parts.append(
            Text(f"  {count(changed)} of {plural(comparison.compared, 'answer')} changed", "dim")
        )
    parts += [
        Text(f"    {a.input}, {a.label}: {printable(a.old)} → {a.new}")
        for a in comparison.answers[:MAX_ANSWERS]
    ]
    return parts


def _verdict(v: Verification) -> Text:
    failed, total = len(v.failed_checks), len(v.checks)
    skipped = sum(check.outcome == "not checked" for check in v.checks)
    style, word = ("bold green", "PASSED") if v.passed else ("bold red", "FAILED")
    made = total - skipped
    told = f"{failed} of {plural(made, 'check')} failed" if failed else f"{plural(made, 'check')}"
    rest = f", {skipped} not checked here" if skipped else ""
    return Text.assemble("  ", (word, style), f"  {told}{rest}")
