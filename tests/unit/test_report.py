from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from edgemcu.evaluation import Evaluation
from edgemcu.report import svg, text
from edgemcu.report.html import render_html
from edgemcu.report.model import ArenaBuffer, Epoch, Mismatch, RunReport, class_scores
from edgemcu.report.terminal import render_terminal
from tests.support.reports import make_bare_report, make_failed_report, make_report

REPORTS = pytest.mark.parametrize(
    "report",
    [make_report(), make_failed_report(), make_bare_report()],
    ids=["full", "failed", "bare"],
)
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that elements nest, and keeps texts and attributes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def printed(report: RunReport, *, width: int = 100) -> str:
    stream = io.StringIO()
    render_terminal(report, Console(file=stream, width=width))
    return stream.getvalue()


@REPORTS
def test_page_stands_alone(report: RunReport) -> None:
    source = render_html(report)
    page = Page(source)
    assert not page.tags & {"script", "link", "iframe", "object"}
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in {"src", "href"}:
            assert (value or "").startswith("data:image/png;base64,")
    assert "url(" not in source
    assert "@import" not in source


@REPORTS
def test_page_is_reproducible(report: RunReport) -> None:
    assert render_html(report) == render_html(report)


@REPORTS
def test_pictures_are_well_formed(report: RunReport) -> None:
    for picture in re.findall(r"<svg.*?</svg>", render_html(report), re.DOTALL):
        ElementTree.fromstring(picture)


def test_a_proof_says_so_and_a_failure_cannot_be_missed() -> None:
    proven, failed = (
        Page(render_html(make_report())).text,
        Page(render_html(make_failed_report())).text,
    )
    assert "PROVEN" in proven
    assert "NOT EQUAL" not in proven
    assert "300 of 300 inferences equal in every byte" in proven
    assert "NOT EQUAL" in failed
    assert "PROVEN" not in failed
    assert "298 of 300" in failed
    assert "2 outputs differed" in failed


def test_other_rounding_of_the_last_layer_is_told() -> None:
    told = "298 are equal to TensorFlow Lite’s own rounding"  # noqa: RUF001
    report = replace(make_report(), bytes_equal_tflite=298)
    assert told in " ".join(Page(render_html(report)).text.split())
    assert "298 of them" in printed(report)
    same = replace(report, bytes_equal_tflite=300)
    assert "own rounding" not in render_html(same)


def test_nothing_run_is_nothing_proven() -> None:
    report = replace(make_bare_report(), inferences=0, bytes_equal=0)
    assert not report.proven
    assert "NOT EQUAL" in render_html(report)


def test_the_page_holds_the_figures() -> None:
    report = make_report()
    page = Page(render_html(report))
    for expected in (
        "77.3 %",
        "98.4 M",
        "255.7 KiB",
        "of 1,024.0 KiB",
        "7,076,608",
        "STM32F405 (Cortex-M4F, 168 MHz)",
        "9f2c" * 16,
        "block_3/pointwise",
        "centre crop",
    ):
        assert expected in page.text
    assert sum(name == "src" for name, _ in page.attributes) == len(report.samples)
    assert "latency" in page.text
    assert "not a latency" in page.text


def test_without_photos_and_limits_there_are_no_empty_sections() -> None:
    page = Page(render_html(make_bare_report()))
    assert "img" not in page.tags
    assert "svg" not in page.tags
    for heading in ("What the device saw", "How well it classifies", "Training", "Layers"):
        assert heading not in page.text


def test_everything_from_outside_is_escaped() -> None:
    evil = '<script>alert("x")</script>&'
    report = make_report()
    evaluation = Evaluation((evil, "b"), ((1, 0), (0, 1)))
    report = replace(
        report,
        title=evil,
        board_name=evil,
        machine=evil,
        kernels=evil,
        elf=evil,
        device=evaluation,
        host_int8=evaluation,
        host_float=None,
        samples=(replace(report.samples[0], name=evil, label=evil, prediction=evil),),
        layers=(replace(report.layers[0], name=evil, kind=evil, kernel=evil),),
        arena=(replace(report.arena[0], name=evil),),
        provenance=replace(
            report.provenance, command=evil, dataset={evil: evil}, digests={evil: evil}
        ),
    )
    page = Page(render_html(report))
    assert "script" not in page.tags
    assert page.text.count(evil) >= 10


def test_a_mismatch_shows_the_bytes_around_the_first_difference() -> None:
    expected = bytes(range(100))
    got = bytes([*range(60), 0xEE, *range(61, 100)])
    report = replace(make_failed_report(), mismatches=(Mismatch(3, expected, got),))
    source = render_html(report)
    assert '<span class="byte bad">3c<br>ee</span>' in source
    assert source.count('<span class="byte') == 16


