"""The MLPerf Tiny benchmark's end of the line, written from the description of its commands: a
command ends with %, its answer ends with a line "m-ready"."""

from __future__ import annotations

import re
import time

from edgemcu.device.transport import Transport

PER_COMMAND = 31  # bytes of an input that the benchmark's runner puts into one command


class MlperfClient:
    """Speaks to the firmware at the end of `transport`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._received = b""

    def command(self, text: str, seconds: float = 30.0) -> list[str]:
        """The lines of the answer, without the last one."""
        self._transport.write(text.encode() + b"%", 5.0)
        deadline = time.monotonic() + seconds
        lines: list[str] = []
        while True:
            line = self._line(deadline)
            if line == "m-ready":
                return lines
            lines.append(line)

    def _line(self, deadline: float) -> str:
        while b"\r\n" not in self._received:
            assert time.monotonic() < deadline, f"silence after {self._received!r}"
            self._received += self._transport.read(0.1)
        line, self._received = self._received.split(b"\r\n", 1)
        return line.decode()

    def wait_for_start(self) -> None:
        """Until the firmware has told who it is."""
        deadline = time.monotonic() + 30.0
        while not self._line(deadline).startswith("@em1 i "):
            pass

    def load(self, data: bytes) -> None:
        assert self.command(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        for start in range(0, len(data), PER_COMMAND):
            piece = data[start : start + PER_COMMAND]
            done = ["m-load-done"] if start + len(piece) == len(data) else []
            assert self.command(f"db {piece.hex()}") == done

    def infer(self, count: int, warmups: int) -> tuple[list[str], int]:
        """The scores as they were printed, and the microseconds between the time stamps."""
        lines = self.command(f"infer {count} {warmups}")
        expected = [
            *(f"m-warmup-start-{warmups}", "m-warmup-done", f"m-infer-start-{count}"),
            *("m-lap-us-([0-9]+)", "m-lap-us-([0-9]+)", "m-infer-done", r"m-results-\[([^]]+)\]"),
        ]
        assert len(lines) == len(expected), lines
        matches = [re.fullmatch(form, line) for form, line in zip(expected, lines, strict=True)]
        start, stop, scores = (match[1] for match in matches if match and match.groups())
        return scores.split(","), int(stop) - int(start)
