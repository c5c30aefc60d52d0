"""Which blocks of code QEMU executed, how often, and in which order: its own log, read as it comes.

With `-d in_asm,exec,nochain` QEMU writes each block of instructions that it translates, and a line
for each execution of one. A block ends with a branch or at a limit of QEMU's, so a block that is
followed by anything but the next address has taken its branch.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import EmulatorError

_CHUNK = 1 << 22
_EXECUTED = re.compile(rb"^Trace [^\[\n]*\[[0-9a-f]+/([0-9a-f]+)/", re.MULTILINE)
# Announced, but an interrupt came first: it is announced again when it is executed.
_NOT_AFTER_ALL = re.compile(rb"^Trace [^\n]*\nStopped execution of TB chain[^\n]*\n", re.MULTILINE)
_TRANSLATED = re.compile(rb"^IN:[^\n]*\n((?:0x[^\n]*\n)+)", re.MULTILINE)
_ADDRESS = re.compile(rb"^(0x[0-9a-f]+):", re.MULTILINE)


@dataclass
class Trace:
    """What was executed.

    Attributes:
        blocks: by its first address, the addresses of all instructions of a block.
        moves: how often each (section, block, next block) was executed; sections begin where one
            of the marks is entered, number 0 before the first. The last block's next is 0.
        sections: the mark with which each section begins, 0 for the first.
    """

    blocks: dict[int, tuple[int, ...]] = field(default_factory=dict)
    moves: dict[tuple[int, int, int], int] = field(default_factory=dict)
    sections: list[int] = field(default_factory=lambda: [0])


class TraceReader:
    """Reads the log from a named pipe while QEMU writes it.

    Args:
        folder: where the pipe is made.
        marks: addresses of functions whose entries begin a section.
    """

    def __init__(self, folder: Path, marks: Collection[int] = ()) -> None:
        self.path = folder / "trace"
        os.mkfifo(self.path)
        self.trace = Trace()
        self._marks = np.array(sorted(marks), np.int64)
        self._previous = np.zeros(0, np.int64)
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def finish(self, timeout_s: float = 60.0) -> Trace:
        """Wait for the end of the log.

        Raises:
            EmulatorError: it does not end, or is not one.
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise EmulatorError("the log of executed code does not end", where="QEMU")
        if self._problem is not None:
            raise self._problem
        if not self.trace.moves:
            raise EmulatorError("this QEMU does not log what it executes", where="QEMU")
        return self.trace

    def _read(self) -> None:
        try:
            with self.path.open("rb", buffering=0) as stream:
                rest = b""
                while piece := stream.read(_CHUNK):
                    # Cut where nothing is torn apart: before the last line that begins a record.
                    data = rest + piece
                    end = max(data.rfind(b"\nTrace"), data.rfind(b"\n---"))
                    rest = data[end + 1 :]
                    self._take(data[: end + 1])
                self._take(rest)
            self._count(np.zeros(1, np.int64))
        except BaseException as problem:  # to be raised where it is waited for
            self._problem = problem

    def _take(self, data: bytes) -> None:
        data = _NOT_AFTER_ALL.sub(b"", data)
        for body in _TRANSLATED.findall(data):
            addresses = tuple(int(address, 16) for address in _ADDRESS.findall(body))
            self.trace.blocks[addresses[0]] = addresses
        text = b"".join(found[-8:].rjust(8, b"0") for found in _EXECUTED.findall(data))
        if text:
            executed = np.frombuffer(bytes.fromhex(text.decode()), ">u4").astype(np.int64)
            self._count(executed)

    def _count(self, executed: NDArray[np.int64]) -> None:
        """Adds the moves from each block to the next; the last waits for what follows it."""
        path = np.concatenate([self._previous, executed])
        self._previous = path[-1:]
        if path.size < 2:
            return
        blocks, following = path[:-1], path[1:]
        entered = np.isin(blocks, self._marks)
        section = len(self.trace.sections) - 1 + np.cumsum(entered)
        self.trace.sections += blocks[entered].tolist()
        rows, counts = np.unique(np.stack([section, blocks, following]), axis=1, return_counts=True)
        moves = self.trace.moves
        for move, count in zip(map(tuple, rows.T.tolist()), counts.tolist(), strict=True):
            moves[move] = moves.get(move, 0) + count
