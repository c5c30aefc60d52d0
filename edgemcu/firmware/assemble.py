"""A PlatformIO project as text: board + runtime + what the sketch must know → files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edgemcu._version import __version__
from edgemcu.board_schema import Board
from edgemcu.firmware.fit import Needs, has_room
from edgemcu.firmware.parts import board_constants, needs_clock_setup, templates
from edgemcu.firmware.runtime import RuntimeSources
from edgemcu.firmware.templates import render

_CONTENTS = (
    ("lib/edgemcu_model/", "the network: `edgemcu_model.h` is the interface to it"),
    ("src/main.c", "set-up and main loop"),
    ("src/protocol.c", "the serial protocol, with `frame.c` below it"),
    ("src/inference.c", "the input as it arrives, and the runs of the model"),
    ("src/log.c", "what is written about each inference"),
    ("src/mlperf.c", "the commands of the MLPerf Tiny benchmark"),
    ("src/selftest.c", "what the firmware can check by itself"),
    ("src/edgemcu_app.c", "what the sketch knows about the model: its pixels and classes"),
    ("src/startup.c", "from reset to `main`, and the fault handlers"),
    ("src/clock.c", "the clock tree"),
    ("src/serial.c", "the serial line"),
    ("src/counter.c", "the counter that inferences are timed with"),
    ("include/board.h", "registers and settings of this board"),
    ("linker/", "the memory map"),
    ("boards/", "the board, for PlatformIO"),
    ("platform/", "the PlatformIO platform that builds it"),
    ("scripts/flags.py", "compiler and linker flags that platformio.ini cannot say"),
)


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
    input_bytes: int = 0
    pattern_outputs_crc32: int | None = None
    mlperf_model: str = "unknown"
    mlperf_flip: bool = False


def assemble(board: Board, runtime: RuntimeSources, app: AppFacts) -> dict[str, str]:
    """Every file of the project: path → text, the same for the same arguments."""
    context = _context(board, runtime, app)
    files = {path: render(name, context) for path, name in templates(board).items()}
    files.update(runtime.files)
    if board.platformio.board is not None:
        files[f"boards/{board.name}.json"] = _board_json(board)
    context["contents"] = [
        (path, text)
        for path, text in _CONTENTS
        if any(name == path or (path[-1] == "/" and name.startswith(path)) for name in files)
    ]
    files["README.md"] = render("project/README.md.jinja", context)
    files[".gitignore"] = ".pio/\n"
    return dict(sorted(files.items()))


def _context(board: Board, runtime: RuntimeSources, app: AppFacts) -> dict[str, Any]:
    context: dict[str, Any] = {
        "version": __version__,
        "title": app.title,
        "board": board,
        "clock": board.clock,
        "runtime": runtime,
        "app": app,
        "virtual_hz": getattr(board.emulator, "counter_hz", 0),
        "keep_input": has_room(
            Needs(arena=runtime.arena_bytes, weights=runtime.weights_bytes), board, app.input_bytes
        ),
        "board_constants": board_constants(board),
        "clock_setup": needs_clock_setup(board),
        "cplusplus": runtime.cplusplus,
        "machine_flags": board.core.flags,
        "link_flags": runtime.link_flags,
    }
    if not board.hosted:
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


def _board_json(board: Board) -> str:
    facts = board.platformio.board
    assert facts is not None
    cpu = next((f[6:] for f in board.core.flags if f.startswith("-mcpu=")), board.core.name)
    upload: dict[str, Any] = {
        "maximum_ram_size": board.ram_bytes,
        "maximum_size": board.flash_bytes,
    }
    if facts.upload:
        upload |= {"protocol": facts.upload[0], "protocols": sorted(facts.upload)}
    manifest: dict[str, Any] = {
        "name": board.title,
        "vendor": facts.vendor,
        "url": facts.url,
        "build": {"cpu": cpu, "f_cpu": f"{board.clock_hz}L", "mcu": board.mcu},
        "upload": upload,
    }
    if facts.debug:
        manifest["debug"] = dict(sorted(facts.debug.items()))
    return json.dumps(manifest, indent=2) + "\n"
