"""Many inferences on as many copies of a firmware as are worth it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.console import QUIET, Console, ProgressBar
from edgemcu.device.checks import SelfTest
from edgemcu.device.protocol import LOG, SELFTEST, Identity, Kind, LogLevel
from edgemcu.device.session import DeviceSession

# Below this many inferences another emulator costs more to start than it saves.
_INFERENCES_PER_WORKER = 8


@dataclass(frozen=True)
class DeviceOutputs:
    """What the device answered.

    Attributes:
        outputs: uint8, (N, output bytes): the output tensors, back to back.
        instructions: of each inference; None where the counter does not follow instructions.
        seconds: of each inference by the device's own clock; None where it has none, and where
            that clock follows instructions.
        identity: what the firmware said about itself.
        restarts: resets of the device on the way.
        damaged: lines that arrived damaged, and were asked for again.
        self_test: what the device found in the end; None if it was not asked, or cannot tell.
    """

    outputs: NDArray[np.uint8]
    instructions: tuple[int, ...] | None
    seconds: tuple[float, ...] | None
    identity: Identity
    restarts: int = 0
    damaged: int = 0
    self_test: SelfTest | None = None


def infer_rows(
    session: DeviceSession,
    inputs: NDArray[np.uint8],
    kind: Kind,
    *,
    self_test: bool = False,
    advance: Callable[[], object] = lambda: None,
    stopped: Callable[[], bool] = lambda: False,
) -> DeviceOutputs:
    """Run every row of `inputs` in a session that stays open.

    Args:
        inputs: uint8, (N, input bytes), N at least 1.
        kind: what the rows are.
        self_test: have the device check itself afterwards, if it can.
        advance: called after each row.
        stopped: asked before each row; when it says so, the rest stays zero.

    Raises:
        DeviceError: the device faulted, hung or gave up.
    """
    identity = session.identity
    restarts, damaged = session.restarts, session.damaged
    outputs = np.zeros((len(inputs), identity.output_bytes), np.uint8)
    instructions: list[int] = []
    seconds: list[float] = []
    for index, row in enumerate(inputs):
        if stopped():
            break
        result = session.infer(row.tobytes(), kind)
        outputs[index] = np.frombuffer(result.outputs, np.uint8)
        if result.instructions is not None:
            instructions.append(result.instructions)
        if result.seconds is not None:
            seconds.append(result.seconds)
        advance()
    test = None
    if self_test and SELFTEST in identity.messages and not stopped():
        test = session.self_test()
    return DeviceOutputs(
        outputs,
        tuple(instructions) or None,
        tuple(seconds) or None,
        identity,
        session.restarts - restarts,
        session.damaged - damaged,
        test,
    )


def worth_workers(inferences: int) -> int:
    """How many emulators are worth starting for so many inferences."""
    return min(os.cpu_count() or 1, max(1, inferences // _INFERENCES_PER_WORKER))


def stream(
    connect: Callable[[], DeviceSession],
    inputs: NDArray[np.uint8],
    kind: Kind,
    *,
    workers: int = 1,
    self_test: bool = False,
    console: Console = QUIET,
) -> DeviceOutputs:
    """Run every row of `inputs` on the device, or on several copies of it side by side.

    Args:
        connect: opens a session; called once per worker.
        inputs: uint8, (N, input bytes), N at least 1.
        kind: what the rows are.
        workers: how many sessions share the rows.
        self_test: have each device check itself afterwards, if it can.

    Raises:
        DeviceError: `connect` found a wrong firmware, or it faulted, hung or gave up.
    """
    shares = [share for share in np.array_split(np.arange(len(inputs)), workers) if len(share)]
    stop = threading.Event()
    sessions: list[DeviceSession] = []

    def connect_one() -> DeviceSession:
        session = connect()
        sessions.append(session)
        return session

    with console.progress("on the device", total=len(inputs), unit="inferences") as bar:
        pool = ThreadPoolExecutor(max_workers=len(shares))
        lock = threading.Lock()
        jobs = [
            pool.submit(_share, connect_one, inputs[share], kind, self_test, stop, bar, lock)
            for share in shares
        ]
        try:
            wait(jobs, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt:
            # Whoever waits for a device that hangs would wait for minutes.
            for session in sessions:
                session.close()
            raise
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
        tuple(time for part in parts for time in part.seconds or ()) or None,
        parts[0].identity,
        sum(part.restarts for part in parts),
        sum(part.damaged for part in parts),
        _worst([part.self_test for part in parts]),
    )


def _worst(tests: Sequence[SelfTest | None]) -> SelfTest | None:
    """Of several copies' self-tests one that failed, or the one that used the most stack."""
    told = [test for test in tests if test is not None]
    return max(told, key=lambda test: (not test.passed, test.stack_used or 0), default=None)


def _share(
    connect: Callable[[], DeviceSession],
    inputs: NDArray[np.uint8],
    kind: Kind,
    self_test: bool,
    stop: threading.Event,
    bar: ProgressBar,
    lock: threading.Lock,
) -> DeviceOutputs:
    def advance() -> None:
        with lock:
            bar.advance()

    with connect() as session:
        if LOG in session.identity.messages:
            session.log_level(LogLevel.OFF)  # nobody reads it, and each line takes time
        return infer_rows(
            session, inputs, kind, self_test=self_test, advance=advance, stopped=stop.is_set
        )
