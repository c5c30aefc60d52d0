"""Drivers of bare-metal Cortex-M chips, and of Arm's own peripherals on them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgemcu.board_schema.serial_line import SerialLine
from edgemcu.board_schema.values import Address, Bytes, Hertz, Interrupt
from edgemcu.schema import Table


class CortexMStartup(Table):
    """[startup] of a bare-metal Cortex-M: vector table, FPU, .data and .bss, fault handlers.

    Attributes:
        interrupts: external interrupts of the chip, the length of its vector table beyond 16.
        stack: bytes of RAM that are kept for the stack.
        caches: whether the core has an instruction and a data cache, to be switched on.
    """

    driver: Literal["cortex-m"]
    interrupts: int = Field(strict=True, ge=1, le=480)
    stack: Bytes = 8 * 1024
    caches: bool = False


class CmsdkUart(SerialLine):
    """[serial] on the UART of Arm's Cortex-M System Design Kit.

    Attributes:
        irq: its receive interrupt.
        hz: the clock that its baud rate is divided from.
    """

    driver: Literal["cmsdk-uart"]
    base: Address
    irq: Interrupt
    hz: Hertz


class CmsdkTimer(Table):
    """[counter] on a 32-bit timer of Arm's Cortex-M System Design Kit."""

    driver: Literal["cmsdk-timer"]
    base: Address
    hz: Hertz


class SseCounter(Table):
    """[counter] on the system counter of Arm's SSE-300, read through one of its timers.

    Attributes:
        control, timer: base addresses of the counter's control frame and of the timer.
    """

    driver: Literal["sse-counter"]
    control: Address
    timer: Address
    hz: Hertz
