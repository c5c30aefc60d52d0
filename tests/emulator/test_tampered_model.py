"""A bit of the model flips in the flash of an emulated microcontroller."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import QEMU
from edgemcu.errors import DeviceError
from tests.support.generated import build_generated
from tests.support.tampering import constants_of, flipped
from tests.support.tiny_classifier import tiny_classifier

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]


@pytest.mark.parametrize("name", ["stm32f405", "mps2-an500", "mps3-an547"])
def test_it_says_so_at_boot_and_refuses(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    elf, model = build_generated(tiny_classifier(), name, tmp_path / "project")
    with open_board(board, elf, model_digest=model.digest) as session:
        session.infer(bytes(session.identity.input_bytes))
    for array, memory in constants_of(elf.parent):
        bit = random.Random(array).randrange(8 * len(memory))
        lines: list[str] = []
        with pytest.raises(DeviceError, match="the model in flash is damaged: the SHA-256 of"):
            open_board(board, flipped(elf, memory, bit, tmp_path), on_line=lines.append)
        assert not [line for line in lines if "#" in line]
