"""Numbers as people read them, the same in the terminal and on the page."""

from __future__ import annotations


def count(value: int) -> str:
    """12345 → "12,345"."""
    return f"{value:,}"


def short(value: float) -> str:
    """Three significant figures with a unit prefix: 12_496_000 → "12.5 M"."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        # 999,950 reads 1.00 M, not 1000 k.
        if abs(value) >= limit * 0.9995:
            scaled = value / limit
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{digits}f}{unit}"
    return f"{value:.0f}"


def size(value: int) -> str:
    """Bytes below 1 KiB as they are, above it in KiB: 34_816 → "34.0 KiB"."""
    return f"{value} B" if value < 1024 else f"{value / 1024:,.1f} KiB"


def percent(share: float | None, digits: int = 1) -> str:
    """0.7666 → "76.7 %"; nothing to divide is a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def shape(dimensions: tuple[int, ...]) -> str:
    return " × ".join(map(str, dimensions)) or "scalar"


def plural(value: int, noun: str) -> str:
    return f"{count(value)} {noun}" + ("" if value == 1 else "s")


def figure(value: float | str | None, unit: str) -> str:
    """A value with its unit, as checks and comparisons show it; nothing is a dash."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if unit == "bytes":
        return size(round(value))
    if unit == "share":
        return percent(value)
    if unit == "ms":
        return f"{value:,.2f} ms"
    return f"{value:,.0f}"


def signed_figure(value: float | None, unit: str) -> str:
    """A difference with its sign: "+512 B", "−0.7 points"."""
    if value is None:
        return "–"
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    if unit == "share":
        return f"{sign}{abs(100 * value):.1f} points"
    return f"{sign}{figure(abs(value), unit)}"


def printable(text: str) -> str:
    """A name from outside as a terminal may have it: no control characters, no stray bytes."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in whole)


def printable_lines(text: str) -> str:
    """The same for a message of several lines, which stay apart."""
    return "\n".join(map(printable, text.split("\n")))
