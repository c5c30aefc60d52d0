"""Firmware of a real model, generated and compiled in one go."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from edgemcu.boards import load_board
from edgemcu.firmware.assemble import assemble
from edgemcu.firmware.generate import app_facts
from edgemcu.firmware.runtime import ModelSource, runtime_sources
from edgemcu.tflite import parse_model, read_metadata
from tests.support.device_firmware import compile_project


def build_generated(
    data: bytes, board_name: str, folder: Path, flags: Sequence[str] = ()
) -> tuple[Path, ModelSource]:
    """The compiled runtime's firmware for a .tflite, in `folder`."""
    board = load_board(board_name)
    model = ModelSource(parse_model(data, "model"), data, hashlib.sha256(data).hexdigest())
    metadata = read_metadata(model.graph, "model")
    sources = runtime_sources("compiled", model, board, None)
    files = assemble(board, sources, app_facts(model, metadata, "model.tflite", "test"))
    return compile_project(files, board, folder, flags), model
