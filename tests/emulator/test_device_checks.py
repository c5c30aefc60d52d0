"""Self-test and timing loops in QEMU, where stack and counter are those of a microcontroller."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import QEMU
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]


@pytest.mark.parametrize(
    ("name", "stack", "clock"),
    [("stm32f405", 8192, 0), ("mps2-an386", 16384, 25_000_000), ("mps3-an547", 16384, 32_000_000)],
)
def test_checks_and_timing(name: str, stack: int, clock: int, tmp_path: Path) -> None:
    board = load_board(name)
    with open_board(board, device_firmware.build(name, tmp_path)) as session:
        data = bytes(range(250)) * 12
        single = session.infer(data)
        timing = session.time(data, count=50)
        result = session.self_test()
        identity = session.identity
    assert set(result.checks.values()) == {"ok"}
    assert (identity.stack_bytes, identity.clock_hz) == (stack, clock)
    assert result.stack_used is not None and 100 < result.stack_used < 2000
    assert timing.count == 50
    # Instructions are the same each time, but for a tick that is rounded up or down.
    assert timing.most - timing.least <= 1
    assert abs(timing.total / 50 - single.ticks) <= 2


def test_the_stack_that_was_used_shows(tmp_path: Path) -> None:
    """A model that takes 3 KiB of stack, and one that takes next to none."""
    used = []
    for bytes_used in (16, 3072):
        folder = tmp_path / str(bytes_used)
        elf = device_firmware.build("stm32f405", folder, [f"-DMODEL_STACK={bytes_used}"])
        with open_board(load_board("stm32f405"), elf) as session:
            session.infer(bytes(INPUT_BYTES))
            used.append(session.self_test().stack_used or 0)
    assert used[1] - used[0] >= 2048


def test_without_room_for_the_input_a_built_in_one_is_timed(tmp_path: Path) -> None:
    elf = device_firmware.build("stm32f405", tmp_path, arena_bytes=110_000)
    with open_board(load_board("stm32f405"), elf) as session:
        assert not session.identity.keeps_input
        timing = session.time(bytes(INPUT_BYTES), count=20)
        assert (timing.count, timing.most - timing.least <= 1) == (20, True)
