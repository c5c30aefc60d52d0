"""Flipping bits of a model in a linked program, as a flash that forgets would."""

from __future__ import annotations

import re
from pathlib import Path

from edgemcu.compiler import emit, program
from edgemcu.tflite import parse_model


def constants_of(data: bytes) -> list[tuple[str, bytes]]:
    """The compiled model's constant arrays: name, and bytes in memory. Without those of a single
    value, which nobody could find in a program again."""
    built = program.build(parse_model(data, "model"), "portable")
    constants = [(constant.name, constant.memory) for constant in emit._View(built).constants]
    return [(name, memory) for name, memory in constants if len(set(memory)) > 2]


def flipped(program_file: Path, memory: bytes, bit: int, folder: Path) -> Path:
    """A copy of a program with one bit of the only place that holds `memory` flipped."""
    data = bytearray(program_file.read_bytes())
    places = [match.start() for match in re.finditer(re.escape(memory), bytes(data))]
    assert len(places) == 1, f"{len(places)} places hold this array"
    data[places[0] + bit // 8] ^= 1 << bit % 8
    copy = folder / program_file.name
    copy.write_bytes(data)
    copy.chmod(0o755)
    return copy
