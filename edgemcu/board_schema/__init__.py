"""The schema of a board's data file.

A board says what its chip is, which memory holds what, which drivers its firmware needs and with
which registers, how PlatformIO builds for it and how it is emulated. What belongs to one driver
is in that driver's table only: `driver` says which one it is. Each module here holds the tables of
one concern; `board` puts them together.
"""

from edgemcu.board_schema.board import Board
from edgemcu.board_schema.chip import (
    CONSTANT_ROLES,
    ROLES,
    Core,
    CoreName,
    FixedClock,
    Memory,
    Role,
)
from edgemcu.board_schema.cortex_m import CmsdkTimer, CmsdkUart, CortexMStartup, SseCounter
from edgemcu.board_schema.esp32 import (
    Camera,
    EspIdfStartup,
    EspTimer,
    EspUart,
    Partition,
    Psram,
    UsbSerialJtag,
)
from edgemcu.board_schema.hosted import HostedStartup, MonotonicClock, StdioSerial
from edgemcu.board_schema.serial_line import SerialLine, UsbId
from edgemcu.board_schema.stm32 import (
    Stm32Lpuart,
    Stm32Pin,
    Stm32SerialLine,
    Stm32Timer,
    Stm32Usart,
    Stm32UsartV2,
)
from edgemcu.board_schema.stm32_clock import (
    Stm32Clock,
    Stm32f4Clock,
    Stm32f7Clock,
    Stm32h7Clock,
    Stm32l4Clock,
)
from edgemcu.board_schema.tools import (
    Kernels,
    Platformio,
    PlatformioBoard,
    ProcessEmulator,
    QemuEmulator,
)

__all__ = [
    "CONSTANT_ROLES",
    "ROLES",
    "Board",
    "Camera",
    "CmsdkTimer",
    "CmsdkUart",
    "Core",
    "CoreName",
    "CortexMStartup",
    "EspIdfStartup",
    "EspTimer",
    "EspUart",
    "FixedClock",
    "HostedStartup",
    "Kernels",
    "Memory",
    "MonotonicClock",
    "Partition",
    "Platformio",
    "PlatformioBoard",
    "ProcessEmulator",
    "Psram",
    "QemuEmulator",
    "Role",
    "SerialLine",
    "SseCounter",
    "StdioSerial",
    "Stm32Clock",
    "Stm32Lpuart",
    "Stm32Pin",
    "Stm32SerialLine",
    "Stm32Timer",
    "Stm32Usart",
    "Stm32UsartV2",
    "Stm32f4Clock",
    "Stm32f7Clock",
    "Stm32h7Clock",
    "Stm32l4Clock",
    "UsbId",
    "UsbSerialJtag",
]
