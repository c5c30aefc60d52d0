"""An emulator whose program holds many models, at the other end of its serial line."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import CompiledModel
from edgemcu.device.guarded import GuardedProcess
from tests.support.compiled import output_bytes

TIMEOUT_S = 60.0
POLL_S = 0.02

MachineT = TypeVar("MachineT", bound="ModelMachine")


class ModelMachine:
    """A running emulator that holds many models; it ends with this process, however that ends.

    Args:
        command: the emulator, which serves its serial line at `line`.
        line: a UNIX socket; logs of the emulator go beside it.
        models: as they are numbered in the program.
    """

    def __init__(self, command: Sequence[str], line: Path, models: Sequence[CompiledModel]) -> None:
        self._sizes = [output_bytes(model) for model in models]
        self._errors = line.with_name("emulator.err")
        with line.with_name("emulator.out").open("w+b") as output:
            self._process = GuardedProcess(command, output, self._errors)
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.settimeout(TIMEOUT_S)
        try:
            self._connect(str(line))
            assert self._receive(1) == b"R", "the program did not start"
        except BaseException:
            self.close()
            raise

    def _connect(self, address: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return self._line.connect(address)
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < deadline, "the emulator did not start"
                ended = self._process.wait(POLL_S) is not None
                assert not ended, self._errors.read_text(errors="replace")

    def run(self, index: int, inputs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rows of input bytes to rows of output bytes, by the model at `index`."""
        rows = []
        for row in inputs:
            self._line.sendall(np.array([index], "<u4").tobytes() + row.tobytes())
            rows.append(np.frombuffer(self._receive(self._sizes[index]), np.uint8))
        return np.stack(rows)

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._line.recv(count - len(data))
            assert piece, "the emulator ended"
            data += piece
        return data

    def close(self) -> None:
        """End the emulator."""
        self._line.close()
        self._process.close()

    def __enter__(self: MachineT) -> MachineT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
