"""Names from models and people cannot break out of where they are put."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgemcu.firmware.escape import c_comment, c_string, comment_line, markdown

NASTY = [
    '"); system("x',
    "*/ int x; /*",
    "*\\ int x; \\*",
    "\\",
    "??/",
    "a\nb",
    "tab\t",
    "\x00\x7f",
    "ü 日本",
    "%s\r",
]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_c_string_is_one_ascii_literal_of_the_same_bytes(text: str) -> None:
    literal = c_string(text)
    assert literal.isascii() and literal.isprintable()
    # Python's literals know the same escapes, but for \?.
    assert ast.literal_eval("b" + literal.replace("\\?", "?")) == text.encode()


@given(st.text())
@example("*\\ int x; /\\*")
@example("*/*/**//")
def test_c_comment_cannot_end_or_continue(text: str) -> None:
    comment = c_comment(text)
    assert "*/" not in comment and "/*" not in comment
    assert "\\" not in comment and "\n" not in comment
    assert len(comment) <= 220


@given(st.text())
def test_a_line_stays_one_line(text: str) -> None:
    assert comment_line(text).isascii()
    assert len(comment_line(text).splitlines()) <= 1
    assert len(markdown(text).splitlines()) <= 1


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_a_compiler_reads_the_same_bytes(tmp_path: Path) -> None:
    values = "\n".join(f"    {c_string(name)}," for name in NASTY)
    comments = "\n".join(f"/* {c_comment(name)} */" for name in NASTY)
    (tmp_path / "names.c").write_text(
        "#include <stdio.h>\n"
        f"{comments}\n"
        f"static const char *const names[] = {{\n{values}\n}};\n"
        "int main(void)\n{\n"
        "    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {\n"
        '        printf("%s|", names[i]);\n    }\n    return 0;\n}\n'
    )
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-trigraphs"]
    subprocess.run(["gcc", *flags, "names.c", "-o", "names"], cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "names"], capture_output=True, check=True).stdout
    expected = [name.encode().split(b"\0")[0] for name in NASTY]
    assert out == b"".join(name + b"|" for name in expected)
