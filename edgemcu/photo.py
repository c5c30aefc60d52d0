"""Opening photo files that nobody vouches for: orientation, colour and depth made uniform."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp"})

# 100 megapixels as RGB are 300 MB: more than any camera's photo, less than a bomb.
MAX_PIXELS = 100_000_000

_EXIF_ORIENTATION = 0x0112


@contextmanager
def quiet_decoder() -> Iterator[None]:
    """Silence Pillow's warnings: of odd EXIF, palettes and large pictures, all dealt with here.

    Warning filters belong to the whole process: enter this once, around threads, not in them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def open_photo(path: Path) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG, WebP or BMP file, upright, as its viewer would show it.

    EXIF orientation is applied, transparency laid over white, 16 bits rounded to 8, palettes and
    CMYK turned to RGB. Of an animation the first frame counts. The format is told by the content,
    not by the file's name.

    Returns:
        uint8, (H, W, 1) for a grey picture and (H, W, 3) for a coloured one.

    Raises:
        DatasetError: no such file, not a picture in one of the four formats, damaged, or larger
            than `MAX_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    if path.exists() and not path.is_file():
        # A pipe would be waited for.
        raise _unreadable(path, "is not a file")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _unreadable(path, f"{image.width}×{image.height} pixels are too many")
            orientation = _orientation(image)
            pixels = _upright(_to_array(image), orientation)
            is_png = image.format == "PNG"
        if is_png:
            # Pillow decodes past damage that the chunks' checksums tell of.
            with Image.open(path, formats=("PNG",)) as image:
                image.verify()
        return pixels
    except DatasetError:
        raise
    except UnidentifiedImageError:
        problem = "is empty" if path.stat().st_size == 0 else "not a JPEG, PNG, WebP or BMP picture"
        raise _unreadable(path, problem) from None
    except Image.DecompressionBombError:
        raise _unreadable(path, f"more than {MAX_PIXELS} pixels") from None
    except MemoryError:
        raise _unreadable(path, "needs more memory than there is") from None
    except Exception as problem:
        # Pillow's decoders raise whatever the damage happens to trip over: OSError, SyntaxError,
        # struct.error, ValueError, zlib.error, …
        raise _unreadable(path, _first_line(problem)) from None


def _unreadable(path: Path, problem: str) -> DatasetError:
    return DatasetError(problem, where=str(path))


def _first_line(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    lines = str(problem).splitlines()
    return f"damaged: {lines[0]}" if lines and lines[0] else f"damaged ({type(problem).__name__})"


def _orientation(image: Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
        return value if isinstance(value, int) else 1
    except Exception:
        # A damaged EXIF block does not make the picture unusable.
        return 1


def _to_array(image: Image) -> NDArray[np.uint8]:
    image.load()
    mode = image.mode
    if mode.startswith("I"):
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        return ((values + 128) // 257).astype(np.uint8)[:, :, None]
    if mode in ("1", "L"):
        return np.asarray(image.convert("L"))[:, :, None]
    if "transparency" in image.info or mode in ("LA", "PA", "La", "RGBA", "RGBa"):
        grey = mode in ("LA", "La", "L")
        pixels = np.asarray(image.convert("RGBA")).astype(np.uint16)
        colour, alpha = pixels[:, :, :3], pixels[:, :, 3:]
        over_white = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        return np.ascontiguousarray(over_white[:, :, :1]) if grey else over_white
    return np.asarray(image.convert("RGB"))


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo the camera's rotation: EXIF 2.3, tag 0x0112, values 1 to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
