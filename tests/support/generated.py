"""Firmware of a real model, generated and compiled in one go."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgemcu.boards import load_board
from edgemcu.firmware.assemble import assemble
from edgemcu.firmware.generate import app_facts
from edgemcu.firmware.pictures import FlashPhotos
from edgemcu.firmware.runtime import ModelSource, runtime_sources
from edgemcu.tflite import parse_model, read_metadata
from tests.support.device_firmware import compile_project


def build_generated(
    data: bytes,
    board_name: str,
    folder: Path,
    flags: Sequence[str] = (),
    photos: FlashPhotos | None = None,
) -> tuple[Path, ModelSource]:
    """The compiled runtime's firmware for a .tflite, in `folder`; with `photos` it classifies those
    one after the other, without a second's pause."""
    board = load_board(board_name)
    model = ModelSource(parse_model(data, "model"), data, hashlib.sha256(data).hexdigest())
    metadata = read_metadata(model.graph, "model")
    sources = runtime_sources("compiled", model, board, None)
    app = app_facts(model, metadata, "model.tflite", "test")
    if photos is not None:
        app = replace(app, source="flash", photos=photos)
    files = assemble(board, sources, app)
    if photos is not None:
        name = "include/edgemcu_app.h"
        files[name] = re.sub(r"(EDGEMCU_SOURCE_PAUSE_MS) \d+u", r"\1 5u", files[name])
    return compile_project(files, board, folder, flags), model
