"""The report in a terminal: one table and one verdict, coloured only where colours are shown."""

from __future__ import annotations

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from edgemcu.evaluation import Evaluation
from edgemcu.report.model import RunReport
from edgemcu.report.text import count, percent, plural, size


def render_terminal(report: RunReport, console: Console) -> None:
    """Print `report` to `console`; text from outside is printed as it is, never as markup."""
    title = Text.assemble((report.title, "bold"), " on ", (report.board_name, "bold"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("  Ran in", report.machine)
    table.add_row("  Runtime", f"{report.runtime}, {report.kernels} kernels")
    table.add_row("  Model", f"{size(report.model_bytes)}, {count(report.macs)} MACs")
    table.add_row("  Flash", _used(report.flash_bytes, report.flash_limit))
    table.add_row("  RAM", _used(report.ram_bytes, report.ram_limit))
    table.add_row("  Arena", _arena(report))
    if report.instructions_per_inference is not None:
        table.add_row("  Instructions", _instructions(report))
    for label, evaluation in (
        ("device", report.device),
        ("host int8", report.host_int8),
        ("host float", report.host_float),
    ):
        if evaluation is not None:
            table.add_row(f"  Accuracy, {label}", _accuracy(evaluation))
    console.print(Group(Text(), title, table, _verdict(report)))


def _used(used: int, limit: int | None) -> Text:
    text = Text(size(used))
    if limit:
        text.append(f" of {size(limit)}, {percent(used / limit)}", "dim")
    return text


def _arena(report: RunReport) -> Text:
    text = Text(size(report.arena_bytes))
    if report.arena_used_bytes is not None:
        text.append(f", {size(report.arena_used_bytes)} in use", "dim")
    return text


def _instructions(report: RunReport) -> Text:
    assert report.instructions_per_inference is not None
    text = Text(f"{count(report.instructions_per_inference)} per inference")
    if report.macs:
        text.append(f", {report.instructions_per_inference / report.macs:.2f} per MAC", "dim")
    return text


def _accuracy(evaluation: Evaluation) -> Text:
    text = Text(percent(evaluation.accuracy), "bold")
    return text.append(f" of {plural(evaluation.total, 'photo')}", "not bold dim")


def _verdict(report: RunReport) -> Text:
    style, word = ("bold green", "PROVEN") if report.proven else ("bold red", "NOT EQUAL")
    return Text.assemble(
        "\n  ",
        (word, style),
        f"  bytes equal in {count(report.bytes_equal)} of {plural(report.inferences, 'inference')}",
        "\n",
        (_tflite_note(report), "dim"),
        *(
            f"    inference {m.inference}: {m.differing} of {len(m.expected)} bytes differ\n"
            for m in report.mismatches
        ),
    )


def _tflite_note(report: RunReport) -> str:
    """Worth a line only where TFLM's arithmetic, the reference, made a difference."""
    equal = report.bytes_equal_tflite
    if equal is None or equal == report.inferences:
        return ""
    return (
        f"    {count(equal)} of them with TensorFlow Lite's own FULLY_CONNECTED, which rounds "
        "in double precision\n"
    )
