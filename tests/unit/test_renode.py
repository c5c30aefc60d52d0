"""What is generated for Renode, and how its process is handled. Renode itself is not run here:
it is in no package registry."""

from __future__ import annotations

import os
import stat
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from edgemcu.board_schema import Board, Stm32Lpuart, Stm32SerialLine, Stm32Timer, Stm32Usart
from edgemcu.boards import list_boards, load_board
from edgemcu.device.renode import RenodeMachine
from edgemcu.device.renode_platform import renode_platform
from edgemcu.device.session import DeviceSession
from edgemcu.device.target import Target, open_target
from edgemcu.errors import EmulatorError, ToolMissingError
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, expected
from tests.support.firmware import write_stand_in
from tests.support.renode import repl

STM32 = [board for board in list_boards() if isinstance(board.serial, Stm32SerialLine)]
OTHERS = [board for board in list_boards() if board not in STM32]

# Renode's models, with the arguments and properties that are set here: from their sources in
# renode-infrastructure, and from Renode's own platforms/cpus/stm32*.repl (August 2026).
MODELS = {
    "Memory.MappedMemory": {"size"},
    "IRQControllers.NVIC": {"priorityMask", "systickFrequency"},
    "CPU.CortexM": {"cpuType", "nvic", "PerformanceInMips"},
    "UART.STM32_UART": {"frequency"},
    "UART.STM32F7_USART": {"frequency", "lowPowerMode"},
    "Timers.STM32_Timer": {"frequency", "initialLimit"},
}
CPU_TYPES = {"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"}


@pytest.mark.parametrize("board", STM32, ids=lambda board: board.name)
def test_platforms_name_what_renode_has(board: Board) -> None:
    entries = repl.parse(renode_platform(board).platform)
    for entry in entries.values():
        if entry.type is not None:
            assert set(entry.values) <= MODELS[entry.type]
    assert entries["cpu"].values["cpuType"].strip('"') in CPU_TYPES
    assert entries["cpu"].values["nvic"] == "nvic"
    assert entries["nvic"].irqs == [("IRQ", "cpu", 0)]
    assert entries["sysbus"].init == ["SilenceRange <0x40000000, 0x5FFFFFFF>"]
    for target in {to for entry in entries.values() for _, to, _ in entry.irqs}:
        assert target in entries


@pytest.mark.parametrize("board", STM32, ids=lambda board: board.name)
def test_platforms_are_the_boards(board: Board) -> None:
    platform = renode_platform(board)
    entries = repl.parse(platform.platform)
    for region in board.memory:
        entry = entries[region.name]
        places = [f"sysbus {place:#010x}" for place in (region.origin, *region.aliases)]
        assert entry.places == places
        assert int(entry.values["size"], 16) == region.size
    serial, counter = board.serial, board.counter
    assert isinstance(serial, Stm32SerialLine) and isinstance(counter, Stm32Timer)
    uart = entries["uart"]
    assert uart.places[0].startswith(f"sysbus {'<' if isinstance(serial, Stm32Usart) else ''}0x")
    assert f"{serial.base:#010x}" in uart.places[0]
    assert [(to, line) for _, to, line in uart.irqs] == [("nvic", serial.irq)]
    assert ("lowPowerMode" in uart.values) == isinstance(serial, Stm32Lpuart)
    assert entries["counter"].places == [f"sysbus {counter.base:#010x}"]
    # One instruction takes one clock, and so many clocks are a tick.
    mips = int(entries["cpu"].values["PerformanceInMips"])
    assert int(entries["counter"].values["frequency"]) == mips * 1_000_000
    assert platform.instructions_per_tick == Fraction(counter.prescaler)


@pytest.mark.parametrize("board", OTHERS, ids=lambda board: board.name)
def test_other_boards_are_refused(board: Board) -> None:
    with pytest.raises(EmulatorError, match="not described for Renode"):
        renode_platform(board)


@pytest.mark.parametrize(
    "bad", ["x", "x: y.z @", "x:\n    a b", "a: B\na: B", "    size: 1", "init:"]
)
def test_the_grammar_refuses_what_is_none(bad: str) -> None:
    with pytest.raises(ValueError, match=r"no |outside"):
        repl.parse(bad)


