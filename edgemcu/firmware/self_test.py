"""The input that a firmware's self-test gives to its model, and what must come out of it."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from edgemcu.console import QUIET, Console
from edgemcu.errors import ToolMissingError
from edgemcu.reference import reference_outputs
from edgemcu.tflite import read_model

_SEED = 0x6D637531


def self_test_pattern(count: int) -> bytes:
    """`count` pseudo-random bytes: the top ones of xorshift32 (Marsaglia, 2003), as in the
    firmware's inference.c."""
    x, pattern = _SEED, bytearray()
    for _ in range(count):
        x ^= x << 13 & 0xFFFF_FFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFF_FFFF
        pattern.append(x >> 24)
    return bytes(pattern)


def pattern_outputs_crc32(model: Path, cache: Path, console: Console = QUIET) -> int | None:
    """CRC-32 of the reference kernels' outputs for the self-test's input.

    Args:
        model: a .tflite file.
        cache: folder that remembers what was computed.

    Returns:
        None where no interpreter is installed: the firmware then leaves that check out.

    Raises:
        ModelError: the file is damaged, or the interpreter refuses it.
    """
    graph = read_model(model)
    pattern = np.frombuffer(self_test_pattern(graph.input_bytes), np.uint8)
    try:
        outputs = reference_outputs(model, pattern[None], cache, console=console)
    except ToolMissingError:
        return None
    return zlib.crc32(outputs.tobytes())
