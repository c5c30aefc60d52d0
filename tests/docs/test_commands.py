"""Runs the shell blocks of each page as they stand, one page after the other in a fresh folder."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest
from PIL import Image, ImageDraw

from tests.docs.pages import name_of, pages, shell_blocks

PHOTOS_PER_CLASS = 60
LIMIT_S = 1500
CLASSES = {"apple": (200, 40, 40), "pear": (150, 190, 60), "plum": (90, 50, 130)}

RUNNABLE = [page for page in pages() if any(block.reason is None for block in shell_blocks(page))]


def draw_photos(folder: Path) -> None:
    """`photos/` as the pages assume it: drawings that a network can tell apart by colour."""
    random_ = random.Random(0)
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for index in range(PHOTOS_PER_CLASS):
            background = Image.effect_noise((80, 64), random_.uniform(40, 120)).convert("RGB")
            draw = ImageDraw.Draw(background)
            x, y = random_.randrange(8, 40), random_.randrange(8, 30)
            size = random_.randrange(20, 34)
            fill = tuple(min(255, max(0, c + random_.randrange(-30, 30))) for c in colour)
            draw.ellipse((x, y, x + size, y + size), fill=fill)
            background.save(folder / name / f"{index:03}.jpg", quality=90)


@pytest.mark.slow
@pytest.mark.emulator
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
@pytest.mark.skipif(which("qemu-system-arm") is None, reason="QEMU is not installed")
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_shell_blocks_run(page: Path, tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos")
    blocks = [block.text for block in shell_blocks(page) if block.reason is None]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
