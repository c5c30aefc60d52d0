"""TensorFlow Lite's reference kernels over many models at once.

The interpreter runs in a process of its own, as it aborts on some quantizations; the model that it
died on gets None, and the rest is done by a new process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WORKER = """
import pathlib, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

folder = pathlib.Path(sys.argv[1])
for index in range(int(sys.argv[2]), int(sys.argv[3])):
    inputs = np.load(folder / f"{index}.in.npy")
    try:
        interpreter = Interpreter(
            str(folder / f"{index}.tflite"),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        rows = []
        for row in inputs:
            start = 0
            for detail in interpreter.get_input_details():
                size = int(np.prod(detail["shape"])) * np.dtype(detail["dtype"]).itemsize
                data = row[start : start + size].view(detail["dtype"]).reshape(detail["shape"])
                interpreter.set_tensor(detail["index"], data)
                start += size
            interpreter.invoke()
            outputs = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
            rows.append(np.frombuffer(b"".join(o.tobytes() for o in outputs), np.uint8))
        np.save(folder / f"{index}.out.npy", np.stack(rows))
    except (RuntimeError, ValueError) as error:
        (folder / f"{index}.error").write_text(str(error))
"""


def run_oracle(
    models: Sequence[bytes], inputs: Sequence[NDArray[np.uint8]], folder: Path
) -> list[NDArray[np.uint8] | None]:
    """Rows of output bytes of each model for its rows of input bytes; None where it refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, (model, rows) in enumerate(zip(models, inputs, strict=True)):
        (folder / f"{index}.tflite").write_bytes(model)
        np.save(folder / f"{index}.in.npy", rows)
    start = 0
    while start < len(models):
        command = [sys.executable, "-c", WORKER, str(folder), str(start), str(len(models))]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode == 0:
            break
        while any((folder / f"{start}.{end}").exists() for end in ("out.npy", "error")):
            start += 1
        if start >= len(models):
            break
        if result.returncode > 0:
            raise AssertionError(result.stderr[-3000:])
        (folder / f"{start}.error").write_text(f"ended by signal {-result.returncode}")
        start += 1
    return [
        np.load(path) if (path := folder / f"{index}.out.npy").exists() else None
        for index in range(len(models))
    ]
