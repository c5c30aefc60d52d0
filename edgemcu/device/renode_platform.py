"""A board for Renode, as text: platform description (.repl), script (.resc) and Robot test.

Renode has no platform of its own for most boards, and those that it has describe more memory than
the chip; so each board gets one with what its firmware uses: core, memories, serial line, counter.
Everything else, the clock tree included, reads 0, from which the firmware knows that it is
emulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from edgemcu.board_schema import (
    Board,
    CortexMStartup,
    Stm32Lpuart,
    Stm32SerialLine,
    Stm32Timer,
    Stm32Usart,
)
from edgemcu.device.protocol import IDENTITY, PING, PONG, PREFIX, Frame
from edgemcu.errors import EmulatorError

# Renode's "cortex-m4f" answers with the identity of an M7; its "cortex-m4" has an FPU as well.
_CPU_TYPES = {
    "cortex-m3": "cortex-m3",
    "cortex-m4f": "cortex-m4",
    "cortex-m7": "cortex-m7",
    "cortex-m33": "cortex-m33",
}
UART, TIMER = "uart", "counter"
_PERIPHERALS = "0x40000000, 0x5FFFFFFF"
_BOOT_VIRTUAL_S = 60
_ANSWER_VIRTUAL_S = 10


@dataclass(frozen=True)
class RenodePlatform:
    """A board as Renode is told about it.

    Attributes:
        platform: the .repl file.
        instructions_per_tick: of the board's counter: one instruction takes one clock there.
    """

    board: Board
    platform: str
    instructions_per_tick: Fraction

    def script(self, platform: str, firmware: str, port: int) -> str:
        """The .resc file that loads the paths `platform` and `firmware`, connects the serial line
        to a TCP port, and starts."""
        return f"""\
using sysbus
mach create "{self.board.name}"
machine LoadPlatformDescription @{_escaped(platform)}
# Raw bytes, no telnet. The port is open to other computers, too.
emulation CreateServerSocketTerminal {port} "line" false
connector Connect sysbus.{UART} line
sysbus LoadELF @{_escaped(firmware)}
# Virtual time need not wait for the clock on the wall.
emulation SetGlobalAdvanceImmediately true
start
"""

    def robot(self, program: str, version: str, model_digest: str) -> str:
        """The Robot test of a generated project, in its folder renode/."""
        ping = Frame(PING, 2, b"hello")
        pong = Frame(PONG, 2, bytes(4) + b"hello")
        name = self.board.name
        return f"""\
*** Comments ***
Run by `renode-test renode/{name}.robot` in this project's folder, after `pio run`. Time-outs are
seconds of virtual time.

*** Variables ***
${{PLATFORM}}    ${{CURDIR}}/{name}.repl
${{FIRMWARE}}    ${{CURDIR}}/../.pio/build/{name}/{program}
${{UART}}        sysbus.{UART}
${{MODEL}}       {model_digest}

*** Keywords ***
Boot
    Execute Command           mach create "{name}"
    Execute Command           machine LoadPlatformDescription @${{PLATFORM}}
    Execute Command           sysbus LoadELF @${{FIRMWARE}}
    Create Terminal Tester    ${{UART}}    timeout={_BOOT_VIRTUAL_S}    defaultPauseEmulation=true
    Start Emulation

Boot And Identify
    Boot
    Wait For Line On Uart     {PREFIX.decode()}{IDENTITY} 0000

*** Test Cases ***
Should Say Which Model It Holds
    Boot
    Wait For Line On Uart     edgemcu {version} on {name}, model ${{MODEL}}
    Should Not Be On Uart     the model in flash is damaged    timeout=1

Should Answer A Frame
    Boot And Identify
    Write To Uart             {ping.encode().decode().strip()}\\n
    Wait For Line On Uart     {pong.encode().decode().strip()}    timeout={_ANSWER_VIRTUAL_S}

Should Report A Damaged Frame
    Boot And Identify
    Write To Uart             {ping.encode().decode().strip()[:-1]}x\\n
    Wait For Line On Uart     {PREFIX.decode()}e 0000    timeout={_ANSWER_VIRTUAL_S}

Should Know The Benchmark's Commands
    Boot And Identify
    Write To Uart             name%
    Wait For Line On Uart     m-name-dut-[edgemcu {name}]    timeout={_ANSWER_VIRTUAL_S}
"""


def renode_platform(board: Board) -> RenodePlatform:
    """Describe a board for Renode.

    Raises:
        EmulatorError: it has a part that is not described there: only STM32 boards are.
    """
    serial, counter = board.serial, board.counter
    cpu = _CPU_TYPES.get(board.core.name)
    if (
        cpu is None
        or board.clock is None
        or not isinstance(board.startup, CortexMStartup)
        or not isinstance(serial, Stm32SerialLine)
        or not isinstance(counter, Stm32Timer)
    ):
        raise EmulatorError(
            "this board is not described for Renode",
            where=board.name,
            hint="STM32 boards are; `--on qemu` runs others",
        )
    hz = board.clock.hz
    blocks = [
        f"// {board.title}: what its firmware uses.\n"
        f"// One instruction takes one clock of {hz} Hz.",
        *(
            f"{region.name}: Memory.MappedMemory @ {_places((region.origin, *region.aliases))}\n"
            f"    size: {region.size:#x}"
            for region in board.memory
        ),
        f"""\
nvic: IRQControllers.NVIC @ sysbus 0xE000E000
    priorityMask: 0xF0
    systickFrequency: {hz}
    IRQ -> cpu@0""",
        f"""\
cpu: CPU.CortexM @ sysbus
    cpuType: "{cpu}"
    nvic: nvic
    PerformanceInMips: {max(1, hz // 1_000_000)}""",
        _uart(serial, hz),
        f"""\
{TIMER}: Timers.STM32_Timer @ sysbus {counter.base:#010x}
    frequency: {_whole_mips(hz)}
    initialLimit: 0xFFFFFFFF""",
        f"""\
sysbus:
    init:
        SilenceRange <{_PERIPHERALS}>""",
    ]
    return RenodePlatform(board, "\n\n".join(blocks) + "\n", Fraction(counter.prescaler))


def _whole_mips(hz: int) -> int:
    """The counter's clock: that of the instructions, which Renode knows in millions a second."""
    return max(1, hz // 1_000_000) * 1_000_000


def _places(addresses: tuple[int, ...]) -> str:
    places = [f"sysbus {address:#010x}" for address in addresses]
    return places[0] if len(places) == 1 else "{\n        " + ";\n        ".join(places) + "\n    }"


def _uart(serial: Stm32SerialLine, hz: int) -> str:
    if isinstance(serial, Stm32Usart):
        return (
            f"{UART}: UART.STM32_UART @ sysbus <{serial.base:#010x}, +0x100>\n"
            f"    -> nvic@{serial.irq}"
        )
    low_power = "\n    lowPowerMode: true" if isinstance(serial, Stm32Lpuart) else ""
    return (
        f"{UART}: UART.STM32F7_USART @ sysbus {serial.base:#010x}\n"
        f"    frequency: {hz}{low_power}\n"
        f"    IRQ -> nvic@{serial.irq}"
    )


def _escaped(path: str) -> str:
    """A path as Renode's monitor reads it behind @."""
    return path.replace("\\", "/").replace(" ", "\\ ")
