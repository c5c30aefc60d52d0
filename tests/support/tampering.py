"""Flipping bits of a model in a linked program, as a flash that forgets would."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edgemcu.firmware.runtime import LIBRARY

_ARRAY = re.compile(r"^(?:_Alignas\(\d+\) )?const (\w+) (\w+)\[\d+\] = \{(.*?)\};", re.M | re.S)


def constants_of(project: Path) -> list[tuple[str, bytes]]:
    """The constant arrays of a generated project: name, and bytes in memory. Without those that
    nobody could find in a program again, since they hold few different values."""
    text = (project / LIBRARY / "weights.c").read_text()
    arrays = []
    for c_type, name, values in _ARRAY.findall(text):
        dtype = np.dtype("f4" if c_type == "float" else c_type.removesuffix("_t"))
        memory = np.array([float(v) for v in values.split(",") if v.strip()], np.float64)
        arrays.append((name, memory.astype(dtype.newbyteorder("<")).tobytes()))
    return [(name, memory) for name, memory in arrays if len(set(memory)) > 4]


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
