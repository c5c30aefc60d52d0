"""Results of the verbs about a running firmware, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgemcu.cli.terminal import result_terminal

if TYPE_CHECKING:
    from edgemcu.steps.verify import VerifyResult


def verification(result: VerifyResult) -> None:
    from edgemcu.report.verification_terminal import render_verification_terminal

    terminal = result_terminal()
    render_verification_terminal(result.verification, result.comparison, terminal)
    if result.saved is not None:
        terminal.print(f"  baseline: {result.saved}", markup=False)
    terminal.print(f"  report: {result.page}", markup=False)
