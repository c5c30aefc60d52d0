"""Projects for ESP-IDF: their sources compile, run as a process, and PlatformIO takes them.

There is no Espressif toolchain and no SDK here. `tests.support.esp_idf` declares what the sources
use of ESP-IDF, and does what it does, as far as the sketch can see.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgemcu.board_schema import EspIdfStartup
from edgemcu.boards import Board, list_boards, load_board
from edgemcu.device.emulator import start_process
from edgemcu.device.log import LogReader, LogRecord
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.errors import BoardError, EdgemcuError, EmulatorError, UnsupportedModelError
from edgemcu.firmware.assemble import assemble
from edgemcu.firmware.fit import Needs, check_fit
from edgemcu.firmware.folder import write_project
from edgemcu.firmware.generate import generate_project
from edgemcu.firmware.pictures import check_source
from edgemcu.preprocessing import Colour, Preprocessing, load_pixels
from edgemcu.shipped import shipped
from edgemcu.tflite import ModelMetadata
from tests.support import esp_idf, xtensa
from tests.support.device_firmware import INPUT_BYTES, expected
from tests.support.device_resize import decode, encode
from tests.support.firmware import APP, stand_in, write_stand_in
from tests.support.tflm_networks import residual
from tests.support.tiny_classifier import tiny_classifier
from tests.support.xtensa.stack import deepest

BOARDS = [b.name for b in list_boards() if isinstance(b.startup, EspIdfStartup)]
# One for each serial line.
TYPICAL = ["esp32s3", "esp32s3-eye"]
# A second of the fake's timer and watchdog, in microseconds.
SHORT = ["-DSECOND=50000", "-DWATCHDOG_SECONDS=10"]


def an_input(start: bytes = b"") -> bytes:
    return start + random.Random(0).randbytes(INPUT_BYTES - len(start))


def impatient(board: Board, inference_seconds: int) -> Board:
    changed = board.startup.model_copy(update={"inference_seconds": inference_seconds})
    return board.model_copy(update={"startup": changed})


# ---- Sources ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TYPICAL)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_sources_compile_against_what_they_use_of_the_sdk(
    name: str, compiler: str, tmp_path: Path
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    project = write_stand_in(load_board(name), tmp_path)
    command = [compiler, "-std=gnu17", *esp_idf.WARNINGS, "-fsyntax-only"]
    files = esp_idf.sources(project)
    done = subprocess.run([*command, *esp_idf.includes(project), *files], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("name", TYPICAL)
def test_sources_compile_for_xtensa(name: str, tmp_path: Path) -> None:
    xtensa.require_compiler()
    project = write_stand_in(load_board(name), tmp_path / "project")
    command = [str(xtensa.COMPILER), "-std=gnu17", *esp_idf.WARNINGS, *xtensa.FLAGS]
    files = [str(path) for path in esp_idf.sources(project)]
    done = subprocess.run(
        [*command, *esp_idf.includes(project), "-c", *files], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert len(list(tmp_path.glob("*.o"))) == len(files)


@pytest.mark.parametrize("name", BOARDS)
def test_platformio_takes_the_project(name: str, tmp_path: Path) -> None:
    pytest.importorskip("platformio", reason="platformio is not installed")
    project = write_stand_in(load_board(name), tmp_path / "project")
    done = subprocess.run(
        [sys.executable, "-m", "platformio", "project", "config", "--lint", "-d", str(project)],
        env={
            **os.environ,
            "PLATFORMIO_CORE_DIR": str(tmp_path / "core"),
            "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
            "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_source_is_in_a_component() -> None:
    for name in BOARDS:
        files = assemble(load_board(name), stand_in(), APP)
        listed = files["src/CMakeLists.txt"]
        sources = [path for path in files if path.startswith("src/") and path.endswith(".c")]
        assert all(f'"{path[4:]}"' in listed for path in sources), name
        assert '"model.c"' in files["components/edgemcu_model/CMakeLists.txt"]
        assert not any(path.startswith("lib/") for path in files)


# ---- As a process -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TYPICAL)
def test_the_sketch_answers(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    project = write_stand_in(board, tmp_path / "project")
    program = esp_idf.build(project, tmp_path / "program")
    lines: list[str] = []
    with DeviceSession(start_process(program), None, lines.append) as session:
        identity = session.identify()
        data = an_input()
        first, second = session.infer(data), session.infer(data, Kind.PIXELS)
        # The stack is told of when the line is silent for the first time.
        for _ in range(200):
            session.ping(b"x" * 1000)
            if any(line.startswith("stack: ") for line in lines):
                break
            time.sleep(0.02)
    assert (identity.board, identity.counter_hz) == (name, 1_000_000)
    assert first.outputs == expected(data)
    assert second.sequence == 2
    assert (identity.clock_hz, identity.stack_bytes) == (240_000_000, 8192)
    assert lines[0].startswith("edgemcu ")


def run_and_fail(project: Path, program: Path, start: bytes) -> tuple[EdgemcuError, list[str]]:
    esp_idf.build(project, program, SHORT)
    lines: list[str] = []
    limits = Limits(inference_s=20.0)
    with DeviceSession(start_process(program), limits, lines.append) as session:
        session.identify()
        with pytest.raises(EmulatorError) as error:
            session.infer(an_input(start))
    return error.value, lines


@pytest.mark.slow
def test_a_hanging_inference_ends_in_a_fault(tmp_path: Path) -> None:
    board = impatient(load_board("esp32s3"), inference_seconds=4)
    project = write_stand_in(board, tmp_path / "project")
    error, _ = run_and_fail(project, tmp_path / "program", b"HANG")
    assert "Task watchdog on core 1" in str(error)


SLOW_MODEL = """
#include <time.h>
static void take_a_while(void)
{
    struct timespec time = {.tv_sec = 1, .tv_nsec = 0};
    nanosleep(&time, NULL);
}
"""


@pytest.mark.slow
def test_a_long_inference_is_fed(tmp_path: Path) -> None:
    """Twice as long as the watchdog allows without a sign of life, half of what it may take."""
    source = (Path(esp_idf.FOLDER).parent / "device_firmware/model.c").read_text()
    source = "#define _POSIX_C_SOURCE 200809L\n" + source.replace(
        "static void fingerprint", SLOW_MODEL + "\nstatic void fingerprint", 1
    ).replace("    fingerprint(crcs[0]", "    take_a_while();\n    fingerprint(crcs[0]", 1)
    project = write_stand_in(
        impatient(load_board("esp32s3"), inference_seconds=40), tmp_path / "project", source
    )
    program = esp_idf.build(project, tmp_path / "program", SHORT)
    with DeviceSession(start_process(program)) as session:
        session.identify()
        data = an_input()
        assert session.infer(data).outputs == expected(data)


def test_without_a_listener_the_sketch_goes_on(tmp_path: Path) -> None:
    project = write_stand_in(load_board("esp32s3-eye"), tmp_path / "project")
    program = esp_idf.build(project, tmp_path / "program", ["-DNOBODY_LISTENS"])
    done = subprocess.run([program], input=b"@em1 P 0001  d8207ab6\n", capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")


# ---- The camera -------------------------------------------------------------------------------


def camera_project(folder: Path, spec: Preprocessing) -> Path:
    app = replace(APP, source="camera", picture=spec)
    write_project(folder, assemble(load_board("esp32s3-eye"), stand_in(), app))
    return folder


@pytest.mark.parametrize(
    ("colour", "format_", "side"), [("grey", "grey", 32), ("rgb", "rgb565", 16)]
)
def test_what_the_camera_sees_is_classified(
    colour: Colour, format_: str, side: int, tmp_path: Path
) -> None:
    spec = Preprocessing(side, side, colour)
    seen = np.random.default_rng(1).integers(0, 256, (240, 240, 3), dtype=np.uint8)
    frame = encode(seen, format_)
    (tmp_path / "frame").write_bytes(frame)
    pixels = load_pixels(np.ascontiguousarray(decode(frame, 240, 240, format_)), spec)
    # The stand-in model's first input has 1024 bytes, and its first output is their CRC.
    tensor = bytes(value ^ 0x80 for value in pixels.tobytes().ljust(1024, b"\0"))
    program = esp_idf.build(
        camera_project(tmp_path / "project", spec),
        tmp_path / "program",
        [f'-DFRAME_FILE="{tmp_path / "frame"}"'],
    )
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reader = LogReader()
        records: list[LogRecord] = []
        while not records:
            events = reader.feed(process.stdout.read1())  # type: ignore[attr-defined]
            records += [event for event in events if isinstance(event, LogRecord)]
        process.kill()
    assert records[0].outputs[:4] == zlib.crc32(tensor).to_bytes(4, "little")


def test_without_a_camera_the_serial_line_still_works(tmp_path: Path) -> None:
    project = camera_project(tmp_path / "project", Preprocessing(32, 32, "grey"))
    program = esp_idf.build(project, tmp_path / "program")
    lines: list[str] = []
    with DeviceSession(start_process(program), None, lines.append) as session:
        session.identify()
        data = an_input()
        assert session.infer(data).outputs == expected(data)
    assert "no camera answers: is its cable in its connector?" in lines


def test_a_host_that_keeps_talking_is_no_hang(tmp_path: Path) -> None:
    """Three times as long as the watchdog allows without a sign of life."""
    project = camera_project(tmp_path / "project", Preprocessing(32, 32, "grey"))
    program = esp_idf.build(project, tmp_path / "program", SHORT)
    with DeviceSession(start_process(program)) as session:
        session.identify()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            session.ping(b"")


def test_a_camera_where_the_board_has_one() -> None:
    metadata = ModelMetadata(Preprocessing(32, 32), ())
    check_source("camera", load_board("xiao-esp32s3-sense"), metadata, "model")
    with pytest.raises(EdgemcuError, match="esp32s3 has no camera"):
        check_source("camera", load_board("esp32s3"), metadata, "model")


# ---- Memory -----------------------------------------------------------------------------------


def test_activations_go_to_psram_only_when_they_must() -> None:
    small, large = Needs(arena=200_000, weights=1000), Needs(arena=1_000_000, weights=1000)
    assert check_fit(small, load_board("esp32s3-psram")) == "internal"
    assert check_fit(large, load_board("esp32s3-psram")) == "psram"
    # Beside it ESP-IDF's heap would be short: PSRAM is the better place, where there is some.
    tight = Needs(arena=250_000, weights=1000)
    assert check_fit(tight, load_board("esp32s3")) == "internal"
    assert check_fit(tight, load_board("esp32s3-psram")) == "psram"
    with pytest.raises(EdgemcuError, match="sram needs at least"):
        check_fit(large, load_board("esp32s3"))
    with pytest.raises(EdgemcuError, match="psram needs at least 3000000 bytes") as error:
        check_fit(Needs(arena=3_000_000, weights=1000), load_board("esp32s3-n8r2"), list_boards())
    assert "esp32s3-psram" in str(error.value)


def test_a_board_without_psram_is_told_of_those_that_have_it() -> None:
    with pytest.raises(EdgemcuError) as error:
        check_fit(Needs(arena=1_000_000, weights=1000), load_board("esp32s3"), list_boards())
    assert "esp32s3-psram" in str(error.value)


def test_psram_is_said_and_set_up(tmp_path: Path) -> None:
    board = load_board("esp32s3-psram")
    inside, outside = (
        assemble(board, stand_in(), APP, arena_in_psram=psram) for psram in (False, True)
    )
    linker = "components/edgemcu_model/linker.lf"
    assert linker not in inside and "model:arena" in outside[linker]
    assert "linker.lf" in outside["components/edgemcu_model/CMakeLists.txt"]
    assert "lie in PSRAM" in outside["src/main.c"]
    assert "PSRAM" not in inside["src/main.c"]
    setting = "CONFIG_SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY=y"
    assert setting in outside["sdkconfig.defaults"] and setting not in inside["sdkconfig.defaults"]
    assert "SPIRAM" not in assemble(load_board("esp32s3"), stand_in(), APP)["sdkconfig.defaults"]


# ---- The stack --------------------------------------------------------------------------------

# ESP-IDF's own main task, which may call its drivers, has so much (ESP_MAIN_TASK_STACK_SIZE).
DRIVERS = 3584
# ESP-NN's functions: at most 256 words of sums, and frames and arguments of its assembly.
LIBRARY = 1536


@pytest.mark.slow
def test_the_task_s_stack_is_large_enough(tmp_path: Path) -> None:
    """By the frames that clang gives the sketch and all kernels on an Xtensa core."""
    xtensa.require_compiler()
    board = load_board("esp32s3")
    project = write_stand_in(board, tmp_path / "project")
    folder = shipped("firmware_templates") / "compiled/kernels/portable"
    kernels = sorted(folder.glob("*.c"))
    command = [str(xtensa.COMPILER), "-std=gnu17", "-fstack-usage", *xtensa.FLAGS]
    files = [*esp_idf.sources(project), *kernels]
    done = subprocess.run(
        [*command, *esp_idf.includes(project), "-c", *map(str, files)],
        cwd=tmp_path,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    sketch, chain = deepest(tmp_path, ["sketch"])
    model, _ = deepest(tmp_path, [path.stem for path in kernels])
    assert chain[:2] == ["sketch", "protocol_poll"]
    assert sketch + model + DRIVERS + LIBRARY <= board.stack_bytes, (sketch, model)


# ---- Wrong board files ------------------------------------------------------------------------

# What is changed in esp32s3-eye.toml, the key that the error names, and what else it says.
INVALID = {
    "partition beyond the flash": (
        'size = "8 MiB", mode = "qio"',
        'size = "4 MiB", mode = "qio"',
        "startup",
        "beyond 4 MiB",
    ),
    "flash of no such size": (
        '"8 MiB", mode = "qio"',
        '"6 MiB", mode = "qio"',
        "startup.flash.size",
        "4 MiB",
    ),
    "flash wired otherwise": ('mode = "qio"', 'mode = "opi"', "startup.flash.mode", "qio"),
    "partition not aligned": ("offset = 0x10000", "offset = 0x11000", "partitions", "0x10000"),
    "partition over the table": (
        "offset = 0x10000, size = 0x7F0000",
        "offset = 0x0, size = 0x7F0000",
        "startup",
        "0x9000",
    ),
    "no application": ('subtype = "factory"', 'subtype = "test"', "startup", "application"),
    "subtype of another type": ('subtype = "factory"', 'subtype = "nvs"', "partitions", "factory"),
    "another size than the partition": (
        "size = 0x7F0000\nholds",
        "size = 0x7E0000\nholds",
        "memory",
        "partition",
    ),
    "PSRAM of no such mode": ('mode = "octal"', 'mode = "opi"', "startup.psram.mode", "octal"),
    "no framework": ('framework = "espidf"\n', "", "platformio.framework", "espidf"),
    "no board of PlatformIO": (
        'id = "esp32-s3-devkitc-1"\n',
        "",
        "platformio.board.id",
        "required",
    ),
    "a clock that it has not": ("hz = 240_000_000", "hz = 100_000_000", "clock.hz", "240000000"),
    "a serial line of another chip": (
        'driver = "usb-serial-jtag"',
        'driver = "stdio"',
        "serial",
        "usb",
    ),
    "two lines on one pin": ("xclk = 15", "xclk = 4", "camera.pins", "GPIO 4"),
    "a pin that the chip has not": ("xclk = 15", "xclk = 49", "camera.pins.xclk", "49"),
    "a line that is missing": ("pclk = 13", "pclk = -1", "camera.pins", "pclk"),
    "a frame of no such size": (
        'frame_size = "240x240"',
        'frame_size = "8k"',
        "camera.frame_size",
        "240x240",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_is_wrong_in_a_board_s_file_is_named(case: str, tmp_path: Path) -> None:
    old, new, key, says = INVALID[case]
    valid = (shipped("boards") / "esp32s3-eye.toml").read_text()
    assert old in valid
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/esp32s3-eye.toml").write_text(valid.replace(old, new, 1))
    with pytest.raises(BoardError) as error:
        load_board("esp32s3-eye", tmp_path)
    assert key in str(error.value)
    assert says in str(error.value)


def test_a_camera_needs_esp_idf(tmp_path: Path) -> None:
    camera = (shipped("boards") / "esp32s3-eye.toml").read_text().split("[camera]")[1]
    text = (shipped("boards") / "stm32f405.toml").read_text() + "\n[camera]" + camera
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/stm32f405.toml").write_text(text)
    with pytest.raises(BoardError, match="camera: needs the startup driver esp-idf"):
        load_board("stm32f405", tmp_path)


def test_esp_nn_is_refused_where_there_is_no_esp_idf(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(tiny_classifier())
    with pytest.raises(UnsupportedModelError, match="esp-nn come with ESP-IDF"):
        generate_project(model, load_board("host"), "compiled", tmp_path / "out", kernels="esp-nn")


def test_components_are_those_of_the_runtime(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(residual())
    manifest = "components/edgemcu_model/idf_component.yml"
    for runtime, expected_components in (
        ("compiled", ["esp-nn"]),
        ("tflm", ["esp-tflite-micro", "esp-nn"]),
    ):
        folder = tmp_path / runtime
        made = generate_project(model, load_board("esp32s3"), runtime, folder)
        assert made.kernels == "esp-nn"
        text = (folder / manifest).read_text()
        assert re.findall(r'espressif/([\w-]+): "==[\d.]+"', text) == expected_components
    made = generate_project(
        model, load_board("esp32s3"), "compiled", tmp_path / "portable", kernels="portable"
    )
    assert made.kernels == "portable" and not (tmp_path / "portable" / manifest).exists()


def test_a_library_of_one_s_own_has_no_place_here(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(tiny_classifier())
    with pytest.raises(EdgemcuError, match="is the component espressif/esp-tflite-micro"):
        generate_project(
            model, load_board("esp32s3"), "tflm", tmp_path / "out", library="symlink:///tflm"
        )
