"""Runs TensorFlow Lite's reference kernels on a model, in a process of its own.

The interpreter aborts the whole process on some models; `edgemcu.reference` starts this module,
and an abort here is an error there.

    python -m edgemcu.reference_worker MODEL INPUTS.npy OUTPUTS.npy
    python -m edgemcu.reference_worker --activations MODEL INPUTS.npy OUTPUTS.npz

INPUTS: uint8, (N, input bytes). OUTPUTS: uint8, (N, output bytes); with --activations float32 of
every operator's output, dequantized, by the tensor's name. Progress goes to stdout, one line each.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROGRESS = "edgemcu-reference"
_SECONDS_BETWEEN_LINES = 0.2


def main(arguments: list[str]) -> int:
    activations = arguments[:1] == ["--activations"]
    model, inputs_file, outputs_file = arguments[activations:]
    inputs = np.load(inputs_file, mmap_mode="r", allow_pickle=False)
    interpreter = reference_interpreter(model, preserve_all_tensors=activations)
    try:
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as problem:
        print(str(problem), file=sys.stderr)
        return 1
    _say("ready")
    if activations:
        np.savez(outputs_file, **_activations(interpreter, inputs))  # type: ignore[arg-type]
        return 0
    rows = []
    spoke = time.monotonic()
    said = 0
    for index, row in enumerate(inputs, 1):
        rows.append(_invoke(interpreter, row))
        if time.monotonic() - spoke > _SECONDS_BETWEEN_LINES or index == len(inputs):
            _say(str(index - said))
            spoke, said = time.monotonic(), index
    np.save(outputs_file, np.stack(rows), allow_pickle=False)
    return 0


def reference_interpreter(model: str, *, preserve_all_tensors: bool = False) -> Any:
    """ai-edge-litert's interpreter, or tf.lite's, with the reference kernels on one thread."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        module: Any = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        module = importlib.import_module("tensorflow.lite.python.interpreter")
    return module.Interpreter(
        model_path=model,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=preserve_all_tensors,
        num_threads=1,
    )


def _say(text: str) -> None:
    print(PROGRESS, text, flush=True)


def _invoke(interpreter: Any, row: NDArray[np.uint8]) -> NDArray[np.uint8]:
    start = 0
    for detail in interpreter.get_input_details():
        dtype = np.dtype(detail["dtype"])
        size = int(np.prod(detail["shape"], dtype=np.int64)) * dtype.itemsize
        values = np.ascontiguousarray(row[start : start + size]).view(dtype)
        interpreter.set_tensor(detail["index"], values.reshape(detail["shape"]))
        start += size
    if start != len(row):
        raise SystemExit(f"the model takes {start} bytes, and a row has {len(row)}")
    interpreter.invoke()
    outputs = [
        np.ascontiguousarray(interpreter.get_tensor(detail["index"])).reshape(-1).view(np.uint8)
        for detail in interpreter.get_output_details()
    ]
    return np.concatenate(outputs)


def _activations(interpreter: Any, inputs: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    outputs = {int(op["outputs"][0]) for op in interpreter._get_ops_details()}
    details = [detail for detail in interpreter.get_tensor_details() if detail["index"] in outputs]
    collected: dict[str, list[NDArray[np.float32]]] = {d["name"]: [] for d in details}
    for row in inputs:
        _invoke(interpreter, row)
        for detail in details:
            values = interpreter.get_tensor(detail["index"]).astype(np.float32)
            scale, zero_point = detail["quantization"]
            collected[detail["name"]].append((values - zero_point) * scale if scale else values)
    return {name: np.stack(values) for name, values in collected.items()}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
