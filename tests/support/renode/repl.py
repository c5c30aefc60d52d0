"""Platform descriptions, read by the rules of Renode's own grammar (its files PreLexer.cs and
Grammar.cs of August 2026), as far as the generated ones use them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_IDENTIFIER = r"[A-Za-z][A-Za-z0-9_]*"
_NUMBER = r"(?:0x[0-9A-Fa-f]+|\d+)"
_RANGE = rf"<{_NUMBER}, \+?{_NUMBER}>"
_TYPE = rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})*"
_PLACE = rf"{_IDENTIFIER}(?: (?:{_NUMBER}|{_RANGE}))?"
_ENTRY = re.compile(
    rf"(?P<name>{_IDENTIFIER}):(?: (?P<type>{_TYPE}))?"
    rf"(?: @ (?P<place>{_PLACE}|\{{(?: {_PLACE};?)+ \}}))?"
)
_VALUE = re.compile(rf'(?P<key>{_IDENTIFIER}): (?P<value>"[^"]*"|{_NUMBER}|true|false|{_TYPE})')
_IRQ = re.compile(rf"(?:(?P<source>{_IDENTIFIER}) )?-> (?P<to>{_IDENTIFIER})@(?P<line>\d+)")
_KEYWORDS = {"using", "new", "as", "preinit", "init", "reset", "local", "none", "empty"}


@dataclass
class Entry:
    """One peripheral."""

    type: str | None
    places: list[str]
    values: dict[str, str] = field(default_factory=dict)
    irqs: list[tuple[str | None, str, int]] = field(default_factory=list)
    init: list[str] = field(default_factory=list)


def parse(text: str) -> dict[str, Entry]:
    """Raises: ValueError: a line that the grammar does not have."""
    # A list of places may go over several lines.
    text = re.sub(r"\{\s+(.*?)\s+\}", lambda m: f"{{ {' '.join(m[1].split())} }}", text, flags=re.S)
    entries: dict[str, Entry] = {}
    entry: Entry | None = None
    in_init = False
    for line in text.splitlines():
        line = line.split("//")[0].rstrip()
        depth = (len(line) - len(line.lstrip())) // 4
        words = line.strip()
        if not words:
            continue
        if depth == 0:
            match = _ENTRY.fullmatch(words)
            if match is None or match["name"] in entries or match["name"] in _KEYWORDS:
                raise ValueError(f"no entry: {line!r}")
            places = re.findall(_PLACE, match["place"] or "")
            entry = entries[match["name"]] = Entry(match["type"], places)
            in_init = False
        elif entry is None:
            raise ValueError(f"outside of an entry: {line!r}")
        elif depth == 2 and in_init:
            entry.init.append(words)
        elif words == "init:":
            in_init = True
        elif match := _VALUE.fullmatch(words):
            entry.values[match["key"]] = match["value"]
        elif match := _IRQ.fullmatch(words):
            entry.irqs.append((match["source"], match["to"], int(match["line"])))
        else:
            raise ValueError(f"no attribute: {line!r}")
    return entries
