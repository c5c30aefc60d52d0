"""What TensorFlow Lite's reference kernels answer: the bytes that every other engine must give."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgemcu.artefacts import StepFolder, sha256_file
from edgemcu.console import QUIET, Console, ProgressBar
from edgemcu.errors import ModelError, ToolMissingError
from edgemcu.reference_model import with_micro_rounding
from edgemcu.reference_worker import PROGRESS
from edgemcu.tflite import parse_model

TIMEOUT_S = 180.0
_ROWS_PER_WORKER = 50
_MAX_WORKERS = 8
_OUTPUTS = "outputs.npy"


def run_reference(
    model: Path,
    inputs: NDArray[np.uint8],
    *,
    micro: bool = True,
    console: Console = QUIET,
    timeout_s: float = TIMEOUT_S,
    workers: int | None = None,
) -> NDArray[np.uint8]:
    """Run the reference kernels (resolver BUILTIN_REF) on every row of `inputs`.

    Args:
        model: a .tflite file.
        inputs: uint8, (N, input bytes): the raw bytes of the input tensors, back to back.
        micro: with TFLM's arithmetic where TensorFlow Lite's differs (`edgemcu.reference_model`);
            False for TensorFlow Lite's own.
        console: hears about progress.
        timeout_s: how long a worker may stay silent: loading, or one inference.
        workers: how many processes share the rows; by default one per core, if worth it.

    Returns:
        uint8, (N, output bytes): the output tensors, back to back.

    Raises:
        ModelError: the interpreter refuses or aborts on the model, or is silent for too long.
        ToolMissingError: neither ai-edge-litert nor TensorFlow is installed.
    """
    if inputs.ndim != 2 or inputs.dtype != np.uint8:
        raise ModelError(f"inputs must be rows of bytes, not {inputs.dtype} {inputs.shape}")
    if not model.is_file():
        raise ModelError("there is no such model", where=str(model))
    _require_interpreter()
    if len(inputs) == 0:
        return np.zeros((0, 0), np.uint8)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = workers or min(cores or 1, _MAX_WORKERS, -(-len(inputs) // _ROWS_PER_WORKER))
    with tempfile.TemporaryDirectory(prefix="edgemcu-reference-") as name:
        folder = Path(name)
        given = _micro_model(model, folder) if micro else model
        jobs = []
        for index, part in enumerate(np.array_split(inputs, min(wanted, len(inputs)))):
            np.save(folder / f"in{index}.npy", np.ascontiguousarray(part), allow_pickle=False)
            jobs.append(
                [str(given), str(folder / f"in{index}.npy"), str(folder / f"out{index}.npy")]
            )
        label = "reference kernels" if micro else "TensorFlow Lite's own"
        with console.progress(label, total=len(inputs), unit="inferences") as bar:
            _run_workers(jobs, model, timeout_s, bar)
        return np.concatenate([np.load(job[-1], allow_pickle=False) for job in jobs])


def _micro_model(model: Path, folder: Path) -> Path:
    """The model that the interpreter is given in place of `model`, written into `folder`."""
    data = model.read_bytes()
    parse_model(data, str(model))
    rewritten = folder / model.name
    rewritten.write_bytes(with_micro_rounding(data))
    return rewritten


def inputs_digest(inputs: NDArray[np.uint8]) -> str:
    """SHA-256 of the rows' bytes and their shape, hex."""
    digest = hashlib.sha256(repr(inputs.shape).encode())
    digest.update(np.ascontiguousarray(inputs).data)
    return digest.hexdigest()


def reference_outputs(
    model: Path,
    inputs: NDArray[np.uint8],
    cache: Path,
    *,
    console: Console = QUIET,
    timeout_s: float = TIMEOUT_S,
) -> NDArray[np.uint8]:
    """`run_reference`, remembered in the folder `cache`.

    There is one folder for each model and set of inputs, with a manifest that holds their digests:
    outputs that were touched are computed anew.
    """
    wanted = {
        "model": sha256_file(model),
        "inputs": inputs_digest(inputs),
        "reference": reference_name(),
    }
    step = StepFolder(cache / f"{wanted['model'][:12]}-{wanted['inputs'][:12]}", "reference")
    if step.result(wanted) is not None:
        known: NDArray[np.uint8] = np.load(step.path / _OUTPUTS, allow_pickle=False)
        return known
    outputs = run_reference(model, inputs, console=console, timeout_s=timeout_s)
    try:
        with step.rewriting(wanted) as staged:
            np.save(staged.path / _OUTPUTS, outputs, allow_pickle=False)
    except OSError:
        # Another process may have written the same at the same time.
        if step.result(wanted) is None:
            raise
    return outputs


