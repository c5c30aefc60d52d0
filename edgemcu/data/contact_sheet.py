"""A sheet of photos, a row for each class, as the network sees them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgemcu.data.dataset import Dataset, LabelledImages
from edgemcu.resize import resize

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

TRAIN_COLUMNS = 10
TEST_COLUMNS = 4
MAX_ROWS = 40

_TILE = 76
_GAP = 6
_SPLIT_GAP = 22
_MARGIN = 24
_LABEL_WIDTH = 176
_HEADER = 84

_PAPER = (255, 255, 255)
_INK = (32, 38, 46)
_FADED = (118, 126, 138)
_LINE = (224, 228, 233)


def contact_sheet(dataset: Dataset, title: str, subtitle: str) -> bytes:
    """Draw the sheet.

    Training photos on the left, test photos on the right of a line. The photos of a row are
    spread evenly over the class, not the first ones.

    Args:
        title, subtitle: the two lines above.

    Returns:
        A PNG file.
    """
    from PIL import Image, ImageDraw

    shown = dataset.classes[:MAX_ROWS]
    columns = TRAIN_COLUMNS + TEST_COLUMNS
    width = 2 * _MARGIN + _LABEL_WIDTH + columns * (_TILE + _GAP) - _GAP + _SPLIT_GAP
    omitted = len(dataset.classes) - len(shown)
    footer = 28 if omitted else 0
    height = _HEADER + len(shown) * (_TILE + _GAP) - _GAP + _MARGIN + footer
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text(
        (_MARGIN, 16),
        _fit(draw, title, _font(20, bold=True), width // 2),
        _INK,
        _font(20, bold=True),
    )
    draw.text(
        (_MARGIN, 44), _fit(draw, subtitle, _font(12), width - 2 * _MARGIN), _FADED, _font(12)
    )

    train_left = _MARGIN + _LABEL_WIDTH
    test_left = train_left + TRAIN_COLUMNS * (_TILE + _GAP) + _SPLIT_GAP
    draw.text((train_left, _HEADER - 18), "training", _FADED, _font(11))
    draw.text((test_left, _HEADER - 18), "test", _FADED, _font(11))
    middle = test_left - (_SPLIT_GAP + _GAP) // 2
    draw.line((middle, _HEADER - 14, middle, height - _MARGIN - footer), _LINE, 1)

    train_counts, test_counts = dataset.train.counts(), dataset.test.counts()
    for row, name in enumerate(shown):
        top = _HEADER + row * (_TILE + _GAP)
        label = _fit(draw, name, _font(15, bold=True), _LABEL_WIDTH - 16)
        draw.text((_MARGIN, top + 18), label, _INK, _font(15, bold=True))
        counts = f"{train_counts[row]:,} + {test_counts[row]:,}"
        draw.text((_MARGIN, top + 41), counts, _FADED, _font(12))
        sides = (
            (dataset.train, train_left, TRAIN_COLUMNS),
            (dataset.test, test_left, TEST_COLUMNS),
        )
        for side, left, count in sides:
            for column, index in enumerate(_spread(side, row, count)):
                tile = Image.fromarray(_tile(side.images[index]))
                sheet.paste(tile, (left + column * (_TILE + _GAP), top))
    if omitted:
        note = f"and {omitted} more classes"
        draw.text((_MARGIN, height - _MARGIN - 8), note, _FADED, _font(12))
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def _spread(side: LabelledImages, label: int, count: int) -> Sequence[int]:
    rows = np.flatnonzero(side.labels == label)
    if len(rows) > count:
        rows = rows[np.arange(count) * len(rows) // count]
    chosen: list[int] = rows.tolist()
    return chosen


def _tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo in the middle of a square tile, RGB: small ones with their pixels visible."""
    height, width = pixels.shape[:2]
    factor = max(1, _TILE // max(height, width))
    enlarged = np.asarray(pixels).repeat(factor, axis=0).repeat(factor, axis=1)
    largest = max(enlarged.shape[:2])
    target = [max(1, round(side * _TILE / largest)) for side in enlarged.shape[:2]]
    tile = np.full((_TILE, _TILE, 3), 255, np.uint8)
    scaled = resize(enlarged, target[0], target[1])
    top, left = (_TILE - target[0]) // 2, (_TILE - target[1]) // 2
    tile[top : top + target[0], left : left + target[1]] = scaled
    return tile


def _font(size: int, *, bold: bool = False) -> FreeTypeFont | ImageFont:
    """Matplotlib's DejaVu Sans, which knows most alphabets; else what Pillow brings along."""
    from PIL import ImageFont

    try:
        import matplotlib

        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
        return ImageFont.truetype(str(file), size)
    except (ImportError, OSError):
        return ImageFont.load_default(size)


def _fit(draw: ImageDraw, text: str, font: FreeTypeFont | ImageFont, width: int) -> str:
    """Cut `text` so that it is at most `width` pixels wide."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(f"{text}…", font) > width:
        text = text[:-1]
    return f"{text}…"
