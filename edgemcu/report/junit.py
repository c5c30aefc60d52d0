"""A verification as JUnit XML: one test case per check, as GitHub, GitLab and Jenkins read it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from edgemcu.errors import EdgemcuError
from edgemcu.report.text import figure
from edgemcu.report.verification import Check, Verification

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(verification: Verification, seconds: float = 0.0) -> str:
    """The document; a check that was not made is a skipped test case.

    Args:
        seconds: that the verification took.
    """
    v = verification
    outcomes = [check.outcome for check in v.checks]
    root, suite = _suite(
        f"{v.board}.{_plain(v.target)}",
        tests=len(v.checks),
        failures=outcomes.count("failed"),
        skipped=outcomes.count("not checked"),
        seconds=seconds,
        finished=v.finished,
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("model", v.model_sha256),
        ("inputs", v.inputs),
        ("machine", v.machine),
        ("runtime", v.runtime),
        ("kernels", v.kernels),
        *v.versions.items(),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for check in v.checks:
        case = _case(suite, v.board, v.target, check.title)
        if check.outcome == "failed":
            failure = ElementTree.SubElement(
                case, "failure", type=check.name, message=_headline(check)
            )
            failure.text = _failure_text(check, v)
        elif check.outcome == "not checked":
            ElementTree.SubElement(case, "skipped", message=check.detail)
    return _document(root)


def junit_error(
    board: str, target: str, error: Exception, *, seconds: float = 0.0, finished: str = ""
) -> str:
    """The document of a verification that could not be carried out."""
    root, suite = _suite(
        f"{board}.{_plain(target)}", tests=1, errors=1, seconds=seconds, finished=finished
    )
    case = _case(suite, board, target, "the firmware can be verified")
    headline = error.message if isinstance(error, EdgemcuError) else f"{error}"
    first = next(iter(headline.splitlines()), "")
    element = ElementTree.SubElement(case, "error", type=type(error).__name__, message=first)
    element.text = str(error)
    return _document(root)


def _suite(
    name: str,
    *,
    tests: int,
    failures: int = 0,
    errors: int = 0,
    skipped: int = 0,
    seconds: float,
    finished: str,
) -> tuple[ElementTree.Element, ElementTree.Element]:
    counts = {
        "tests": str(tests),
        "failures": str(failures),
        "errors": str(errors),
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "edgemcu verify", **counts})
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {"name": f"edgemcu.verify.{name}", **counts, "skipped": str(skipped)},
    )
    if finished:
        # The schemas that readers follow know no time zone; UTC is what they assume.
        suite.set("timestamp", finished.replace("+00:00", ""))
    return root, suite


def _case(suite: ElementTree.Element, board: str, target: str, title: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"edgemcu.verify.{board}.{_plain(target)}",
        name=title,
        time="0.000",
    )


def _headline(check: Check) -> str:
    if check.limit is None:
        return check.detail or figure(check.value, check.unit)
    found = f"{figure(check.value, check.unit)}, limit {figure(check.limit, check.unit)}"
    return f"{found}: {check.detail}" if check.detail else found


def _failure_text(check: Check, verification: Verification) -> str:
    lines = [_headline(check)]
    if check.name == "bytes":
        for difference in verification.differences:
            place = f" ({difference.input})" if difference.input else ""
            lines += [
                f"inference {difference.inference}{place}: {difference.differing} bytes differ, "
                f"the first at offset {difference.offset}",
                f"  expected {difference.expected}",
                f"  got      {difference.got}",
            ]
    return "\n".join(lines)


def _plain(name: str) -> str:
    """Dots part packages and classes in the readers' trees, and slashes are folders to some."""
    return re.sub(r"[^\w-]+", "_", name).strip("_")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _document(root: ElementTree.Element) -> str:
    for element in root.iter():
        element.text = _clean(element.text or "")
        for name, value in element.items():
            element.set(name, _clean(value))
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'
