"""The device's resize gives training's bytes, for every format of a camera and every way to fit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgemcu.preprocessing import Colour, Fit, Preprocessing, load_pixels
from tests.support.device_resize import (
    FITS,
    FORMATS,
    SANITIZE,
    Device,
    build,
    decode,
    encode,
    luminance,
)

SIDES = st.integers(1, 40)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    program = build("host", tmp_path_factory.mktemp("resize"), SANITIZE)
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def receive(count: int) -> bytes:
            data = b""
            while len(data) < count:
                piece = stdout.read(count - len(data))
                assert piece, "the program ended"
                data += piece
            return data

        yield Device(stdin.write, receive)
        stdin.close()
        assert process.wait(10) == 0


def check(device: Device, height: int, width: int, format_: str, spec: Preprocessing) -> None:
    seed = height * 1000 + width
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    frame = encode(pixels, format_)
    if format_ == "yuv422" and spec.colour == "grey":
        seen = luminance(frame, height, width)
    else:
        seen = decode(frame, height, width, format_)
    expected = load_pixels(np.ascontiguousarray(seen), spec)
    got = device.resize(frame, height, width, format_, spec)
    assert got is not None
    assert np.array_equal(got, expected)


@settings(max_examples=400, deadline=None)
@given(
    height=SIDES,
    width=SIDES,
    format_=st.sampled_from(FORMATS),
    to_height=SIDES,
    to_width=SIDES,
    colour=st.sampled_from(["rgb", "grey"]),
    fit=st.sampled_from(FITS),
)
def test_it_is_what_training_does(
    device: Device,
    height: int,
    width: int,
    format_: str,
    to_height: int,
    to_width: int,
    colour: Colour,
    fit: Fit,
) -> None:
    if format_ == "yuv422":
        width += width % 2
    check(device, height, width, format_, Preprocessing(to_height, to_width, colour, fit))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("format_", ["rgb565", "yuv422"])
def test_frames_of_cameras(fit: Fit, format_: str, device: Device) -> None:
    for height, width, side in ((240, 320, 96), (240, 240, 96), (120, 160, 96), (480, 640, 32)):
        check(device, height, width, format_, Preprocessing(side, side, "rgb", fit))


@pytest.mark.parametrize(
    ("height", "width", "to"),
    [(0, 8, 8), (1 << 15, 8, 8), (8, 1 << 15, 8), (4096, 4096, 8), (8, 8, 2048)],
)
def test_what_would_overflow_is_refused(height: int, width: int, to: int, device: Device) -> None:
    spec = Preprocessing(to, to, "grey", "stretch")
    assert device.resize(b"", height, width, "grey", spec) is None


def test_an_odd_row_of_yuv_is_refused(device: Device) -> None:
    assert device.resize(b"", 8, 7, "yuv422", Preprocessing(4, 4)) is None
