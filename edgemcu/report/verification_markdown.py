"""A verification as Markdown, for a comment in a pull request."""

from __future__ import annotations

import re

from edgemcu.report.comparison import Change, Comparison
from edgemcu.report.text import count, figure, plural, signed_figure
from edgemcu.report.verification import Verification

MAX_ANSWERS = 20


def verification_markdown(verification: Verification, comparison: Comparison | None) -> str:
    """Verdict, checks that did not pass, figures against the baseline, answers that changed."""
    v = verification
    verdict = "passed ✅" if v.passed else "failed ❌"
    lines = [
        f"### edgemcu verify: {verdict}",
        "",
        f"**{_text(v.title)}** on {_text(v.board_name)} ({_text(v.machine)}), "
        f"{_text(v.runtime)} runtime, {_text(v.kernels)} kernels, {_text(v.inputs)}.",
        "",
    ]
    lines += _checks(v)
    if comparison is not None:
        lines += _comparison(comparison)
    return "\n".join(lines).rstrip() + "\n"


def _checks(v: Verification) -> list[str]:
    sign = {"passed": "✅", "failed": "❌", "not checked": "–"}
    rows = [
        f"| {sign[check.outcome]} | {_text(check.title)} "
        f"| {_text(figure(check.value, check.unit))} | {_text(figure(check.limit, check.unit))} "
        f"| {_text(check.detail)} |"
        for check in v.checks
    ]
    lines = ["| | check | value | limit | |", "|---|---|--:|--:|---|", *rows, ""]
    for difference in v.differences:
        place = f" ({_text(difference.input)})" if difference.input else ""
        lines.append(
            f"- inference {difference.inference}{place}: {plural(difference.differing, 'byte')} "
            f"differ, the first at {difference.offset}"
        )
    return [*lines, ""] if v.differences else lines


def _comparison(comparison: Comparison) -> list[str]:
    lines = ["#### Against the baseline", ""]
    lines += [f"_{_text(note)}_\n" for note in comparison.notes]
    lines += ["| | baseline | now | change |", "|---|--:|--:|--:|"]
    lines += [
        f"| {_text(change.title)} | {figure(change.old, change.unit)} "
        f"| {figure(change.new, change.unit)} | {change_text(change)} |"
        for change in comparison.changes
    ]
    lines.append("")
    if not comparison.compared:
        return lines
    if not comparison.answers:
        return [*lines, f"No answer changed ({plural(comparison.compared, 'photo')})."]
    lines += [
        f"**{count(len(comparison.answers))} of {plural(comparison.compared, 'answer')} changed:**",
        "",
        "| photo | is | baseline | now |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {_text(a.input)} | {_text(a.label)} | {_text(a.old)} | {_text(a.new)} |"
        for a in comparison.answers[:MAX_ANSWERS]
    ]
    if len(comparison.answers) > MAX_ANSWERS:
        lines.append(f"\n… and {count(len(comparison.answers) - MAX_ANSWERS)} more.")
    return lines


def change_text(change: Change) -> str:
    """ "+512 B (+0.2 %)"; what did not change is "="."""
    if change.delta is None:
        return "–"
    if change.delta == 0:
        return "="
    text = signed_figure(change.delta, change.unit)
    if change.unit == "share" or change.relative is None:
        return text
    sign = "+" if change.relative > 0 else "−"
    return f"{text} ({sign}{abs(100 * change.relative):.1f} %)"


def _text(text: str) -> str:
    """`text` as it is: names come from outside, and Markdown must not make anything of them."""
    flat = re.sub(r"\s+", " ", text)
    return re.sub(r"([\\`*_{}\[\]<>|~#&@])", r"\\\1", flat)
