"""QEMU as the sessions use it: firmware that hangs, faults or is none, many at once, none left."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import QEMU, QemuMachine
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.errors import EmulatorError
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, MODEL_DIGEST, TABLE, expected

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]

QUICK = Limits(ready_s=3.0, answer_s=1.0, inference_s=1.0, attempts=2)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("stm32f405", tmp_path_factory.mktemp("stm32f405"))


def an_input(seed: int, start: bytes = b"") -> bytes:
    return start + random.Random(seed).randbytes(INPUT_BYTES - len(start))


def bare(folder: Path, table: str) -> Path:
    """An image for mps2-an386 that is a vector table and an endless loop."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    source, elf = folder / "bare.S", folder / "bare.elf"
    source.write_text(f".syntax unified\n.thumb\n{table}\n.thumb_func\nloop: b loop\n")
    options = ["-mcpu=cortex-m4", "-nostdlib", "-Wl,-Ttext=0", "-Wl,-e,0"]
    subprocess.run(["arm-none-eabi-gcc", *options, source, "-o", elf], check=True)
    return elf


def session(elf: Path, machine: str = "mps2-an386") -> DeviceSession:
    return DeviceSession(QemuMachine(machine, icount_shift=5).boot(elf), QUICK)


def test_an_inference_and_its_instructions(firmware: Path) -> None:
    with open_board(load_board("stm32f405"), firmware, model_digest=MODEL_DIGEST) as device:
        results = [device.infer(an_input(seed), Kind.PIXELS) for seed in (1, 1, 2)]
        # Longer than the receive buffer, the multiplexer's and the USART's own together.
        device.ping(b"y" * 1000)
    inputs = [an_input(seed).translate(TABLE) for seed in (1, 1, 2)]
    assert [result.outputs for result in results] == [expected(data) for data in inputs]
    first, second, _ = results
    assert first.instructions is not None and second.instructions is not None
    assert abs(first.instructions - second.instructions) <= 1
    assert first.seconds is None
    # One step of the CRC takes a handful of instructions, for each bit.
    assert 3 < first.instructions / (8 * INPUT_BYTES) < 20


def test_a_fault_is_reported_with_its_registers(firmware: Path) -> None:
    with (
        open_board(load_board("stm32f405"), firmware, limits=QUICK) as device,
        pytest.raises(EmulatorError, match=r"has faulted[^\0]*edgemcu fault: UsageFault.* pc="),
    ):
        device.infer(an_input(1, b"TRAP"))


def test_a_hang_ends_within_the_limits(firmware: Path) -> None:
    with (
        open_board(load_board("stm32f405"), firmware, limits=QUICK) as device,
        pytest.raises(EmulatorError, match=r"gave up after 2 attempts.*\n.*on stm32f405"),
    ):
        device.infer(an_input(1, b"HANG"))


def test_silence_is_reported(tmp_path: Path) -> None:
    silent = bare(tmp_path, ".word 0x20001000, loop + 1")
    with session(silent) as device, pytest.raises(EmulatorError, match=r"has sent nothing"):
        device.identify()


def test_a_lockup_is_reported_with_qemus_register_dump(tmp_path: Path) -> None:
    # No handler of any exception: neither the first fault nor the one that follows has one.
    lockup = bare(tmp_path, ".word 0x20001000, 0")
    with (
        session(lockup) as device,
        pytest.raises(EmulatorError, match=r"signal 6[^\0]*Lockup[^\0]*R00="),
    ):
        device.identify()


def test_a_machine_that_qemu_does_not_have(firmware: Path) -> None:
    with (
        session(firmware, machine="no-such-machine") as device,
        pytest.raises(EmulatorError, match=r"exit status 1[^\0]*unsupported machine type"),
    ):
        device.identify()


def test_a_file_that_is_no_firmware(tmp_path: Path) -> None:
    file = tmp_path / "firmware.elf"
    file.write_bytes(b"no ELF file")
    with session(file) as device, pytest.raises(EmulatorError):
        device.identify()


def test_four_at_once_do_not_disturb_each_other(firmware: Path) -> None:
    def run(worker: int) -> list[tuple[bytes, bytes]]:
        with open_board(load_board("stm32f405"), firmware) as device:
            inputs = [an_input(100 * worker + index) for index in range(5)]
            return [(device.infer(data).outputs, expected(data)) for data in inputs]

    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(run, range(4)):
            assert all(outputs == wanted for outputs, wanted in results)


def test_qemus_messages_are_kept_where_asked(firmware: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "qemu.txt"
    with open_board(load_board("stm32f405"), firmware, log=log):
        pass
    assert log.is_file()


def test_a_killed_parent_takes_qemu_along(firmware: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; "
        "from edgemcu.boards import load_board; from edgemcu.device.connect import open_board; "
        "session = open_board(load_board('stm32f405'), Path(sys.argv[1])); "
        "print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(firmware)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"up\n"
        assert emulated(firmware)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not emulated(firmware))


def test_a_closed_session_leaves_no_qemu(firmware: Path) -> None:
    with open_board(load_board("stm32f405"), firmware):
        assert emulated(firmware)
    assert not emulated(firmware)


def emulated(firmware: Path) -> bool:
    """Whether any QEMU runs `firmware`."""
    for entry in Path("/proc").iterdir():
        try:
            arguments = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if arguments.startswith(shutil.which(QEMU).encode()) and (  # type: ignore[union-attr]
            str(firmware).encode() in arguments
        ):
            return True
    return False


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
