"""The report as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edgemcu.evaluation import Evaluation
from edgemcu.report import svg, text
from edgemcu.report.model import Mismatch, RunReport, Sample, class_scores

# The bytes of an output that a mismatch shows; more would not be read.
SHOWN_BYTES = 16


@dataclass(frozen=True)
class Meter:
    """A figure against a limit; without one there is no bar."""

    label: str
    used: int
    limit: int | None

    @property
    def share(self) -> float | None:
        return self.used / self.limit if self.limit else None


def render_html(report: RunReport) -> str:
    """Draw `report` as a self-contained page; everything that came from outside is escaped."""
    return render_page("page.html.jinja", r=report, **_pictures(report), **_tables(report))


def render_page(template: str, **content: Any) -> str:
    """Fill in a template of this folder; what is not Markup is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        count=text.count,
        short=text.short,
        size=text.size,
        percent=text.percent,
        shape=text.shape,
        figure=text.figure,
        signed=text.signed_figure,
        png_uri=_png_uri,
        shown=shown_bytes,
        brief=_brief,
    )
    environment.globals.update(plural=text.plural)
    css = Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(css=css, **content)


def _pictures(report: RunReport) -> dict[str, Any]:
    return {
        "curves": [
            svg.accuracy_curves(report.history, report.best_epoch),
            svg.loss_curves(report.history, report.best_epoch),
        ]
        if report.history
        else [],
        "memory_plan": svg.memory_plan(report.arena, report.arena_bytes, len(report.layers))
        if report.arena
        else None,
    }


def _tables(report: RunReport) -> dict[str, Any]:
    evaluations = [
        (title, evaluation)
        for title, evaluation in (
            ("on the device", report.device),
            ("int8 on this computer", report.host_int8),
            ("float, before quantization", report.host_float),
        )
        if evaluation is not None
    ]
    return {
        "meters": [
            Meter("Flash", report.flash_bytes, report.flash_limit),
            Meter("RAM", report.ram_bytes, report.ram_limit),
        ],
        "evaluations": evaluations,
        "confusions": [pair for pair in evaluations if not pair[0].startswith("float")],
        "scores": _score_rows(evaluations),
        "largest_macs": max((layer.macs for layer in report.layers), default=0) or 1,
        "instructions_per_mac": _per_mac(report),
        "wrong": sum(sample.wrong for sample in report.samples),
    }


def _per_mac(report: RunReport) -> float | None:
    if report.instructions_per_inference is None or not report.macs:
        return None
    return report.instructions_per_inference / report.macs


def _score_rows(evaluations: list[tuple[str, Evaluation]]) -> list[dict[str, Any]]:
    """One row per class: its name and, per evaluation, its score."""
    if not evaluations:
        return []
    scores = [class_scores(evaluation) for _, evaluation in evaluations]
    return [{"name": row[0].name, "scores": row} for row in zip(*scores, strict=True)]


def _brief(name: str) -> str:
    """The first of the names that TensorFlow Lite joined when it fused operators."""
    first, *others = name.split(";")
    return f"{first} …" if others else first


def _png_uri(sample: Sample) -> str:
    return "data:image/png;base64," + base64.b64encode(sample.png).decode()


def shown_bytes(mismatch: Mismatch) -> list[tuple[str, str, bool]]:
    """(expected, got, differs) as hex, around the first byte that differs."""
    length = max(len(mismatch.expected), len(mismatch.got))
    expected = [f"{byte:02x}" for byte in mismatch.expected] + ["—"] * length
    got = [f"{byte:02x}" for byte in mismatch.got] + ["—"] * length
    pairs = [(a, b, a != b) for a, b in zip(expected[:length], got[:length], strict=True)]
    first = next((index for index, pair in enumerate(pairs) if pair[2]), 0)
    start = max(0, min(first - 2, length - SHOWN_BYTES))
    return pairs[start : start + SHOWN_BYTES]
