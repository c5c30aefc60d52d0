"""A verification as one HTML file that needs nothing else, in the style of the run report."""

from __future__ import annotations

from edgemcu.report.comparison import Comparison
from edgemcu.report.html import render_page, shown_bytes
from edgemcu.report.model import Mismatch
from edgemcu.report.verification import Difference, Verification
from edgemcu.report.verification_markdown import change_text


def render_verification(verification: Verification, comparison: Comparison | None) -> str:
    """Draw it; everything that came from outside is escaped."""
    outcomes = [check.outcome for check in verification.checks]
    return render_page(
        "verification.html.jinja",
        v=verification,
        f=verification.figures,
        passed=outcomes.count("passed"),
        failed=outcomes.count("failed"),
        not_checked=outcomes.count("not checked"),
        differences=[(d, _bytes_of(d)) for d in verification.differences],
        wrong=sum(sample.wrong for sample in verification.samples),
        comparison=comparison,
        changes=[(c, change_text(c)) for c in comparison.changes] if comparison else [],
    )


def _bytes_of(difference: Difference) -> list[tuple[str, str, bool]]:
    expected, got = bytes.fromhex(difference.expected), bytes.fromhex(difference.got)
    return shown_bytes(Mismatch(difference.inference, expected, got))
