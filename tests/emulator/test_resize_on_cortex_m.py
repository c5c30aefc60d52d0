"""The device's resize on emulated Cortex-M cores: training's bytes there, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.emulator import QEMU, QemuMachine
from edgemcu.preprocessing import Preprocessing
from tests.support.device_resize import FITS, FORMATS, Device, build
from tests.unit.test_device_resize import check

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]

# Height and width of the frame, and of the picture, which lies on the stack of 16 KiB.
SIZES = ((48, 64, 32, 32), (30, 40, 48, 56), (24, 24, 24, 24), (61, 34, 28, 45))


@pytest.mark.parametrize("name", ["mps2-an386", "mps3-an547"])
def test_it_is_what_training_does(name: str, tmp_path: Path) -> None:
    emulator = load_board(name).emulator
    assert emulator is not None and emulator.kind == "qemu"
    transport = QemuMachine(emulator.machine, emulator.icount_shift).boot(build(name, tmp_path))

    arrived = bytearray()

    def receive(count: int) -> bytes:
        while len(arrived) < count:
            piece = transport.read(20.0)
            assert piece, "no answer"
            arrived.extend(piece)
        data = bytes(arrived[:count])
        del arrived[:count]
        return data

    try:
        device = Device(lambda data: transport.write(data, 20.0), receive)
        for number, (height, width, to_height, to_width) in enumerate(SIZES):
            for format_ in FORMATS:
                fit = FITS[(number + FORMATS.index(format_)) % len(FITS)]
                spec = Preprocessing(to_height, to_width, "rgb" if number % 2 else "grey", fit)
                check(device, height, width, format_, spec)
    finally:
        transport.close()
