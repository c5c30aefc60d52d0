"""Opening photo files: every format and mode, orientation, and files that lie."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgemcu.errors import DatasetError
from edgemcu.photo import open_photo, quiet_decoder
from tests.support.photos import picture, save

LOSSLESS = [("png", {}), ("bmp", {}), ("webp", {"lossless": True})]


@pytest.mark.parametrize(("suffix", "options"), LOSSLESS)
def test_lossless_formats_give_the_same_pixels(
    tmp_path: Path, suffix: str, options: dict[str, object]
) -> None:
    pixels = picture(1)
    assert np.array_equal(open_photo(save(tmp_path / f"a.{suffix}", pixels, **options)), pixels)


def test_jpeg_is_close(tmp_path: Path) -> None:
    pixels = picture(1)
    opened = open_photo(save(tmp_path / "a.jpg", pixels, quality=95))
    assert np.abs(opened.astype(int) - pixels).mean() < 4


def test_the_content_tells_the_format(tmp_path: Path) -> None:
    pixels = picture(1)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    path = tmp_path / "photo.jpg"
    path.write_bytes(stream.getvalue())
    assert np.array_equal(open_photo(path), pixels)


def test_grey_has_one_channel(tmp_path: Path) -> None:
    grey = picture(1)[:, :, :1]
    assert np.array_equal(open_photo(save(tmp_path / "a.png", grey)), grey)
    assert open_photo(save(tmp_path / "a.jpg", grey)).shape[2] == 1


def test_black_and_white_becomes_0_and_255(tmp_path: Path) -> None:
    Image.fromarray(picture(1)[:, :, 0]).convert("1").save(tmp_path / "a.png")
    assert set(np.unique(open_photo(tmp_path / "a.png"))) <= {0, 255}


def test_16_bits_are_rounded_to_8(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 256, 257, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert open_photo(tmp_path / "a.png")[0, :, 0].tolist() == [0, 0, 1, 1, 1, 255]


def test_palettes_become_colours(tmp_path: Path) -> None:
    indexed = Image.fromarray(picture(1)).quantize(16)
    indexed.save(tmp_path / "a.png")
    assert np.array_equal(open_photo(tmp_path / "a.png"), np.asarray(indexed.convert("RGB")))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    red, green, blue = open_photo(tmp_path / "a.jpg")[4, 4].tolist()
    assert red > 200
    assert max(green, blue) < 60


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = (0, 128, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert open_photo(tmp_path / "a.png")[0].tolist() == [[255] * 3, [127] * 3, [0] * 3]


def test_a_transparent_palette_lies_over_white(tmp_path: Path) -> None:
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([10, 20, 30, 40, 50, 60])
    indexed.putdata([0, 1])
    indexed.save(tmp_path / "a.png", transparency=0)
    assert open_photo(tmp_path / "a.png")[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    first, second = (Image.fromarray(picture(number)) for number in (1, 2))
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    assert np.array_equal(open_photo(tmp_path / "a.png"), picture(1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = picture(1)
    # How a camera that was held like this stores the picture: the inverse of what it asks for.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(open_photo(tmp_path / "a.png"), upright)


def test_damaged_exif_does_not_matter(tmp_path: Path) -> None:
    image = Image.fromarray(picture(1))
    image.save(tmp_path / "a.png", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff" + b"\xff" * 30)
    with quiet_decoder():
        assert np.array_equal(open_photo(tmp_path / "a.png"), picture(1))


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not a photo", "not a JPEG"),
        (b"GIF89a" + b"\0" * 60, "not a JPEG"),
        (png_header(10_001, 10_000), "too many"),
        (png_header(60_000, 60_000), "pixels"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=reason) as caught, quiet_decoder():
        open_photo(path)
    assert caught.value.where == str(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photo.png")
    with pytest.raises(DatasetError, match="is not a file"):
        open_photo(tmp_path / "photo.png")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        open_photo(tmp_path / "missing.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp"])
def test_truncated_and_flipped_files_never_escape_as_another_error(
    tmp_path: Path, suffix: str
) -> None:
    path = save(tmp_path / f"a.{suffix}", picture(1, 96, 80))
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    with quiet_decoder():
        for _ in range(60):
            damaged = bytearray(whole[: random.integers(1, len(whole))])
            for _ in range(random.integers(0, 4)):
                damaged[random.integers(len(damaged))] ^= 1 << int(random.integers(8))
            path.write_bytes(damaged)
            try:
                assert open_photo(path).dtype == np.uint8
            except DatasetError:
                refused += 1
    # Of files that are cut off at all, no format lets more than a few through.
    assert refused > 50
