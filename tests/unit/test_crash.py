"""Crash reports, decoded with ELF files that real compilers made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgemcu.device.crash import Symbols, code_addresses, is_crash
from edgemcu.errors import DeviceError

SOURCE = """\
static volatile int sink;

int __attribute__((noinline)) crash(int *where)
{
    sink = 1;
    return *where; /* line 6 */
}

int __attribute__((noinline)) caller(int *where)
{
    int value = crash(where); /* line 11 */
    return value + sink;
}

void reset(void)
{
    for (;;) {
        caller((int *)sink);
    }
}
"""


@pytest.fixture(scope="module", params=["-gdwarf-5", "-gdwarf-4"])
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    folder = tmp_path_factory.mktemp("elf")
    (folder / "src").mkdir()
    (folder / "src" / "main.c").write_text(SOURCE)
    command = [compiler, "-mcpu=cortex-m4", "-mthumb", "-O1", request.param, "-nostdlib"]
    command += ["-ffunction-sections", "-Wl,-Ttext=0x08000100", "-Wl,-ereset", "src/main.c"]
    subprocess.run([*command, "-o", "firmware.elf"], cwd=folder, check=True)
    return folder / "firmware.elf"


def address_of(elf: Path, line: int) -> int:
    """Where the code of a source line begins, by binutils."""
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "--dwarf=decodedline", str(elf)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [row.split() for row in listing.splitlines() if row.startswith("main.c ")]
    return next(int(row[2], 16) for row in rows if row[1] == str(line))


def test_registers_of_a_fault_become_source_lines(elf: Path) -> None:
    symbols = Symbols(elf, elf.parent)
    pc = address_of(elf, 6)
    lr = address_of(elf, 12) | 1
    line = f"edgemcu fault: BusFault exception=00000005 pc={pc:08x} lr={lr:08x} psr=61000000"
    assert symbols.explain(line) == [
        f"pc  {pc:#010x}  crash at src/main.c:6",
        # Not line 12, where the call returns to.
        f"lr  {lr:#010x}  caller at src/main.c:11",
    ]
    symbols.close()


def test_addresses_outside_of_the_program(elf: Path) -> None:
    symbols = Symbols(elf)
    line = "edgemcu fault: HardFault exception=00000003 pc=20000000 lr=ffffffe9"
    assert symbols.explain(line) == [
        "pc  0x20000000  not in this program",
        "lr  0xffffffe9  not in this program",
    ]
    assert symbols.place(0) is None
    assert symbols.explain("cat 0.93  41.20 ms  #128") == []
    symbols.close()


def test_without_debug_information_there_are_functions(elf: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.elf"
    subprocess.run(["arm-none-eabi-objcopy", "--strip-debug", str(elf), str(bare)], check=True)
    place = Symbols(bare).place(address_of(elf, 6))
    assert place is not None and str(place) == "crash at no line known"
    stripped = tmp_path / "stripped.elf"
    subprocess.run(["arm-none-eabi-strip", str(elf), "-o", str(stripped)], check=True)
    assert Symbols(stripped).place(address_of(elf, 6)) is None


@pytest.mark.parametrize("keep", [0, 3, 100, 600])
def test_a_damaged_file_is_an_error_or_says_less(elf: Path, tmp_path: Path, keep: int) -> None:
    damaged = tmp_path / "damaged.elf"
    damaged.write_bytes(elf.read_bytes()[:keep])
    with pytest.raises(DeviceError, match="no symbols that can be read"):
        Symbols(damaged)


def test_flipped_bytes_break_nothing(elf: Path, tmp_path: Path) -> None:
    import random

    whole = elf.read_bytes()
    numbers = random.Random(1)
    damaged = tmp_path / "damaged.elf"
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(8):
            data[numbers.randrange(len(data))] = numbers.randrange(256)
        damaged.write_bytes(data)
        try:
            symbols = Symbols(damaged)
        except DeviceError:
            continue
        symbols.place(0x0800_0110)
        symbols.close()


def test_lines_of_esp_idf() -> None:
    line = "Backtrace: 0x42008a1e:0x3fc98f10 0x4200a5f3:0x3fc98f30 |<-CORRUPTED"
    assert [(code.name, code.at) for code in code_addresses(line)] == [
        ("#0", 0x42008A1E), ("#1", 0x4200A5F3),
    ]  # fmt: skip
    [abort] = code_addresses("abort() was called at PC 0x42012345 on core 0")
    assert abort.at == 0x42012345
    dump = "PC      : 0x4200900b  PS      : 0x00060b30  A0      : 0x8200a4c1"
    assert [code.at for code in code_addresses(dump)] == [0x4200900B]
    for crash in (
        "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.",
        "edgemcu fault: HardFault exception=00000003",
        "assert failed: foo bar.c:3 (x)",
    ):
        assert is_crash(crash)
    assert not is_crash("cat 0.93  41.20 ms  #128")
    assert code_addresses("pc=08000100 lr=08000100") == []
