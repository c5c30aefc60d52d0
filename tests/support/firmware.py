"""Firmware around the stand-in model of tests/support/device_firmware, for tests of the sketch."""

from __future__ import annotations

from pathlib import Path

from edgemcu.boards import Board
from edgemcu.firmware.assemble import AppFacts, assemble
from edgemcu.firmware.folder import write_project
from edgemcu.firmware.runtime import LIBRARY, RuntimeSources, library_json

MODEL = Path(__file__).parent / "device_firmware"

APP = AppFacts(
    title="Stand-in",
    model_name="stand-in.tflite",
    model_digest="00" * 32,
    model_bytes=1234,
    input_text="1x1024 int8; 1x1976 int8",
    output_text="1x4 int8; 1x4 int8",
    input_table=tuple(range(-128, 128)),
    input_formula="p - 128",
    classes=("cat", 'd"og', "bîrd ??/", "*/"),
    score_zero_point=-128,
    score_scale_q30=1 << 22,
)


def stand_in(model_c: str | None = None) -> RuntimeSources:
    """The stand-in model as a runtime; `model_c` replaces its source."""
    header = (MODEL / "edgemcu_model.h").read_text()
    return RuntimeSources(
        name="compiled",
        kernels="portable",
        files={
            f"{LIBRARY}/edgemcu_model.h": header,
            f"{LIBRARY}/model.c": model_c or (MODEL / "model.c").read_text(),
            f"{LIBRARY}/library.json": library_json(),
        },
        arena_bytes=3008,
        weights_bytes=0,
    )


def write_stand_in(board: Board, folder: Path, model_c: str | None = None) -> Path:
    """A project for `board` in `folder`."""
    write_project(folder, assemble(board, stand_in(model_c), APP))
    return folder
