"""Many inferences on as many copies of a firmware as are worth it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.console import QUIET, Console, ProgressBar
from edgemcu.device.protocol import LOG, Identity, Kind, LogLevel
from edgemcu.device.session import DeviceSession


@dataclass(frozen=True)
class DeviceOutputs:
    """What the device answered.

    Attributes:
        outputs: uint8, (N, output bytes): the output tensors, back to back.
        instructions: of each inference; None where the counter does not follow instructions.
        identity: what the firmware said about itself.
    """

    outputs: NDArray[np.uint8]
    instructions: tuple[int, ...] | None
    identity: Identity


def stream(
    connect: Callable[[], DeviceSession],
    inputs: NDArray[np.uint8],
    kind: Kind,
    *,
    workers: int = 1,
    console: Console = QUIET,
) -> DeviceOutputs:
    """Run every row of `inputs` on the device, or on several copies of it side by side.

    Args:
        connect: opens a session; called once per worker.
        inputs: uint8, (N, input bytes), N at least 1.
        kind: what the rows are.
        workers: how many sessions share the rows.

    Raises:
        DeviceError: `connect` found a wrong firmware, or it faulted, hung or gave up.
    """
    shares = [share for share in np.array_split(np.arange(len(inputs)), workers) if len(share)]
    stop = threading.Event()
    with console.progress("on the device", total=len(inputs), unit="inferences") as bar:
        pool = ThreadPoolExecutor(max_workers=len(shares))
        lock = threading.Lock()
        jobs = [
            pool.submit(_share, connect, inputs[share], kind, stop, bar, lock) for share in shares
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
        tuple(count for part in parts for count in part.instructions or ()) or None,
        parts[0].identity,
    )


def _share(
    connect: Callable[[], DeviceSession],
    inputs: NDArray[np.uint8],
    kind: Kind,
    stop: threading.Event,
    bar: ProgressBar,
    lock: threading.Lock,
) -> DeviceOutputs:
    with connect() as session:
        identity = session.identity
        if LOG in identity.messages:
            session.log_level(LogLevel.OFF)  # nobody reads it, and each line takes time
        outputs = np.zeros((len(inputs), identity.output_bytes), np.uint8)
        instructions: list[int] = []
        for index, row in enumerate(inputs):
            if stop.is_set():
                break
            result = session.infer(row.tobytes(), kind)
            outputs[index] = np.frombuffer(result.outputs, np.uint8)
            if result.instructions is not None:
                instructions.append(result.instructions)
            with lock:
                bar.advance()
        return DeviceOutputs(outputs, tuple(instructions) or None, identity)