def reference_activations(
    model: Path, inputs: NDArray[np.uint8], *, timeout_s: float = TIMEOUT_S
) -> dict[str, NDArray[np.float32]]:
    """Every operator's output, dequantized, by the tensor's name: float32, (N, 1, …).

    Args:
        model: an int8 or a float32 .tflite file.
        inputs: as for `run_reference`; all activations of all rows must fit in memory.
        timeout_s: for all rows together.

    Raises:
        ModelError, ToolMissingError: as `run_reference`.
    """
    _require_interpreter()
    with tempfile.TemporaryDirectory(prefix="edgemcu-reference-") as name:
        folder = Path(name)
        np.save(folder / "in.npy", inputs, allow_pickle=False)
        job = ["--activations", str(model), str(folder / "in.npy"), str(folder / "out.npz")]
        with QUIET.progress("") as bar:
            _run_workers([job], model, timeout_s, bar)
        with np.load(folder / "out.npz", allow_pickle=False) as members:
            return {name: members[name] for name in members.files}


def reference_name() -> str:
    """The interpreter that `run_reference` uses, with its version."""
    for package in ("ai-edge-litert", "tensorflow-cpu", "tensorflow"):
        try:
            return f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return "none"


def _require_interpreter() -> None:
    if reference_name() == "none":
        raise ToolMissingError(
            "the reference kernels need ai-edge-litert or TensorFlow",
            hint="install one with: pip install ai-edge-litert",
        )


def _run_workers(
    jobs: Sequence[Sequence[str]], model: Path, timeout_s: float, bar: ProgressBar
) -> None:
    """Run one worker per job to its end; the first to fail ends them all."""
    package_root = str(Path(__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    lines: queue.Queue[tuple[int, str | None]] = queue.Queue()
    workers: list[subprocess.Popen[str]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="edgemcu-reference-") as name:
            logs = [Path(name) / f"{index}.log" for index in range(len(jobs))]
            for index, job in enumerate(jobs):
                with logs[index].open("wb") as log:
                    worker = subprocess.Popen(
                        [sys.executable, "-m", "edgemcu.reference_worker", *job],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        env=environment,
                        text=True,
                    )
                workers.append(worker)
                assert worker.stdout is not None
                threading.Thread(
                    target=_forward, args=(index, worker.stdout, lines), daemon=True
                ).start()
            _watch(workers, logs, lines, model, timeout_s, bar)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()


def _forward(index: int, stream: IO[str], lines: queue.Queue[tuple[int, str | None]]) -> None:
    for line in stream:
        lines.put((index, line))
    lines.put((index, None))


def _watch(
    workers: Sequence[subprocess.Popen[str]],
    logs: Sequence[Path],
    lines: queue.Queue[tuple[int, str | None]],
    model: Path,
    timeout_s: float,
    bar: ProgressBar,
) -> None:
    running = set(range(len(workers)))
    heard = dict.fromkeys(running, time.monotonic())
    while running:
        deadline = min(heard[index] for index in running) + timeout_s
        try:
            index, line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise ModelError(
                f"the reference interpreter was silent for {timeout_s:.0f} seconds",
                where=str(model),
            ) from None
        heard[index] = time.monotonic()
        if line is None:
            running.discard(index)
            code = workers[index].wait()
            if code != 0:
                raise ModelError(_reason(code, logs[index]), where=str(model))
        elif line.startswith(PROGRESS) and line.split()[-1].isdecimal():
            bar.advance(int(line.split()[-1]))


def _reason(code: int, log: Path) -> str:
    if code < 0:
        name = str(-code)
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
        how = f"crashed ({name}) on"
    else:
        how = "refused"
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    last = f": {said[-1].strip()[:300]}" if said else ""
    return f"the reference interpreter {how} this model{last}"
