"""Many inferences on as many copies of a firmware as are worth it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.console import QUIET, Console, ProgressBar
from edgemcu.device.protocol import Identity, Kind
from edgemcu.device.session import DeviceSession
from edgemcu.errors import DeviceError


@dataclass(frozen=True)
class DeviceOutputs:
    """What the device answered.

    Attributes:
        outputs: uint8, (N, output bytes): the output tensors, back to back.
        ticks: int64, (N,): of the device's counter, per inference.
        identity: what the firmware said about itself.
    """

    outputs: NDArray[np.uint8]
    ticks: NDArray[np.int64]
    identity: Identity


def stream(
    connect: Callable[[], DeviceSession],
    inputs: NDArray[np.uint8],
    kind: Kind,
    *,
    model_digest: str,
    workers: int = 1,
    console: Console = QUIET,
) -> DeviceOutputs:
    """Run every row of `inputs` on the device, or on several copies of it side by side.

    Args:
        connect: opens a session; called once per worker.
        inputs: uint8, (N, input bytes), N at least 1.
        kind: what the rows are.
        model_digest: of the model that the firmware must hold.
        workers: how many sessions share the rows.

    Raises:
        DeviceError: the firmware holds another model, faulted, hung or gave up.
    """
    shares = [share for share in np.array_split(np.arange(len(inputs)), workers) if len(share)]
    stop = threading.Event()
    with console.progress("on the device", total=len(inputs), unit="inferences") as bar:
        pool = ThreadPoolExecutor(max_workers=len(shares))
        lock = threading.Lock()
        jobs = [
            pool.submit(_share, connect, inputs[share], kind, model_digest, stop, bar, lock)
            for share in shares
        ]
        try:
            wait(jobs, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            pool.shutdown(wait=True)
    # A worker that was stopped has less than its share: the one that failed speaks first.
    for job in jobs:
        if job.exception() is not None:
            job.result()
    parts = [job.result() for job in jobs]
    return DeviceOutputs(
        np.concatenate([part.outputs for part in parts]),
        np.concatenate([part.ticks for part in parts]),
        parts[0].identity,
    )


def _share(
    connect: Callable[[], DeviceSession],
    inputs: NDArray[np.uint8],
    kind: Kind,
    model_digest: str,
    stop: threading.Event,
    bar: ProgressBar,
    lock: threading.Lock,
) -> DeviceOutputs:
    with connect() as session:
        identity = session.identify()
        if identity.model != model_digest:
            raise DeviceError(
                f"the firmware holds model {identity.model[:16]}…, not {model_digest[:16]}…",
                hint="build it again with --force",
            )
        outputs = np.zeros((len(inputs), identity.output_bytes), np.uint8)
        ticks = np.zeros(len(inputs), np.int64)
        for index, row in enumerate(inputs):
            if stop.is_set():
                break
            result = session.infer(row.tobytes(), kind)
            outputs[index] = np.frombuffer(result.outputs, np.uint8)
            ticks[index] = result.ticks
            with lock:
                bar.advance()
        return DeviceOutputs(outputs, ticks, identity)
