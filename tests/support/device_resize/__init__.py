"""The device's resize, behind its serial line: on this computer, or in an emulator."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemcu.boards import load_board
from edgemcu.firmware.assemble import assemble
from edgemcu.preprocessing import Preprocessing
from edgemcu.shipped import shipped
from tests.support.firmware import APP, stand_in

FORMATS = ("grey", "rgb888", "bgr888", "rgb565", "rgb565-le", "yuv422")
FITS = ("crop", "pad", "stretch")
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

_HERE = Path(__file__).parent
# Of the sketch only what a serial line needs.
_KEPT = ("linker/", "include/", "src/startup.c", "src/serial.c", "src/clock.c")


def build(board_name: str, folder: Path, flags: Sequence[str] = ()) -> Path:
    """The program for a board, in `folder`; skips the test where its compiler is missing."""
    board = load_board(board_name)
    compiler = shutil.which(board.core.compiler)
    if compiler is None:
        pytest.skip(f"{board.core.compiler} is not installed")
    files = {
        path: text
        for path, text in assemble(board, stand_in(), APP).items()
        if path.startswith(_KEPT) or path.endswith(".h")
    }
    for name in ("resize.c", "resize.h"):
        files[f"src/{name}"] = (shipped("firmware_templates") / "sketch" / name).read_text()
    files["src/main.c"] = (_HERE / "main.c").read_text()
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    machine = list(board.core.flags)
    if not board.hosted:
        machine += ["-nostartfiles", f"-Tlinker/{board.name}.ld"]
    sources = sorted(str(source.relative_to(folder)) for source in folder.rglob("*.c"))
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Iinclude"]
    command += [*machine, *flags, *sources, "-o", "resize.elf"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "resize.elf"


_LETTERS = bytes.maketrans(b"0123456789abcdef", b"abcdefghijklmnop")


class Device:
    """The program at the other end of a line: `send` writes bytes, `receive` reads exactly n."""

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[int], bytes]) -> None:
        self._send = lambda data: send(data.hex().encode().translate(_LETTERS))
        self._receive = receive
        assert receive(1) == b"R", "the program did not start"

    def resize(
        self, frame: bytes, height: int, width: int, format_: str, spec: Preprocessing
    ) -> NDArray[np.uint8] | None:
        """The picture of `spec` that the device makes of a frame; None if it refuses."""
        sizes = (width, height, FORMATS.index(format_), spec.width, spec.height, spec.channels)
        self._send(struct.pack("<7I", *sizes, FITS.index(spec.fit)))
        if self._receive(1) != b"\0":
            return None
        row = len(frame) // height
        ready = b"\0"
        for start in range(0, len(frame), row):
            self._send(frame[start : start + row])
            ready = self._receive(1)
        assert ready == b"\1", "the picture is not ready after the last row"
        pixels = self._receive(spec.height * spec.width * spec.channels)
        return np.frombuffer(pixels, np.uint8).reshape(spec.shape)


def encode(pixels: NDArray[np.uint8], format_: str) -> bytes:
    """(H, W, 3) pixels (or what is nearest to them) as a camera's frame of this format."""
    wide = pixels.astype(np.int64)
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    if format_ == "grey":
        return pixels[..., 0].tobytes()
    if format_ == "rgb888":
        return pixels.tobytes()
    if format_ == "bgr888":
        return pixels[..., ::-1].tobytes()
    if format_.startswith("rgb565"):
        words = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
        return words.astype("<u2" if format_ == "rgb565-le" else ">u2").tobytes()
    # Any bytes are a YUV 4:2:2 frame: two for each pixel.
    return pixels[..., :2].tobytes()


def decode(frame: bytes, height: int, width: int, format_: str) -> NDArray[np.uint8]:
    """A frame's pixels as training would see them: (H, W, 3), or (H, W, 1) for a grey camera."""
    data = np.frombuffer(frame, np.uint8).astype(np.int64)
    if format_ == "grey":
        return data.reshape(height, width, 1).astype(np.uint8)
    if format_ in ("rgb888", "bgr888"):
        pixels = data.reshape(height, width, 3).astype(np.uint8)
        return pixels if format_ == "rgb888" else pixels[..., ::-1]
    if format_.startswith("rgb565"):
        dtype = "<u2" if format_ == "rgb565-le" else ">u2"
        words = np.frombuffer(frame, dtype).astype(np.int64).reshape(height, width)
        fields = [(words >> 11, 31), (words >> 5 & 63, 63), (words & 31, 31)]
        # v x 255 / 31 (or 63), rounded down: what repeating the upper bits gives.
        shifts = [(3, 2), (2, 4), (3, 2)]
        channels = [
            field << up | field >> down
            for (field, _), (up, down) in zip(fields, shifts, strict=True)
        ]
        return np.stack(channels, axis=-1).astype(np.uint8)
    pairs = data.reshape(height, width // 2, 4)
    luminance = pairs[..., [0, 2]].reshape(height, width)
    u, v = (np.repeat(pairs[..., index], 2, axis=-1) - 128 for index in (1, 3))
    red = luminance + np.floor_divide(359 * v + 128, 256)
    green = luminance + np.floor_divide(128 - 88 * u - 183 * v, 256)
    blue = luminance + np.floor_divide(454 * u + 128, 256)
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 255).astype(np.uint8)


def luminance(frame: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """A YUV frame for a grey model: its Y, as it is."""
    data = np.frombuffer(frame, np.uint8).reshape(height, width, 2)
    return data[..., :1]
