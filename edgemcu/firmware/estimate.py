"""Flash and RAM of a firmware that has not been built: within some kilobytes, for a first look.

What `fit` refuses by is a lower bound; this is the likely figure. The last word is the linker's.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgemcu.board_schema import Board, EspIdfStartup
from edgemcu.firmware.fit import IDF_CODE_BYTES, IDF_DATA_BYTES, IDF_HEAP_BYTES, Needs, has_room
from edgemcu.firmware.runtime import LIBRARY, RuntimeSources
from edgemcu.graph.ir import Op

# Measured with GCC 12 at -O2 for a Cortex-M4 (bytes).
SKETCH_CODE = 17_500
SKETCH_DATA = 5_300
# The compiled runtime of five known networks: 0.6 to 5 kB of code, within 1 kB of this.
COMPILED_KERNEL = 600
COMPILED_LAYER = 30
# TensorFlow Lite Micro with reference kernels, and what it takes of libc: 150 kB with 20 operators.
TFLM_CORE = 50_000
TFLM_OPERATOR = 5_000


def estimate_memory(
    sources: RuntimeSources, ops: Iterable[Op], board: Board, input_bytes: int = 0
) -> tuple[int | None, int | None]:
    """(flash, internal RAM) in bytes, both None for a board whose firmware is a process.

    Activations that do not fit into internal RAM lie in PSRAM, where a board has that.
    """
    if board.hosted:
        return None, None
    ops = tuple(ops)
    if sources.name == "compiled":
        kernels = sum(
            path.startswith(f"{LIBRARY}/kernels/") and path.endswith(".c") for path in sources.files
        )
        code = COMPILED_KERNEL * kernels + COMPILED_LAYER * len(ops)
    else:
        code = TFLM_CORE + TFLM_OPERATOR * len({op.kind for op in ops})
    ram = SKETCH_DATA + board.stack_bytes
    if isinstance(board.startup, EspIdfStartup):
        code += IDF_CODE_BYTES
        ram += IDF_DATA_BYTES
    heap = IDF_HEAP_BYTES if board.psram else 0
    if board.psram is None or ram + heap + sources.arena_bytes <= board.region("arena").size:
        ram += sources.arena_bytes
    needs = Needs(arena=sources.arena_bytes, weights=sources.weights_bytes)
    if has_room(needs, board, input_bytes):
        ram += input_bytes  # the copy that inferences are repeated from
    return SKETCH_CODE + code + sources.weights_bytes, ram
