"""Real firmware around a stand-in for a model, whose outputs are the CRC-32s of its two inputs.

Built by the compiler alone, so that tests of the wire protocol and of the emulators are quick. An
input that starts with HANG, TRAP or FAIL makes the model do that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edgemcu.boards import Board, load_board
from edgemcu.firmware.assemble import AppFacts, assemble
from edgemcu.firmware.runtime import RuntimeSources
from edgemcu.firmware.self_test import self_test_pattern

INPUT_BYTES = 3000
FIRST_TENSOR = 1024
MODEL_DIGEST = bytes(range(32)).hex()
TABLE = bytes(((pixel - 128) ^ 0x55) & 0xFF for pixel in range(256))
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

_HERE = Path(__file__).parent


def expected(tensor: bytes) -> bytes:
    """The outputs for an input of tensor bytes; for pixels, translate them by TABLE before."""
    parts = (tensor[:FIRST_TENSOR], tensor[FIRST_TENSOR:])
    return b"".join(zlib.crc32(part).to_bytes(4, "little") for part in parts)


def build(
    board_name: str, folder: Path, flags: Sequence[str] = (), arena_bytes: int = INPUT_BYTES
) -> Path:
    """The firmware for a board, in `folder`; skips the test where its compiler is missing.

    Args:
        arena_bytes: what the generator believes that the model needs.
    """
    board = load_board(board_name)
    runtime = RuntimeSources(
        name="compiled",
        kernels="portable",
        files={
            f"lib/edgemcu_model/{name}": (_HERE / name).read_text()
            for name in ("edgemcu_model.h", "model.c")
        },
        arena_bytes=arena_bytes,
        weights_bytes=0,
    )
    app = AppFacts(
        title="test",
        model_name="test.tflite",
        model_digest=MODEL_DIGEST,
        model_bytes=0,
        input_text="",
        output_text="",
        input_table=tuple(byte - 256 if byte > 127 else byte for byte in TABLE),
        input_formula="(p - 128) ^ 0x55",
        classes=("cat", "dog", "bird", "fish"),
        score_zero_point=-128,
        score_scale_q30=1 << 22,
        input_bytes=INPUT_BYTES,
        pattern_outputs_crc32=zlib.crc32(expected(self_test_pattern(INPUT_BYTES))),
    )
    return compile_project(assemble(board, runtime, app), board, folder, flags)


def compile_project(
    files: Mapping[str, str], board: Board, folder: Path, flags: Sequence[str] = ()
) -> Path:
    """A generated project's program, by the compiler alone: no PlatformIO, one call."""
    compiler = shutil.which(board.core.compiler)
    if compiler is None:
        pytest.skip(f"{board.core.compiler} is not installed")
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    machine = list(board.core.flags)
    if not board.hosted:
        machine += ["-nostartfiles", f"-Tlinker/{board.name}.ld"]
    sources = sorted(str(source.relative_to(folder)) for source in folder.rglob("*.c"))
    elf = folder / "firmware.elf"
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Iinclude"]
    command += ["-Ilib/edgemcu_model", *machine, *flags, *sources, "-o", elf.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    return elf
