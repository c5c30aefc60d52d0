"""What `verify` reports: the document, JUnit, Markdown, the page and the terminal."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edgemcu.errors import DeviceError, ProjectError
from edgemcu.report.comparison import compare, regression_checks
from edgemcu.report.junit import junit_error, junit_xml
from edgemcu.report.text import figure, printable, signed_figure
from edgemcu.report.verification import Check, Distribution, Verification, load_verification
from edgemcu.report.verification_html import render_verification
from edgemcu.report.verification_markdown import verification_markdown
from edgemcu.report.verification_terminal import render_verification_terminal
from tests.support.verifications import make_failed_verification, make_verification
from tests.unit.test_report import Page

EVIL = '<script>alert("x")</script>|*[x](y)&\x1b[31m\x00'

# What the JSON of `verify` promises; docs/verify.md has the same list.
KEYS = {
    *("schema", "schema_version", "passed", "title", "board", "board_name", "target", "machine"),
    *("runtime", "kernels", "model_sha256", "model_bytes", "firmware", "elf_sha256", "sanitized"),
    *("inputs", "inputs_sha256", "figures", "checks", "predictions", "differences", "versions"),
    *("finished", "command"),
}


def printed(v: Verification, old: Verification | None = None, width: int = 100) -> str:
    stream = io.StringIO()
    comparison = compare(old, v, "old.json") if old else None
    render_verification_terminal(v, comparison, Console(file=stream, width=width))
    return stream.getvalue()


def test_the_document_and_back(tmp_path: Path) -> None:
    for v in (make_verification(), make_failed_verification()):
        document = v.to_json()
        assert set(document) == KEYS
        path = tmp_path / "report.json"
        path.write_text(json.dumps(document))
        assert load_verification(path) == replace(v, samples=())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a JSON document"),
        ("[" * 100_000, "is not a JSON document"),
        ('{"schema": "edgemcu-verify", "schema_version": NaN}', "is not a JSON document"),
        ('{"schema": "edgemcu-verify", "schema_version": 1e999}', "is not a JSON document"),
        ("[]", "is no report of `edgemcu verify`"),
        ('{"schema": "edgemcu-verify", "schema_version": 99}', "is of version 99"),
        ('{"schema": "edgemcu-verify", "schema_version": 1}', "title: Field required"),
    ],
)
def test_a_baseline_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(ProjectError, match=message):
        load_verification(path)
    with pytest.raises(ProjectError, match=r"no such baseline(.|\n)*--save-baseline"):
        load_verification(tmp_path / "none.json")


def test_any_value_of_a_wrong_type_in_a_baseline_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    document = make_verification().to_json()
    for key in KEYS - {"schema", "schema_version", "passed", "elf_sha256"}:
        path.write_text(json.dumps({**document, key: {"x": [object.__name__]}}))
        with pytest.raises(ProjectError):
            load_verification(path)


def test_what_has_passed() -> None:
    v = make_verification()
    assert v.passed
    assert not make_failed_verification().passed
    skipped = Check("max_ram", "RAM", "not checked")
    assert not replace(v, checks=(skipped,)).passed, "nothing was checked"
    assert not replace(v, checks=()).passed


def test_percentiles_are_values_that_occurred() -> None:
    assert Distribution.of([5]) == Distribution(5, 5, 5)
    assert Distribution.of(range(1, 101)) == Distribution(50, 95, 100)
    assert Distribution.of([3, 1, 2]) == Distribution(2, 3, 3)


# ---- Comparison ---------------------------------------------------------------------------------


def test_nothing_changed() -> None:
    v = make_verification()
    comparison = compare(v, v, "b.json")
    assert comparison.same_model and comparison.same_inputs
    assert {change.delta for change in comparison.changes} == {0}
    assert (comparison.answers, comparison.compared, comparison.notes) == ((), 3, ())
    assert all(check.outcome == "passed" for check in regression_checks(comparison, 0))


def test_what_changed() -> None:
    old = make_verification()
    figures = replace(
        old.figures, accuracy=1 / 3, flash_bytes=262_000, instructions=Distribution(1e7, 2e7, 2e7)
    )
    answers = (replace(old.predictions[0], answer="dog"), *old.predictions[1:])
    new = replace(old, figures=figures, predictions=answers, model_sha256="00" * 32)
    comparison = compare(old, new, "b.json")
    assert not comparison.same_model
    changes = {change.name: change for change in comparison.changes}
    assert changes["accuracy"].loss == pytest.approx(100 / 3)
    assert changes["flash_bytes"].delta == 196
    assert changes["instructions.p50"].loss < 0
    assert "latency_ms.p50" not in changes, "neither has it"
    (answer,) = comparison.answers
    assert (answer.input, answer.old, answer.new) == ("test/0001", "cat", "dog")
    outcomes = {check.name: check.outcome for check in regression_checks(comparison, 1)}
    assert outcomes["regression.accuracy"] == "failed"
    assert outcomes["regression.flash_bytes"] == "passed"
    assert outcomes["regression.instructions.max"] == "passed"
    json.dumps(comparison.to_json())


def test_the_limit_of_a_regression_is_inclusive() -> None:
    old = make_verification()
    new = replace(old, figures=replace(old.figures, arena_used=49_152 * 2))
    comparison = compare(old, new, "b.json")
    for tolerance, outcome in ((100, "passed"), (99.9, "failed")):
        (check,) = (
            check
            for check in regression_checks(comparison, tolerance)
            if check.name == "regression.arena_used"
        )
        assert check.outcome == outcome
        assert check.margin is not None
        assert (check.margin >= 0) == (outcome == "passed")


def test_another_board_is_compared_by_its_answers_alone() -> None:
    old = make_verification()
    new = replace(old, board="mps2-an386", target="qemu")
    comparison = compare(old, new, "b.json")
    assert [change.name for change in comparison.changes if change.delta is not None] == [
        "accuracy"
    ]
    assert "only accuracy and answers" in comparison.notes[0]
    elsewhere = compare(old, replace(old, target="renode"), "b.json")
    compared = {change.name for change in elsewhere.changes if change.delta is not None}
    assert compared == {"accuracy", "flash_bytes", "ram_bytes", "arena_used", "stack_used"}
    assert "count something else" in elsewhere.notes[0]
    one, another = replace(old, target="/dev/ttyACM0"), replace(old, target="COM3")
    assert compare(one, another, "b.json").notes == ()
    other = compare(old, replace(old, inputs_sha256="22" * 32, inputs="others"), "b.json")
    assert "others now" in other.notes[0]


# ---- JUnit ---------------------------------------------------------------------------------------


def test_junit_has_one_case_for_each_check() -> None:
    root = ElementTree.fromstring(junit_xml(make_verification(), seconds=1.25))
    (suite,) = root
    assert root.tag == "testsuites"
    for element in (root, suite):
        assert element.attrib["tests"] == "3"
        assert (element.attrib["failures"], element.attrib["errors"]) == ("0", "0")
        assert element.attrib["time"] == "1.250"
    assert suite.attrib["skipped"] == "1"
    assert suite.attrib["timestamp"] == "2026-11-24T15:00:00"
    cases = suite.findall("testcase")
    assert [case.attrib["name"] for case in cases][1] == "accuracy"
    assert {case.attrib["classname"] for case in cases} == {"edgemcu.verify.stm32f405.qemu"}
    (skipped,) = cases[2]
    assert skipped.attrib["message"].startswith("not checked here: ")


# Elements and attributes that the readers' schemas know.
JUNIT = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "properties": set[str](),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
}


@pytest.mark.parametrize(
    "text",
    [
        junit_xml(make_verification()),
        junit_xml(make_failed_verification()),
        junit_error("b", "t", ValueError("x")),
    ],
)
def test_junit_holds_what_readers_know_and_nothing_else(text: str) -> None:
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert set(element.attrib) <= JUNIT[element.tag]
    for suite in root:
        order = [child.tag for child in suite]
        assert order == sorted(order, key=["properties", "testcase"].index)
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.attrib[count])


def test_junit_shows_the_bytes_that_differ() -> None:
    root = ElementTree.fromstring(junit_xml(make_failed_verification()))
    failures = root.findall(".//failure")
    assert root.attrib["failures"] == "2"
    text = failures[0].text or ""
    assert "inference 1 (test/0002): 2 bytes differ, the first at offset 1" in text
    assert "expected 807f81" in text and "got      807e82" in text
    assert failures[1].attrib["message"] == "33.3 %, limit 60.0 %"


def test_junit_of_an_error() -> None:
    error = DeviceError("silence; its last output:\n    \x00\x1b[31mboom", where="/dev/ttyACM0")
    text = junit_error(
        "stm32f405", "/dev/ttyACM0", error, seconds=15, finished="2026-11-24T15:00:00"
    )
    root = ElementTree.fromstring(text)
    assert root.attrib["errors"] == "1"
    (case,) = root.iter("testcase")
    assert case.attrib["classname"] == "edgemcu.verify.stm32f405.dev_ttyACM0"
    (element,) = case
    assert element.attrib == {"type": "DeviceError", "message": "silence; its last output:"}
    assert "boom" in (element.text or "")
    for other in (ValueError(), ValueError("\n")):
        ElementTree.fromstring(junit_error("b", "t", other))


def test_everything_from_outside_is_escaped() -> None:
    v = replace(
        make_failed_verification(),
        title=EVIL, board_name=EVIL, machine=EVIL, kernels=EVIL, inputs=EVIL, target=EVIL,
        firmware=EVIL, command=EVIL, versions={EVIL: EVIL},
        checks=(Check("x", EVIL, "failed", EVIL, EVIL, detail=EVIL),),
    )  # fmt: skip
    v = replace(
        v,
        predictions=tuple(replace(p, input=EVIL, label=EVIL, answer=EVIL) for p in v.predictions),
        differences=tuple(replace(d, input=EVIL) for d in v.differences),
        samples=tuple(replace(s, name=EVIL, label=EVIL, prediction=EVIL) for s in v.samples),
    )
    old = replace(v, predictions=tuple(replace(p, answer="other") for p in v.predictions))
    comparison = compare(old, v, EVIL)
    page = Page(render_verification(v, comparison))
    assert "script" not in page.tags
    assert page.text.count("<script>") >= 10
    root = ElementTree.fromstring(junit_xml(v))
    assert root.find(".//script") is None
    markdown = verification_markdown(v, comparison)
    assert "<script" not in markdown.replace("\\<script", "")
    assert "[x](" not in markdown


# ---- Markdown, page, terminal --------------------------------------------------------------------


def test_markdown_for_a_pull_request() -> None:
    old = make_verification()
    new = replace(
        old,
        figures=replace(old.figures, flash_bytes=262_316, accuracy=1 / 3),
        predictions=(replace(old.predictions[0], answer="dog"), *old.predictions[1:]),
    )
    text = verification_markdown(new, compare(old, new, "b.json"))
    assert text.startswith("### edgemcu verify: passed ✅\n")
    assert "| flash | 255.7 KiB | 256.2 KiB | +512 B (+0.2 %) |" in text
    assert "| accuracy | 66.7 % | 33.3 % | −33.3 points |" in text
    assert "| RAM | 73.2 KiB | 73.2 KiB | = |" in text
    assert "**1 of 3 answers changed:**" in text
    assert "| test/0001 | cat | cat | dog |" in text
    assert "not checked here: an emulator has no latency" in text
    failed = verification_markdown(make_failed_verification(), None)
    assert failed.startswith("### edgemcu verify: failed ❌\n")
    assert "inference 1 (test/0002): 2 bytes differ, the first at 1" in failed
    assert "No answer changed (3 photos)." in verification_markdown(old, compare(old, old, "b"))


@pytest.mark.parametrize("v", [make_verification(), make_failed_verification()])
def test_page_stands_alone_and_is_reproducible(v: Verification) -> None:
    comparison = compare(make_verification(), v, "b.json")
    source = render_verification(v, comparison)
    assert source == render_verification(v, comparison)
    page = Page(source)
    assert not page.tags & {"script", "link", "iframe", "object"}
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in {"src", "href"}:
            assert (value or "").startswith("data:image/png;base64,")
    assert ("PASSED" in page.text) == v.passed
    assert ("FAILED" in page.text) != v.passed
    assert "Against the baseline" in page.text
    assert "What differed" in page.text or not v.differences
    assert "Against the baseline" not in render_verification(v, None)


def test_a_baseline_cannot_steer_the_terminal() -> None:
    v = make_verification()
    first, *rest = v.predictions
    evil = (replace(first, answer=EVIL), *rest)
    text = printed(v, replace(v, predictions=evil, target=EVIL, inputs=EVIL, inputs_sha256="0"))
    assert EVIL.replace("\x1b", "\\x1b").replace("\x00", "\\x00") in text.replace("\n", "")
    assert "\x1b" not in text


def test_terminal() -> None:
    v = make_verification()
    text = printed(v, v)
    for expected in ("66.7 % of 3 photos", "30,000,050 median", "PASSED", "1 not checked here",
                     "0 of 3 answers changed", "1.2 KiB of 8.0 KiB, 14.6 %"):  # fmt: skip
        assert expected in text
    failed = printed(make_failed_verification())
    assert "FAILED  2 of 2 checks failed" in failed
    assert "inference 1 (test/0002): 2 of 3 bytes differ, from offset 1" in failed
    assert "expected 7f81" in failed
    assert "\x1b" not in failed
    assert max(map(len, printed(v, v, width=60).splitlines())) <= 60
    assert "[red]x[/red]" in printed(replace(v, title="[red]x[/red]"))


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        *((None, "", "–"), ("cmsis-nn", "", "cmsis-nn"), (2048, "bytes", "2.0 KiB")),
        *(
            (0.7666, "share", "76.7 %"),
            (41.2, "ms", "41.20 ms"),
            (12345.0, "instructions", "12,345"),
        ),
    ],
)
def test_figures(value: float | str | None, unit: str, expected: str) -> None:
    assert figure(value, unit) == expected


def test_names_from_outside_leave_a_terminal_alone() -> None:
    assert printable("Vögel/a b.jpg") == "Vögel/a b.jpg"
    assert printable("\x1b[2J\n\udcff") == "\\x1b[2J\\x0a\\udcff"


def test_signed_figures() -> None:
    assert signed_figure(512, "bytes") == "+512 B"
    assert signed_figure(-0.007, "share") == "−0.7 points"
    assert signed_figure(0, "") == "±0"
    assert signed_figure(None, "ms") == "–"
