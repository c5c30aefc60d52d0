"""Which sources a board's drivers bring along, and the constants that those sources use."""

from __future__ import annotations

from edgemcu.board_schema import (
    Board,
    CmsdkTimer,
    CmsdkUart,
    CortexMStartup,
    EspIdfStartup,
    EspTimer,
    EspUart,
    MonotonicClock,
    SseCounter,
    Stm32Clock,
    Stm32SerialLine,
    Stm32Timer,
)
from edgemcu.firmware import esp_idf, stm32

Constants = list[tuple[str, str]]


def _stm32_clock(name: str) -> dict[str, str]:
    header = {"project/clock/stm32.h.jinja": "src/clock.h"}
    return {f"project/clock/{name}.c.jinja": "src/clock.c", **header}


def _stm32_serial(name: str) -> dict[str, str]:
    return {
        f"project/serial/{name}.c": "src/serial.c",
        "project/serial/gpio.h": "src/gpio.h",
        "project/serial/ring.h": "src/ring.h",
    }


# driver → {file in firmware_templates/: path in the project}
_STARTUP = {
    "cortex-m": {
        "project/startup/startup.c.jinja": "src/startup.c",
        "project/startup/cortex_m.h": "src/cortex_m.h",
    },
    "esp-idf": esp_idf.TEMPLATES,
    "hosted": {"project/startup/hosted.c": "src/system.c"},
}
_CLOCK = {
    "fixed": {},
    # An F7's clock tree is an F4's.
    "stm32f4-pll": _stm32_clock("stm32f4-pll"),
    "stm32f7-pll": _stm32_clock("stm32f4-pll"),
    "stm32h7-pll": _stm32_clock("stm32h7-pll"),
    "stm32l4-pll": _stm32_clock("stm32l4-pll"),
}
_SERIAL = {
    "stm32-usart": _stm32_serial("stm32-usart"),
    "stm32-usart-v2": _stm32_serial("stm32-usart-v2"),
    "stm32-lpuart": _stm32_serial("stm32-usart-v2"),
    "cmsdk-uart": {
        "project/serial/cmsdk-uart.c": "src/serial.c",
        "project/serial/ring.h": "src/ring.h",
    },
    "esp-uart": {"project/serial/esp-uart.c": "src/serial.c"},
    "usb-serial-jtag": {"project/serial/usb-serial-jtag.c": "src/serial.c"},
    "stdio": {"project/serial/stdio.c": "src/serial.c"},
}
_COUNTER = {
    "stm32-timer": {"project/counter/stm32-timer.c": "src/counter.c"},
    "cmsdk-timer": {"project/counter/cmsdk-timer.c": "src/counter.c"},
    "sse-counter": {"project/counter/sse-counter.c": "src/counter.c"},
    "esp-timer": {"project/counter/esp-timer.c": "src/counter.c"},
    "clock-monotonic": {"project/counter/clock-monotonic.c": "src/counter.c"},
}
_SKETCH = {
    "project/edgemcu_app.c.jinja": "src/edgemcu_app.c",
    "project/main.c.jinja": "src/main.c",
    "project/edgemcu_app.h.jinja": "include/edgemcu_app.h",
    "sketch/counter.h": "include/counter.h",
    "sketch/frame.c": "src/frame.c",
    "sketch/frame.h": "src/frame.h",
    "sketch/inference.c": "src/inference.c",
    "sketch/inference.h": "src/inference.h",
    "sketch/log.c": "src/log.c",
    "sketch/log.h": "src/log.h",
    "sketch/mlperf.c": "src/mlperf.c",
    "sketch/mlperf.h": "src/mlperf.h",
    "sketch/protocol.c": "src/protocol.c",
    "sketch/protocol.h": "include/protocol.h",
    "sketch/selftest.c": "src/selftest.c",
    "sketch/selftest.h": "src/selftest.h",
    "sketch/serial.h": "include/serial.h",
    "sketch/system.h": "include/system.h",
}
# What ESP-IDF does in its own way.
_OWN_BUILD = {
    "project/scripts/flags.py": "scripts/flags.py",
    "project/platformio.ini.jinja": "platformio.ini",
}
# Where pictures come from that nobody sends.
_SOURCE = {
    "serial": {},
    "flash": {
        "sketch/source.h": "include/source.h",
        "project/source/flash.c": "src/source.c",
        "project/source/photos.c.jinja": "src/photos.c",
        "project/source/photos.h.jinja": "src/photos.h",
    },
    "camera": {
        "project/source/esp32-camera.c": "src/source.c",
        "sketch/source.h": "include/source.h",
        "sketch/resize.c": "src/resize.c",
        "sketch/resize.h": "include/resize.h",
    },
}
_PLATFORM = {
    "project/platform/platform.json": "platform/platform.json",
    "project/platform/builder/main.py": "platform/builder/main.py",
}


