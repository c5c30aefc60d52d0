"""A PlatformIO project as text: board + runtime + what the sketch must know → files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgemcu._version import __version__
from edgemcu.artefacts import sha256_json
from edgemcu.board_schema import Board, CortexMStartup, Stm32Clock
from edgemcu.device.renode_platform import renode_platform
from edgemcu.errors import EmulatorError
from edgemcu.firmware import esp_idf, stm32
from edgemcu.firmware.fit import Needs, has_room
from edgemcu.firmware.parts import board_constants, needs_clock_setup, templates
from edgemcu.firmware.pictures import PAUSE_MS, FlashPhotos
from edgemcu.firmware.runtime import RuntimeSources
from edgemcu.firmware.templates import render
from edgemcu.platformio.manifest import board_manifest
from edgemcu.preprocessing import Preprocessing
from edgemcu.project import Source

IMAGE_HEADER = "include/edgemcu_image.h"
_NOT_COMPILED = (IMAGE_HEADER, "README.md", ".gitignore")

RENODE_PORT = 4321  # of the script that a person runs

_CONTENTS = (
    ("components/edgemcu_model/", "the network: `edgemcu_model.h` is the interface to it"),
    ("lib/edgemcu_model/", "the network: `edgemcu_model.h` is the interface to it"),
    ("src/main.c", "set-up and main loop"),
    ("src/protocol.c", "the serial protocol, with `frame.c` below it"),
    ("src/source.c", "where pictures come from that no host sends"),
    ("src/resize.c", "a frame's colours, part and size become those of the model's picture"),
    ("src/photos.c", "test photos in flash"),
    ("src/inference.c", "the input as it arrives, and the runs of the model"),
    ("src/log.c", "what is written about each inference"),
    ("src/mlperf.c", "the commands of the MLPerf Tiny benchmark"),
    ("src/selftest.c", "what the firmware can check by itself"),
    ("src/edgemcu_app.c", "what the sketch knows about the model: its pixels and classes"),
    ("src/startup.c", "from reset to `main`, and the fault handlers"),
    ("src/supervisor.c", "the task watchdog's view of the sketch"),
    ("src/fault.c", "faults in a form that `edgemcu` knows"),
    ("src/clock.c", "the clock tree"),
    ("src/serial.c", "the serial line"),
    ("src/counter.c", "the counter that inferences are timed with"),
    ("include/board.h", "registers and settings of this board"),
    ("linker/", "the memory map"),
    ("sdkconfig.defaults", "what differs from ESP-IDF's own settings"),
    ("partitions.csv", "what the flash is divided into"),
    ("boards/", "the board, for PlatformIO"),
    ("platform/", "the PlatformIO platform that builds it"),
    ("renode/", "the board for Renode: to run the firmware there, and a Robot test of it"),
    ("scripts/flags.py", "compiler and linker flags that platformio.ini cannot say"),
)
_IGNORED_BY_IDF = "managed_components/\ndependencies.lock\nsdkconfig.*\n!sdkconfig.defaults\n"


@dataclass(frozen=True)
class AppFacts:
    """What the sketch knows about its model.

    Attributes:
        title: of the project.
        model_name: the file's name.
        model_digest: SHA-256 of the .tflite, hex.
        model_bytes: its size.
        input_text, output_text: shapes and quantization, for people.
        input_table: the int8 input for each pixel value, or None where the model takes no pixels.
        input_formula: the same in words.
        classes: names of the model's outputs, if it has any.
        score_zero_point, score_scale_q30: score = (output − zero point) × scale, scale × 2^30; of
            the first output, scale 0 if that is not int8.
        source: where pictures come from beside the serial line.
        photos: for the source "flash".
        picture: what the model takes, for the source "camera".
        input_bytes: of all input tensors.
        pattern_outputs_crc32: of the reference's outputs for `self_test_pattern`, if known.
        mlperf_model: what the MLPerf Tiny benchmark calls the model, or its own name.
        mlperf_flip: whether the benchmark's inputs are uint8 pixels for an int8 input.
    """

    title: str
    model_name: str
    model_digest: str
    model_bytes: int
    input_text: str
    output_text: str
    input_table: tuple[int, ...] | None = None
    input_formula: str = ""
    classes: tuple[str, ...] = ()
    score_zero_point: int = 0
    score_scale_q30: int = 0
    source: Source = "serial"
    photos: FlashPhotos | None = None
    picture: Preprocessing | None = None
    input_bytes: int = 0
    pattern_outputs_crc32: int | None = None
    mlperf_model: str = "unknown"
    mlperf_flip: bool = False

    @property
    def source_pause_ms(self) -> int:
        return PAUSE_MS[self.source]


def assemble(
    board: Board, runtime: RuntimeSources, app: AppFacts, *, arena_in_psram: bool = False
) -> dict[str, str]:
    """Every file of the project: path → text, the same for the same arguments."""
    context = _context(board, runtime, app)
    context["arena_in_psram"] = arena_in_psram
    context["esp_idf"] = esp_idf.is_esp_idf(board)
    context["prints"] = arena_in_psram or app.source != "serial"
    chosen = templates(board, app.source)
    model_files = dict(runtime.files)
    if context["esp_idf"]:
        context |= esp_idf.context(board, arena_in_psram=arena_in_psram)
        model_files = esp_idf.component_files(runtime, context, arena_in_psram=arena_in_psram)
        model_files |= esp_idf.project_files(context, chosen, app.source)
    files = {path: render(name, context) for path, name in chosen.items()}
    files.update(model_files)
    files |= _renode_files(board, app)
    if board.platformio.board is not None and board.platformio.board.id is None:
        files[f"boards/{board.name}.json"] = board_manifest(board)
    context["contents"] = [
        (path, text)
        for path, text in _CONTENTS
        if any(name == path or (path[-1] == "/" and name.startswith(path)) for name in files)
    ]
    context["image"] = image_digest(files)
    files[IMAGE_HEADER] = render("project/edgemcu_image.h.jinja", context)
    files["README.md"] = render("project/README.md.jinja", context)
    files[".gitignore"] = ".pio/\n" + (_IGNORED_BY_IDF if esp_idf.is_esp_idf(board) else "")
    return dict(sorted(files.items()))


def _renode_files(board: Board, app: AppFacts) -> dict[str, str]:
    """What Renode needs to run this firmware and to test it; nothing for boards it cannot run."""
    try:
        platform = renode_platform(board)
    except EmulatorError:
        return {}
    folder, name, program = "renode", board.name, board.platformio.program
    elf = f".pio/build/{name}/{program}"
    return {
        f"{folder}/{name}.repl": platform.platform,
        f"{folder}/{name}.resc": platform.script(f"{folder}/{name}.repl", elf, RENODE_PORT),
        f"{folder}/{name}.robot": platform.robot(program, __version__, app.model_digest),
    }


def image_digest(files: Mapping[str, str]) -> str:
    """What a firmware made from these files calls itself: 16 hex digits of their SHA-256.

    Everything that the compiler reads counts; only the header that holds the digest cannot.
    """
    made_of = {
        name: text
        for name, text in files.items()
        if name not in _NOT_COMPILED and not name.startswith("renode/")
    }
    return sha256_json(made_of)[:16]


def _context(board: Board, runtime: RuntimeSources, app: AppFacts) -> dict[str, Any]:
    context: dict[str, Any] = {
        "version": __version__,
        "title": app.title,
        "board": board,
        "clock": board.clock,
        "runtime": runtime,
        "app": app,
        "virtual_hz": getattr(board.emulator, "counter_hz", 0),
        # A camera's frames take RAM, too, how much only its driver knows.
        "keep_input": app.source != "camera"
        and has_room(
            Needs(arena=runtime.arena_bytes, weights=runtime.weights_bytes), board, app.input_bytes
        ),
        "board_constants": board_constants(board),
        "clock_setup": needs_clock_setup(board),
        "cplusplus": runtime.cplusplus,
        "machine_flags": board.core.flags,
        "link_flags": runtime.link_flags,
    }
    if isinstance(board.clock, Stm32Clock):
        context |= stm32.clock_context(board.clock)
    if isinstance(board.startup, CortexMStartup):
        names = {role: board.region(role).name.upper() for role in ("code", "model", "data")}
        names |= {role: board.region(role).name.upper() for role in ("arena", "stack")}
        context |= names
        context["separate_model"] = names["model"] != names["code"]
        context["separate_arena"] = names["arena"] != names["data"]
        context["has_fpu"] = any(
            flag.startswith("-mfloat-abi=") and flag != "-mfloat-abi=soft"
            for flag in board.core.flags
        )
        context["link_flags"] = ("-nostartfiles", "-Wl,--gc-sections", *runtime.link_flags)
    return context
