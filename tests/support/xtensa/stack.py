"""How much stack compiled C can take, from clang's frame sizes and the calls in its assembly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_FUNCTION = re.compile(r"^(\w+):\s+# @", re.MULTILINE)
_LITERAL = re.compile(r"^\s*\.literal (\.LCPI\d+_\d+), (\S+)$", re.MULTILINE)
_USE = re.compile(r"\.LCPI\d+_\d+")


def deepest(folder: Path, roots: Iterable[str]) -> tuple[int, list[str]]:
    """Bytes and functions of the longest chain of calls from one of `roots`.

    Args:
        folder: NAME.s and NAME.su of each source, as `xtensa-clang -fstack-usage` leaves them.

    Every function whose address is taken counts as called. Recursion is refused.
    """
    frames, uses = _frames(folder), _uses(folder)
    depths: dict[str, tuple[int, list[str]]] = {}

    def depth(name: str, above: tuple[str, ...]) -> tuple[int, list[str]]:
        assert name not in above, f"recursion: {' -> '.join((*above, name))}"
        if name not in depths:
            below = [depth(callee, (*above, name)) for callee in uses[name] if callee in frames]
            bytes_, chain = max(below, default=(0, []))
            depths[name] = (frames[name] + bytes_, [name, *chain])
        return depths[name]

    return max(depth(root, ()) for root in roots)


def _frames(folder: Path) -> dict[str, int]:
    frames = {}
    for path in sorted(folder.glob("*.su")):
        for line in path.read_text().splitlines():
            place, size, kind = line.split("\t")
            assert kind == "static", line
            name = place.rsplit(":", 1)[1]
            frames[name] = max(int(size), frames.get(name, 0))
    return frames


def _uses(folder: Path) -> dict[str, set[str]]:
    """For each function all symbols that it names."""
    uses: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.s")):
        text = path.read_text()
        literals = dict(_LITERAL.findall(text))
        text = _LITERAL.sub("", text)
        starts = list(_FUNCTION.finditer(text))
        ends = [*(match.start() for match in starts[1:]), len(text)][: len(starts)]
        for match, end in zip(starts, ends, strict=True):
            body = text[match.end() : end]
            named = {literals[name] for name in _USE.findall(body) if name in literals}
            uses.setdefault(match[1], set()).update(named)
    return uses
