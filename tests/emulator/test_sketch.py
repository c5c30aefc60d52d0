"""The sketch on every emulated board: it boots, answers, and reports faults."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import pytest

from edgemcu.boards import Board, list_boards, load_board
from edgemcu.device.emulator import QEMU, QemuMachine
from edgemcu.device.session import DeviceSession
from edgemcu.errors import EmulatorError
from edgemcu.platformio.build import build_project
from edgemcu.platformio.elf import memory_use
from edgemcu.shipped import shipped
from tests.support.firmware import MODEL, write_stand_in

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]

BOARDS = [board.name for board in list_boards() if board.emulator and board.emulator.kind == "qemu"]
INPUT_BYTES = 3000
FIRST_BYTES = 1024


def boot(board: Board, folder: Path, model_c: str | None = None) -> DeviceSession:
    elf = build_project(write_stand_in(board, folder, model_c), board).elf
    emulator = board.emulator
    assert emulator is not None and emulator.kind == "qemu"
    machine = QemuMachine(
        emulator.machine, emulator.icount_shift, emulator.serial, emulator.arguments
    )
    return DeviceSession(machine.boot(elf))


@pytest.mark.parametrize("name", BOARDS)
def test_it_boots_and_counts_the_same_instructions_every_time(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    data = bytes(i * 7 % 251 for i in range(INPUT_BYTES))
    with boot(board, tmp_path) as session:
        assert session.identity.board == name
        assert session.identity.counter_hz == 0, "an emulator's ticks are no time"
        results = [session.infer(data) for _ in range(4)]
    crcs = (zlib.crc32(data[:FIRST_BYTES]), zlib.crc32(data[FIRST_BYTES:]))
    assert {result.outputs for result in results} == {
        b"".join(c.to_bytes(4, "little") for c in crcs)
    }
    assert board.emulator is not None and board.emulator.kind == "qemu"
    counts = [result.ticks * board.emulator.instructions_per_tick for result in results]
    # A CRC bit takes a handful of instructions; one tick may go astray where a byte arrives.
    assert 3 * 8 * INPUT_BYTES < min(counts) < 100 * INPUT_BYTES
    assert max(counts) - min(counts) < 4


def test_weights_and_activations_in_memories_of_their_own(tmp_path: Path) -> None:
    text = (shipped("boards") / "mps2-an386.toml").read_text()
    start, end = text.index("[[memory]]"), text.index("[serial]")
    memory = "".join(
        f'[[memory]]\nname = "{name}"\norigin = {origin}\nsize = "1 MiB"\nholds = [{holds}]\n\n'
        for name, origin, holds in (
            ("flash", "0x00000000", '"code"'),
            ("weights", "0x00200000", '"model"'),
            ("ram", "0x20000000", '"data", "stack"'),
            ("psram", "0x21000000", '"arena"'),
        )
    )
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/mps2-an386.toml").write_text(text[:start] + memory + text[end:])
    board = load_board("mps2-an386", tmp_path)
    # A constant and a variable with a value, in a model that has neither.
    source = (MODEL / "model.c").read_text()
    source = source.replace(
        "int edgemcu_init(void)\n{\n",
        "static const int constant[100] = {[35] = 7};\n"
        "static volatile int variable = 35;\n\n"
        "int edgemcu_init(void)\n{\n"
        "    if (constant[variable] != 7) {\n        return -1;\n    }\n",
    )
    with boot(board, tmp_path / "project", source) as session:
        assert session.identity.model_ok
        assert len(session.infer(bytes(INPUT_BYTES)).outputs) == 8
    regions = memory_use(tmp_path / "project/.pio/build/mps2-an386/firmware.elf", board).regions
    assert regions["weights"] >= 400
    assert 3000 <= regions["psram"] < 3200


FAULTS = {
    "null function": (
        "void (*volatile f)(void) = 0;\n    f();",
        "fault: UsageFault .* pc=00000000",
    ),
    "unmapped address": (
        "(void)*(volatile int *volatile)0xe8000000u;",
        "fault: BusFault .* address=e8000000",
    ),
    "undefined instruction": ('__asm volatile("udf #1");', "fault: UsageFault"),
    "stack overflow": ("edgemcu_deeper(edgemcu_output(0));", "fault: .* stack overflow"),
}
DEEPER = """
static __attribute__((noinline)) int edgemcu_deeper(const volatile uint8_t *from)
{
    volatile uint8_t here[64];
    here[0] = 1;
    return *from == 99 ? 0 : edgemcu_deeper(here) + here[0];
}
"""


@pytest.fixture(scope="module")
def one_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the tests share, so that only the model is compiled again."""
    return tmp_path_factory.mktemp("faults")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_reported_with_where_and_why(fault: str, one_project: Path) -> None:
    code, expected = FAULTS[fault]
    source = (MODEL / "model.c").read_text()
    start = "int edgemcu_invoke(void)\n{\n"
    assert start in source
    source = source.replace(start, f"{DEEPER if 'deeper' in code else ''}\n{start}    {code}\n")
    session = boot(load_board("stm32f405"), one_project, source)
    with session, pytest.raises(EmulatorError, match=expected):
        session.infer(bytes(INPUT_BYTES))
