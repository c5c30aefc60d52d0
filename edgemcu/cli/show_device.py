"""Results of the verbs about a running firmware, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from edgemcu.cli.terminal import result_terminal
from edgemcu.report.text import figure, percent, size

if TYPE_CHECKING:
    from edgemcu.steps.classify import Classification, ClassifiedPhoto
    from edgemcu.steps.flash import FlashResult
    from edgemcu.steps.verify import VerifyResult

BAR_CELLS = 24


def verification(result: VerifyResult) -> None:
    from edgemcu.report.verification_terminal import render_verification_terminal

    terminal = result_terminal()
    render_verification_terminal(result.verification, result.comparison, terminal)
    if result.saved is not None:
        terminal.print(f"  baseline: {result.saved}", markup=False)
    terminal.print(f"  report: {result.page}", markup=False)


def classification(result: Classification) -> None:
    terminal = result_terminal()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", style="dim")
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for photo in result.photos:
        if photo.error is not None:
            table.add_row(Text(photo.photo), Text(f"error: {photo.error}", "red"))
            continue
        for place, ranked in enumerate(photo.ranking):
            first = place == 0
            table.add_row(
                Text(photo.photo if first else ""),
                Text(ranked.label, "bold" if first else ""),
                percent(ranked.score),
                _bar(ranked.score, "green" if first else "dim"),
                _effort(photo) if first else _reference(photo) if place == 1 else "",
            )
        if len(photo.ranking) == 1 and photo.reference is not None:
            table.add_row("", "", "", "", _reference(photo))
    terminal.print(table)


def _bar(share: float, style: str) -> Text:
    eighths = round(8 * BAR_CELLS * min(1.0, max(0.0, share)))
    full, rest = divmod(eighths, 8)
    return Text(("█" * full + " ▏▎▍▌▋▊▉"[rest] * (rest > 0)).ljust(BAR_CELLS), style)


def _effort(photo: ClassifiedPhoto) -> Text:
    if photo.latency_ms is not None:
        return Text(figure(photo.latency_ms, "ms"), "dim")
    if photo.instructions is not None:
        return Text(f"{figure(photo.instructions, 'instructions')} instructions", "dim")
    return Text()


def _reference(photo: ClassifiedPhoto) -> Text:
    if photo.reference is None:
        return Text()
    if photo.equal:
        return Text("reference: the same bytes", "green")
    best = photo.reference[0]
    return Text(f"reference: OTHER BYTES, {best.label} {percent(best.score)}", "bold red")


def flashed(result: FlashResult) -> None:
    terminal = result_terminal()
    place = escape(result.port or result.board)
    if not result.written:
        did = "runs this image already: nothing was written"
    elif result.protocol is None:
        did = "booted"
    else:
        tries = f" in {result.attempts} attempts" if result.attempts > 1 else ""
        did = f"{size(result.bytes)} written with {result.way}{tries}"
    terminal.print(f"[bold]{result.board}[/bold] at {place}: {did}, {result.seconds:.1f} s")
    if result.identity is None:
        terminal.print("  [yellow]not asked who it is (--no-verify)[/yellow]")
        return
    identity = result.identity
    terminal.print(
        f"  it says: model {identity.model[:16]}…, image {escape(identity.image)}, "
        f"{escape(identity.runtime)} runtime, {escape(identity.kernels)} kernels"
    )
    terminal.print("  [green]that is what was built[/green]")
