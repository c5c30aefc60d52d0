"""Child processes that never survive this one, not even when it is killed.

A shell stands between: it starts the program, and a watcher that kills the program, whatever that
has started, and the shell, as soon as a pipe from here is closed, which the system does when this
process ends in whatever way. (Linux's PR_SET_PDEATHSIG would follow the thread that started the
child rather than the process.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

# A shell gives background jobs /dev/null as stdin, hence the detour over descriptor 3.
_SCRIPT = """
exec 3<&0
"$@" <&1 3<&- &
program=$!
{ read -r line; kill -KILL 0; } <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&- >/dev/null 2>&1
wait "$program"
status=$?
kill -KILL "$watcher"
exit "$status"
"""

_CLOSE_SECONDS = 5.0


class GuardedProcess:
    """A running program whose stdin and stdout are one socket or file.

    Args:
        command: the program and its arguments.
        line: the program's end of the socket, or a file; the caller closes its own copy.
        log: file that gets the program's stderr.
    """

    def __init__(self, command: Sequence[str], line: socket.socket | IO[bytes], log: Path) -> None:
        """Raises: OSError: there is no shell, or the log cannot be written."""
        with log.open("wb") as errors:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=line.fileno(),
                stderr=errors,
                # An interrupt from the keyboard is for this process alone to handle.
                start_new_session=True,
            )

    def wait(self, timeout: float) -> int | None:
        """The program's exit status, 128 + N if signal N ended it; None if it still runs."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Kill the program if it still runs, and wait for its end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self.wait(_CLOSE_SECONDS) is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
