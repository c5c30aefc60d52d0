"""Text from models and people, made safe for where it goes in generated files."""

from __future__ import annotations

import re

_SIMPLE = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "?": "\\?"}
_BYTES = tuple(f"0x{byte:02x}," for byte in range(256))
_BYTES_PER_LINE = 12
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+")


def c_string(text: str) -> str:
    """`text` as a C string literal, quotes included: UTF-8, other than ASCII as octal escapes.

    Octal escapes end after three digits, so that what follows cannot become part of them; question
    marks are escaped because of trigraphs.
    """
    out = []
    for byte in text.encode("utf-8", "surrogatepass"):
        character = chr(byte)
        if character in _SIMPLE:
            out.append(_SIMPLE[character])
        elif 0x20 <= byte < 0x7F:
            out.append(character)
        else:
            out.append(f"\\{byte:03o}")
    return f'"{"".join(out)}"'


def c_bytes(data: bytes, indent: str = "    ") -> str:
    """The inside of a C array of bytes, `_BYTES_PER_LINE` a line."""
    step = _BYTES_PER_LINE
    lines = (data[start : start + step] for start in range(0, len(data), step))
    return "\n".join(indent + " ".join(map(_BYTES.__getitem__, line)) for line in lines)


def comment_line(text: str, limit: int = 200) -> str:
    """`text` on one line of printable ASCII, for a comment or a heading."""
    line = " ".join(_NOT_PRINTABLE.sub("?", " ".join(text.split())).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def c_comment(text: str) -> str:
    """`text` for the inside of a C comment: it can neither end it nor continue its line."""
    line = comment_line(text).replace("\\", "/")  # first, as it can make one of the others
    return line.replace("*/", "* /").replace("/*", "/ *")


def ini_comment(text: str) -> str:
    """`text` for a comment of an ini file."""
    return comment_line(text)


def markdown(text: str) -> str:
    """`text` as plain words in Markdown."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", comment_line(text))
