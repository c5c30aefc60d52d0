"""The pictures in the documentation show the plans that the compiler makes today."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "draw_memory_plans.py"))


@pytest.mark.parametrize("name, target", TOOL["PLANS"])
def test_pictures_are_current(name: str, target: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    drawn = TOOL["picture"](name, target)
    ElementTree.fromstring(drawn)
    stored = (ROOT / "docs" / TOOL["file_name"](name, target)).read_text(encoding="utf-8")
    assert drawn == stored, "run tools/draw_memory_plans.py"
