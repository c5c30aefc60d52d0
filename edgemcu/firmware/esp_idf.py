"""What a project for ESP-IDF has that a bare-metal one has not: settings, components, partitions.

Names of settings are those of ESP-IDF 5.5.3, which PlatformIO's espressif32 6.13 brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edgemcu.board_schema import Board, Camera, EspIdfStartup, EspUart, Psram
from edgemcu.firmware.runtime import LIBRARY, RuntimeSources
from edgemcu.firmware.templates import render

# ESP-IDF starts on core 0, and keeps its own tasks and the drivers' interrupts there.
SKETCH_CORE = 1

COMPONENT = "components/edgemcu_model"

Settings = list[tuple[str, list[tuple[str, str]]]]

# Template: path in the project. Its serial line and counter come from the board's drivers.
TEMPLATES = {
    "project/esp-idf/supervisor.c": "src/supervisor.c",
    "project/esp-idf/supervisor.h": "src/supervisor.h",
    "project/esp-idf/system.c": "src/system.c",
    "project/esp-idf/fault.c": "src/fault.c",
    "project/esp-idf/CMakeLists.txt.jinja": "CMakeLists.txt",
    "project/esp-idf/partitions.csv.jinja": "partitions.csv",
    "project/esp-idf/platformio.ini.jinja": "platformio.ini",
    "project/esp-idf/sdkconfig.defaults.jinja": "sdkconfig.defaults",
    "project/board.h.jinja": "include/board.h",
}

# The same below `COMPONENT`; not every model needs all.
COMPONENT_TEMPLATES = {
    "project/esp-idf/component.cmake.jinja": "CMakeLists.txt",
    "project/esp-idf/idf_component.yml.jinja": "idf_component.yml",
    "project/esp-idf/linker.lf.jinja": "linker.lf",
}

# Of ESP-IDF, by what includes their headers.
_REQUIRES = {
    "esp-uart": "esp_driver_uart",
    "usb-serial-jtag": "esp_driver_usb_serial_jtag",
    "esp-timer": "esp_timer",
}
CAMERA_COMPONENT = ("espressif/esp32-camera", "2.1.5")
# The arena's symbol as the linker knows it: object and section behind .bss.
_ARENA = {"compiled": "model:arena", "tflm": "edgemcu_tflm:_ZN12_GLOBAL__N_15arenaE"}


def is_esp_idf(board: Board) -> bool:
    return isinstance(board.startup, EspIdfStartup)


def task_constants(startup: EspIdfStartup) -> tuple[str, list[tuple[str, str]]]:
    """What board.h says about the sketch's task."""
    return "The task that runs sketch and model", [
        ("TASK_STACK_BYTES", f"{startup.stack}u"),
        ("TASK_CORE", str(SKETCH_CORE)),
        ("TASK_PRIORITY", "1"),
        ("INFERENCE_SECONDS", f"{startup.inference_seconds}u"),
    ]


def uart_constants(serial: EspUart) -> tuple[str, list[tuple[str, str]]]:
    heading = f"Serial line: UART{serial.port}, TX on GPIO{serial.tx}, RX on GPIO{serial.rx}"
    return heading, [
        ("SERIAL_PORT", str(serial.port)),
        ("SERIAL_TX", str(serial.tx)),
        ("SERIAL_RX", str(serial.rx)),
        ("SERIAL_BAUD", str(serial.baud)),
    ]


def camera_constants(camera: Camera, psram: Psram | None) -> tuple[str, list[tuple[str, str]]]:
    width, height = camera.pixels
    return f"Camera: {camera.sensor.upper()}", [
        *((f"CAMERA_{name.upper()}", f"({pin})") for name, pin in camera.pins),
        ("CAMERA_XCLK_HZ", str(camera.xclk_hz)),
        ("CAMERA_FRAME_SIZE", f"FRAMESIZE_{camera.frame_size.upper()}"),
        ("CAMERA_WIDTH", f"{width}u"),
        ("CAMERA_HEIGHT", f"{height}u"),
        # Frames are large: without PSRAM there is one.
        ("CAMERA_FRAMES", "2" if psram else "1"),
        ("CAMERA_FRAMES_IN", "CAMERA_FB_IN_PSRAM" if psram else "CAMERA_FB_IN_DRAM"),
    ]


def context(board: Board, *, arena_in_psram: bool) -> dict[str, Any]:
    """What the templates of an ESP-IDF project know beside what all templates know."""
    startup = board.startup
    assert isinstance(startup, EspIdfStartup)
    drivers = {_REQUIRES[board.serial.driver], _REQUIRES[board.counter.driver], "esp_timer"}
    return {
        "idf_requires": sorted({"edgemcu_model", "esp_system", *drivers}),
        "sdkconfig": _sdkconfig(board, startup, arena_in_psram=arena_in_psram),
    }