def templates(board: Board, source: str = "serial") -> dict[str, str]:
    """Path in the project → file in firmware_templates/, for all that `board` needs.

    Args:
        source: where pictures come from: "serial", "flash" or "camera".
    """
    chosen = {
        **_SKETCH,
        **_SOURCE[source],
        **_STARTUP[board.startup.driver],
        **_SERIAL[board.serial.driver],
        **_COUNTER[board.counter.driver],
    }
    if board.platformio.framework is None:
        chosen |= _OWN_BUILD
    if board.clock is not None:
        chosen |= _CLOCK[board.clock.driver]
    if board.platformio.brings_platform:
        chosen |= _PLATFORM
    if isinstance(board.startup, CortexMStartup):
        chosen["project/board.h.jinja"] = "include/board.h"
        chosen["project/startup/linker.ld.jinja"] = f"linker/{board.name}.ld"
    return {path: template for template, path in chosen.items()}


def needs_clock_setup(board: Board) -> bool:
    return board.clock is not None and bool(_CLOCK[board.clock.driver])


def board_constants(board: Board) -> list[tuple[str, Constants]]:
    """The #defines of board.h: in each group a heading, and names with the text of values."""
    groups: list[tuple[str, Constants]] = []
    if isinstance(board.startup, CortexMStartup):
        interrupts = str(board.startup.interrupts)
        groups.append(("Interrupts of the chip", [("BOARD_INTERRUPTS", interrupts)]))
    if isinstance(board.startup, EspIdfStartup):
        groups.append(esp_idf.task_constants(board.startup))
    elif board.clock is not None:
        groups.append(("The processor's clock", [("BOARD_HZ", f"{board.clock.hz}u")]))
    if board.camera is not None:
        groups.append(esp_idf.camera_constants(board.camera, board.psram))
    if isinstance(board.serial, EspUart):
        groups.append(esp_idf.uart_constants(board.serial))
    if isinstance(board.clock, Stm32Clock):
        groups.append(stm32.clock_constants(board.clock))
    if isinstance(board.serial, (Stm32SerialLine, CmsdkUart)):
        groups.append(_serial(board.serial))
    if not isinstance(board.counter, (EspTimer, MonotonicClock)):
        groups.append(("Counter", _counter(board.counter)))
    return groups


def _serial(serial: Stm32SerialLine | CmsdkUart) -> tuple[str, Constants]:
    constants = [
        ("SERIAL_BASE", _address(serial.base)),
        ("SERIAL_IRQ", str(serial.irq)),
        ("SERIAL_BAUD", f"{serial.baud}u"),
    ]
    if isinstance(serial, CmsdkUart):
        return "Serial line", [*constants, ("SERIAL_HZ", f"{serial.hz}u")]
    heading, more = stm32.serial_constants(serial)
    return heading, [*constants, *more]


def _counter(counter: Stm32Timer | CmsdkTimer | SseCounter) -> Constants:
    if isinstance(counter, SseCounter):
        control, timer = _address(counter.control), _address(counter.timer)
        return [("COUNTER_CONTROL", control), ("COUNTER_TIMER", timer)]
    base = [("COUNTER_BASE", _address(counter.base))]
    if isinstance(counter, Stm32Timer):
        base.append(("COUNTER_ENABLE_BIT", f"{counter.enable_bit}u"))
        base.append(("COUNTER_PRESCALER", f"{counter.prescaler}u"))
    return base


def _address(value: int) -> str:
    return f"0x{value:08X}u"
