"""Reads damaged models in a process of its own, with bounded memory and time per file.

Run by test_tflite_fuzz: `python -m tests.support.fuzz_reader FOLDER COUNT SEED`. FOLDER holds the
undamaged models. Prints what came of it as JSON; a file that breaks the rules ends the process, and
is left in FOLDER as `culprit.tflite` for a look.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
from pathlib import Path
from types import FrameType

from edgemcu.compiler import compile_model
from edgemcu.errors import EdgemcuError
from edgemcu.graph.facts import graph_facts
from edgemcu.tflite import parse_model, read_metadata
from tests.support.mutations import distort, mutate

SECONDS_PER_FILE = 30.0
MEMORY = 512 << 20
# Taking a model apart and writing it again is slow, so most files only have their bytes damaged.
DISTORTED = 0.15
# So is compiling.
COMPILED = 0.1


def main(folder: Path, count: int, seed: int) -> None:
    seeds = [path.read_bytes() for path in sorted(folder.glob("*.tflite"))]
    rng = random.Random(seed)
    signal.signal(signal.SIGALRM, _too_slow)
    _limit_memory(MEMORY)
    outcome = {"files": 0, "read": 0}
    for _ in range(count):
        seed_data = rng.choice(seeds)
        distorted = rng.random() < DISTORTED
        data = distort(seed_data, rng) if distorted else mutate(seed_data, seeds, rng)
        signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_FILE)
        try:
            use(data, compiled=rng.random() < COMPILED)
            outcome["read"] += 1
        except EdgemcuError as error:
            str(error)
        except BaseException:
            signal.setitimer(signal.ITIMER_REAL, 0)
            (folder / "culprit.tflite").write_bytes(data)
            raise
        outcome["files"] += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(outcome))


def use(data: bytes, compiled: bool) -> None:
    """All that edgemcu does with a model before anything is written."""
    graph = parse_model(data, "mutant")
    graph_facts(graph)
    read_metadata(graph, "mutant")
    if compiled:
        compile_model(graph, model_digest="0" * 64)


def _too_slow(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {SECONDS_PER_FILE} s for one file")


def _limit_memory(allowance: int) -> None:
    """Let this process grow by `allowance` bytes from what its modules take already."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + allowance
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