def project_files(context: Mapping[str, Any], paths: Iterable[str], source: str) -> dict[str, str]:
    """What ESP-IDF must know about src/, for sources at `paths`."""
    names = sorted(path[4:] for path in paths if path.startswith("src/") and path.endswith(".c"))
    facts = {**context, "idf_sources": names, "components": (CAMERA_COMPONENT,)}
    files = {"src/CMakeLists.txt": render("project/esp-idf/src.cmake.jinja", facts)}
    if source == "camera":
        files["src/idf_component.yml"] = render("project/esp-idf/idf_component.yml.jinja", facts)
    return files


def component_files(
    sources: RuntimeSources, context: Mapping[str, Any], *, arena_in_psram: bool
) -> dict[str, str]:
    """The model's library as a component of ESP-IDF, in place of one of PlatformIO."""
    files = {
        COMPONENT + path.removeprefix(LIBRARY): text
        for path, text in sources.files.items()
        if path != f"{LIBRARY}/library.json"
    }
    model_sources = sorted(
        path.removeprefix(f"{COMPONENT}/") for path in files if path.endswith((".c", ".cpp"))
    )
    facts = {
        **context,
        "model_sources": model_sources,
        "components": sources.components,
        "arena_symbol": _ARENA[sources.name],
    }
    wanted = {
        "CMakeLists.txt": True,
        "idf_component.yml": bool(sources.components),
        "linker.lf": arena_in_psram,
    }
    for template, name in COMPONENT_TEMPLATES.items():
        if wanted[name]:
            files[f"{COMPONENT}/{name}"] = render(template, facts)
    return files


def _sdkconfig(board: Board, startup: EspIdfStartup, *, arena_in_psram: bool) -> Settings:
    flash = startup.flash
    groups: Settings = [
        (
            "The chip, and how it is compiled for",
            [
                ("IDF_TARGET", f'"{board.mcu}"'),
                (f"ESP_DEFAULT_CPU_FREQ_MHZ_{(board.clock_hz or 0) // 1_000_000}", "y"),
                ("COMPILER_OPTIMIZATION_PERF", "y"),
                ("FREERTOS_HZ", "1000"),
                # Weights are read from flash: as much cache as there is, in long lines.
                ("ESP32S3_INSTRUCTION_CACHE_32KB", "y"),
                ("ESP32S3_DATA_CACHE_64KB", "y"),
                ("ESP32S3_DATA_CACHE_LINE_64B", "y"),
            ],
        ),
        (
            "Flash",
            [
                (f"ESPTOOLPY_FLASHMODE_{flash.mode.upper()}", "y"),
                (f"ESPTOOLPY_FLASHFREQ_{flash.hz // 1_000_000}M", "y"),
                (f"ESPTOOLPY_FLASHSIZE_{flash.bytes >> 20}MB", "y"),
                ("PARTITION_TABLE_CUSTOM", "y"),
                ("PARTITION_TABLE_CUSTOM_FILENAME", '"partitions.csv"'),
            ],
        ),
        ("Serial line: the sketch's, with ESP-IDF's warnings between its lines", _console(board)),
        ("The core of the model's task is never idle while it computes", _watchdog(startup)),
    ]
    if startup.psram is not None:
        psram = [
            ("SPIRAM", "y"),
            (f"SPIRAM_MODE_{'OCT' if startup.psram.mode == 'octal' else 'QUAD'}", "y"),
            (f"SPIRAM_SPEED_{startup.psram.hz // 1_000_000}M", "y"),
        ]
        if arena_in_psram:
            psram.append(("SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY", "y"))
        else:
            # The model does without: so does the firmware, on a module that has none.
            psram.append(("SPIRAM_IGNORE_NOTFOUND", "y"))
        groups.append(("PSRAM", psram))
    return groups


def _console(board: Board) -> list[tuple[str, str]]:
    log = [("BOOTLOADER_LOG_LEVEL_WARN", "y"), ("LOG_DEFAULT_LEVEL_WARN", "y")]
    if not isinstance(board.serial, EspUart):
        return [("ESP_CONSOLE_USB_SERIAL_JTAG", "y"), *log]
    return [
        ("ESP_CONSOLE_UART_CUSTOM", "y"),
        (f"ESP_CONSOLE_UART_CUSTOM_NUM_{board.serial.port}", "y"),
        ("ESP_CONSOLE_UART_TX_GPIO", str(board.serial.tx)),
        ("ESP_CONSOLE_UART_RX_GPIO", str(board.serial.rx)),
        ("ESP_CONSOLE_UART_BAUDRATE", str(board.serial.baud)),
        ("ESP_CONSOLE_SECONDARY_NONE", "y"),
        *log,
    ]


def _watchdog(startup: EspIdfStartup) -> list[tuple[str, str]]:
    return [
        (f"ESP_TASK_WDT_CHECK_IDLE_TASK_CPU{SKETCH_CORE}", "n"),
        ("ESP_TASK_WDT_TIMEOUT_S", str(startup.watchdog_seconds)),
        ("ESP_TASK_WDT_PANIC", "y"),
    ]
