"""A line to a firmware that damages what it carries, in every way that lines do, reproducibly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from edgemcu.device.transport import Transport
from edgemcu.errors import DeviceError

BOOT_LOG = (
    b"ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nrst:0x1 (POWERON),boot:0x8\r\n",
    b"I (24) boot: compile time 12:00:00\n@em",
    b"\x00\xff\xfe\x80",
    b"@em1 ",
    b"@em1 r 0001 AAAA 00000000\n",
    b"@",
    b"\n\n\r\n",
    b"=" * 300,
)


class FaultyLine:
    """A transport whose every line may be dropped, damaged, doubled, delayed or repeated much
    later, in both directions; now and then the firmware is reset in the middle of everything.

    Args:
        start: starts the firmware; called again for a reset.
        seed: of the random numbers.
        rate: the part of the lines that something happens to.
        resets: the part of the host's writes that a reset happens at.

    Attributes:
        faults: what happened, how often.
    """

    bytes_per_second: float | None = None

    def __init__(
        self, start: Callable[[], Transport], seed: int, rate: float, resets: float = 0.0
    ) -> None:
        self.name = "faulty line"
        self.faults: Counter[str] = Counter()
        self._start = start
        self._inner = start()
        self._random = random.Random(seed)
        self._rate = rate
        self._resets = resets
        self._received = bytearray()
        self._held: dict[str, list[bytes]] = {"in": [], "out": []}
        self._seen: dict[str, list[bytes]] = {"in": [], "out": []}

    def read(self, timeout: float) -> bytes:
        data = self._inner.read(timeout)
        if not data:
            late = b"".join(self._held["in"])
            self._held["in"].clear()
            return late
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = bytearray(rest)
        return b"".join(self._carry("in", bytes(line) + b"\n") for line in lines)

    def write(self, data: bytes, timeout: float) -> None:
        data = self._carry("out", data)
        if self._random.random() < self._resets:
            self.faults["reset"] += 1
            self._inner.write(data[: self._random.randrange(len(data) + 1)], timeout)
            self._inner.close()
            self._received.clear()
            self._inner = self._start()
            return
        cut = self._random.randrange(len(data) + 1)
        self._inner.write(data[:cut], timeout)
        self._inner.write(data[cut:], timeout)

    def _carry(self, way: str, line: bytes) -> bytes:
        """What arrives of a line, with what was held back before it."""
        seen, held = self._seen[way], self._held[way]
        seen.append(line)
        del seen[:-50]
        out = line
        if self._random.random() < self._rate:
            fault = self._random.choice(
                ["drop", "flip", "double", "delay", "cut", "lose", "insert", "replay"]
            )
            self.faults[fault] += 1
            if fault == "delay":
                held.append(line)
                return b""
            out = getattr(self, f"_{fault}")(line, seen)
        out += b"".join(held)
        held.clear()
        return out

    def _drop(self, line: bytes, seen: list[bytes]) -> bytes:
        return b""

    def _flip(self, line: bytes, seen: list[bytes]) -> bytes:
        damaged = bytearray(line)
        for _ in range(self._random.choice((1, 1, 2, 5))):
            damaged[self._random.randrange(len(line))] ^= 1 << self._random.randrange(8)
        return bytes(damaged)

    def _double(self, line: bytes, seen: list[bytes]) -> bytes:
        return line + line

    def _cut(self, line: bytes, seen: list[bytes]) -> bytes:
        return line[: self._random.randrange(len(line))]

    def _lose(self, line: bytes, seen: list[bytes]) -> bytes:
        position = self._random.randrange(len(line))
        return line[:position] + line[position + self._random.randint(1, 3) :]

    def _insert(self, line: bytes, seen: list[bytes]) -> bytes:
        position = self._random.randrange(len(line))
        return line[:position] + self._random.choice(BOOT_LOG) + line[position:]

    def _replay(self, line: bytes, seen: list[bytes]) -> bytes:
        return line + self._random.choice(seen)

    def failure(self, message: str, last_output: str) -> DeviceError:
        return self._inner.failure(message, last_output)

    def close(self) -> None:
        self._inner.close()
