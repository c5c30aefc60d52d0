"""Where the files that ship beside the code are: in the wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """The folder `name` ("boards", "firmware_templates", …) that ships with edgemcu."""
    in_wheel = Path(__file__).parent / "_shipped" / name
    return in_wheel if in_wheel.is_dir() else Path(__file__).parent.parent / name
