"""How results of the verbs that talk to devices look in a terminal."""

from __future__ import annotations

from rich.markup import escape

from edgemcu.cli.terminal import result_terminal
from edgemcu.report.text import size
from edgemcu.steps.flash import FlashResult


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
