"""Names from a model, made safe for C: identifiers and comments."""

from __future__ import annotations

import re

MAX_IDENTIFIER = 32
MAX_COMMENT = 60


def identifier(name: str) -> str:
    """The last part of a tensor's name as letters, digits and underscores; may be empty."""
    last = re.split(r"[/;]", name.rstrip("/;"))[-1]
    words = re.sub(r"[^0-9A-Za-z]+", "_", last).strip("_").lower()
    return words[:MAX_IDENTIFIER].rstrip("_")


def comment(name: str) -> str:
    """A tensor's name as it can stand in a C comment: printable, short, unable to end it."""
    safe = re.sub(r"[^0-9A-Za-z_ .:;,/+=()\[\]-]", "_", name).replace("//", "/")
    return safe if len(safe) <= MAX_COMMENT else "..." + safe[-MAX_COMMENT + 3 :]


def shape(dimensions: tuple[int, ...]) -> str:
    """96x96x3; the batch of 1 is left out, a scalar is 1."""
    shown = dimensions[1:] if len(dimensions) > 1 and dimensions[0] == 1 else dimensions
    return "x".join(map(str, shown)) or "1"
