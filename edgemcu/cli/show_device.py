"""Results of the verbs about a running firmware, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from edgemcu.cli.terminal import result_terminal
from edgemcu.report.text import size

if TYPE_CHECKING:
    from edgemcu.steps.flash import FlashResult
    from edgemcu.steps.verify import VerifyResult


def verification(result: VerifyResult) -> None:
    from edgemcu.report.verification_terminal import render_verification_terminal

    terminal = result_terminal()
    render_verification_terminal(result.verification, result.comparison, terminal)
    if result.saved is not None:
        terminal.print(f"  baseline: {result.saved}", markup=False)
    terminal.print(f"  report: {result.page}", markup=False)


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
