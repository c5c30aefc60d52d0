"""What all serial lines have in common."""

from __future__ import annotations

from pydantic import Field

from edgemcu.schema import Table


class SerialLine(Table):
    """[serial]: what all lines have in common."""

    baud: int = Field(default=115_200, strict=True, ge=1200, le=10_000_000)
