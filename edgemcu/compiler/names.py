"""Names from a model, made safe for C: identifiers and comments."""

from __future__ import annotations

import re

MAX_IDENTIFIER = 32
MAX_COMMENT = 60


def identifier(name: str) -> str:
    """The end of a tensor's name as letters, digits and underscores; may be empty."""
    parts = [part for part in _first_fused(name).split("/") if part]
    words = re.sub(r"[^0-9A-Za-z]+", "_", "_".join(parts[-2:])).strip("_").lower()
    return words[:MAX_IDENTIFIER].rstrip("_")


def comment(name: str) -> str:
    """A tensor's name as it can stand in a C comment: printable, short, unable to end it."""
    safe = re.sub(r"[^0-9A-Za-z_ .:;,/+=()\[\]-]", "_", _first_fused(name)).replace("//", "/")
    return safe if len(safe) <= MAX_COMMENT else "..." + safe[-MAX_COMMENT + 3 :]


def _first_fused(name: str) -> str:
    """Converters join the names of all operators that they fused into one by semicolons."""
    return name.split(";")[0]


def shape(dimensions: tuple[int, ...]) -> str:
    """96x96x3; the batch of 1 is left out, a scalar is 1."""
    shown = dimensions[1:] if len(dimensions) > 1 and dimensions[0] == 1 else dimensions
    return "x".join(map(str, shown)) or "1"