@pytest.mark.parametrize(
    ("expected", "got", "differing"),
    [(b"abc", b"abc", 0), (b"abc", b"abd", 1), (b"abc", b"ab", 1), (b"", b"xy", 2)],
)
def test_mismatch_counts_differing_bytes(expected: bytes, got: bytes, differing: int) -> None:
    assert Mismatch(0, expected, got).differing == differing


def test_scores_of_classes() -> None:
    a, b, c = class_scores(Evaluation(("a", "b", "c"), ((1, 1, 0), (0, 2, 0), (0, 0, 0))))
    assert (a.recall, a.precision) == (0.5, 1.0)
    assert (b.recall, b.precision) == (1.0, pytest.approx(2 / 3))
    assert (c.recall, c.precision) == (None, None)


def test_json_holds_what_is_promised() -> None:
    document = json.loads(json.dumps(make_report().to_json()))
    assert document["board"] == "stm32f405"
    assert document["bytes_equal"] == document["inferences"] == 300
    assert document["accuracy_device"] == pytest.approx(232 / 300)
    assert document["accuracy_host_int8"] == pytest.approx(2301 / 3000)
    bare = make_bare_report().to_json()
    for key in (
        *("board", "runtime", "inferences", "bytes_equal", "instructions_per_inference"),
        *("flash_bytes", "ram_bytes", "arena_bytes", "model_bytes", "macs", "elf"),
        *("accuracy_device", "accuracy_host_int8", "accuracy_host_float"),
    ):
        assert key in bare
    assert bare["accuracy_device"] is None
    assert bare["instructions_per_inference"] is None


def test_terminal_shows_the_figures_and_the_verdict() -> None:
    output = printed(make_report())
    for expected in ("QEMU 7.2.22", "25.0 %", "98,437,112 per inference", "77.3 %", "300 of 300"):
        assert expected in output
    assert "PROVEN" in output
    assert "\x1b" not in output
    failed = printed(make_failed_report())
    assert "NOT EQUAL" in failed
    assert "inference 4: 2 of 3 bytes differ" in failed


def test_terminal_prints_markup_as_it_is() -> None:
    assert "[red]cats[/red]" in printed(replace(make_report(), title="[red]cats[/red]"))


def test_terminal_fits_a_narrow_window() -> None:
    assert max(map(len, printed(make_report(), width=50).splitlines())) <= 50


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (12_496_000, "12.5 M"),
        (999_950, "1.00 M"),
        (2e9, "2.00 G"),
    ],
)
def test_short(value: float, expected: str) -> None:
    assert text.short(value) == expected


def test_sizes_and_plurals() -> None:
    assert text.size(1023) == "1023 B"
    assert text.size(34_816) == "34.0 KiB"
    assert text.plural(1, "photo") == "1 photo"
    assert text.plural(3000, "photo") == "3,000 photos"
    assert text.percent(None) == "–"
    assert text.shape(()) == "scalar"


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.41, 0.83), (1, 250), (-3e-4, 7e-4), (0, 0)])
def test_ticks_are_inside_and_few(low: float, high: float) -> None:
    ticks = svg.nice_ticks(low, high)
    assert 1 <= len(ticks) <= 7
    slack = 1e-6 * (high - low)
    assert all(low - slack <= tick <= high + slack for tick in ticks)


@pytest.mark.parametrize("epochs", [1, 2, 300])
def test_curves_of_any_length(epochs: int) -> None:
    history = tuple(Epoch(i, 1 / i, 1 - 1 / i) for i in range(1, epochs + 1))
    for picture in (svg.accuracy_curves(history, 1), svg.loss_curves(history, None)):
        assert "nan" not in picture
        ElementTree.fromstring(picture)


def test_labels_of_the_memory_plan_stay_where_they_can_be_seen() -> None:
    first = ArenaBuffer("input of the addition", 0, 4096, 0, 3)
    in_place = ArenaBuffer("its output", 0, 4096, 3, 5)
    picture = ElementTree.fromstring(svg.memory_plan((first, in_place), 4096, 6))
    boxes = list(picture.iter("g"))
    for box, covered_from in zip(boxes, (boxes[1].find("rect"), None), strict=True):
        rect, label = box.find("rect"), box.find("text")
        assert rect is not None
        assert label is not None
        left = float(rect.attrib["x"])
        right = left + float(rect.attrib["width"])
        if covered_from is not None:
            right = float(covered_from.attrib["x"])
        assert left < float(label.attrib["x"]) < right