@pytest.mark.parametrize("name", ["stm32f405", "nucleo-l4r5zi"])
def test_files_of_a_project(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    project = write_stand_in(board, tmp_path)
    platform = renode_platform(board)
    assert (project / f"renode/{name}.repl").read_text() == platform.platform
    script = (project / f"renode/{name}.resc").read_text()
    assert f"@renode/{name}.repl\n" in script
    assert f"@.pio/build/{name}/firmware.elf\n" in script
    assert 'CreateServerSocketTerminal 4321 "line" false' in script
    assert not (write_stand_in(load_board("mps2-an386"), tmp_path / "other") / "renode").exists()


def test_the_robot_test_is_one(tmp_path: Path) -> None:
    """By Robot Framework's own parser: every line has a meaning, every keyword a name."""
    parsing = pytest.importorskip("robot.api.parsing")
    file = write_stand_in(load_board("stm32f405"), tmp_path) / "renode/stm32f405.robot"
    model = parsing.get_model(file)
    errors: list[str] = []
    called: set[str] = set()

    class Visitor(parsing.ModelVisitor):  # type: ignore[misc, name-defined]
        def generic_visit(self, node: object) -> None:
            errors.extend(getattr(node, "errors", ()))
            if type(node).__name__ == "KeywordCall":
                called.add(node.keyword)  # type: ignore[attr-defined]
            super().generic_visit(node)

    Visitor().visit(model)
    assert not errors
    assert called == {
        *("Execute Command", "Create Terminal Tester", "Start Emulation", "Write To Uart"),
        *("Wait For Line On Uart", "Should Not Be On Uart", "Boot", "Boot And Identify"),
    }


# ---- The process --------------------------------------------------------------------------------

# Reads the script as Renode would, and has the firmware at the other end of the port.
FAKE = """\
#!{python}
import re, socket, subprocess, sys
assert sys.argv[1:5] == ["--disable-gui", "--plain", "--port", "-1"], sys.argv
script = open(sys.argv[5]).read()
print("loaded", flush=True)
{before}
port = int(re.search("CreateServerSocketTerminal (\\\\d+)", script)[1])
firmware = re.search("LoadELF @(.*)", script)[1].replace("\\\\ ", " ")
platform = re.search("LoadPlatformDescription @(.*)", script)[1]
assert "CPU.CortexM" in open(platform).read()
with socket.create_server(("127.0.0.1", port)) as server:
    line, _ = server.accept()
    child = subprocess.Popen([firmware], stdin=line, stdout=line)
    child.wait()
"""


def fake_renode(folder: Path, monkeypatch: pytest.MonkeyPatch, before: str = "") -> None:
    program = folder / "bin" / "renode"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable, before=before))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host firmware"))


def processes(words: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and words.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until_gone(words: str) -> None:
    deadline = time.monotonic() + 20.0
    while processes(words):
        assert time.monotonic() < deadline, processes(words)
        time.sleep(0.02)


def test_a_session_and_nothing_left_of_it(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_renode(tmp_path, monkeypatch)
    machine = RenodeMachine(load_board("stm32f405"))
    log = tmp_path / "log" / "renode.log"
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with DeviceSession(machine.boot(firmware, log)) as session:
        session.identify()
        data = bytes(range(250)) * 12
        assert session.infer(data).outputs == expected(data)
        assert processes(str(firmware))
    wait_until_gone(str(firmware))
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208
    assert log.read_text() == "loaded\n"


def test_several_side_by_side(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_renode(tmp_path, monkeypatch)
    machine = RenodeMachine(load_board("stm32f405"))
    sessions = [DeviceSession(machine.boot(firmware)) for _ in range(4)]
    try:
        for session in sessions:
            session.identify()
    finally:
        for session in sessions:
            session.close()
    wait_until_gone(str(firmware))


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ('sys.exit("There was an error: no such platform")', "ended before .*\n.*no such platform"),
        ("import time; time.sleep(60)", "not opened the firmware's line within 1 s.*\n.*loaded"),
    ],
)
def test_a_renode_that_fails(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, message: str
) -> None:
    fake_renode(tmp_path, monkeypatch, before)
    machine = RenodeMachine(load_board("stm32f405"), start_s=1.0)
    with pytest.raises(EmulatorError, match=f"(?s){message}"):
        machine.boot(firmware)
    wait_until_gone(str(tmp_path / "bin" / "renode"))


def test_a_firmware_that_ends_is_reported_with_what_renode_said(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_renode(tmp_path, monkeypatch)
    machine = RenodeMachine(load_board("stm32f405"))
    with (
        DeviceSession(machine.boot(firmware)) as session,
        pytest.raises(EmulatorError, match=r"(?s)connection.*Renode ended.*its messages.*loaded"),
    ):
        session.identify()
        session.infer(b"TRAP" + bytes(INPUT_BYTES - 4))


def test_renode_that_is_not_installed_and_boards_that_it_cannot(
    firmware: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match=r"renode\.io"):
        open_target(load_board("stm32f405"), firmware, Target("renode"))
    with pytest.raises(EmulatorError, match="not described"):
        open_target(load_board("mps2-an386"), firmware, Target("renode"))
