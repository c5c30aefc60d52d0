"""Programs that build and flash: their output kept whole, nothing of them left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

STOP_TIMEOUT_S = 5.0

# Progress is often drawn by writing the same line again after a carriage return.
_LINE_ENDS = re.compile(rb"[\r\n]+")
_READ_BYTES = 1 << 14


@dataclass(frozen=True)
class Finished:
    """How a program ended.

    Attributes:
        output: all that it wrote to stdout and stderr.
        code: its exit status; -1 if it was ended because its time was over.
    """

    output: str
    code: int

    @property
    def timed_out(self) -> bool:
        return self.code == -1


def run_program(
    command: Sequence[str],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> Finished:
    """Run a program to its end, in a process group of its own that never outlives this call.

    Args:
        command: the program and its arguments.
        timeout_s: after so many seconds it is ended, with all that it started.
        environment: its environment variables; by default this process' own.
        on_line: called with each line as it comes; what raises here ends the program.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        list(command),
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        _end_group(process)

    watchdog = threading.Timer(timeout_s, stop)
    watchdog.start()
    received, rest = bytearray(), b""
    try:
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), _READ_BYTES):
            received += data
            *lines, rest = _LINE_ENDS.split(rest + data)
            for line in lines:
                on_line(line.decode("utf-8", errors="replace"))
        if rest:
            on_line(rest.decode("utf-8", errors="replace"))
        code = process.wait()
    finally:
        watchdog.cancel()
        if process.poll() is None:
            _end_group(process)
        if process.stdout is not None:
            process.stdout.close()
    text = received.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return Finished(text, -1 if timed_out.is_set() else code)


def python_module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this Python's packages as a program."""
    return [sys.executable, "-m", name, *arguments]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it has started, politely first."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
