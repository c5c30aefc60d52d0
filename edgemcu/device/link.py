"""Frames over a transport: numbered requests out, answers in, people's lines set aside.

What a link does not know is which request to repeat when: that is the session's part.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator

from edgemcu.device.protocol import FAULT_LINE, Damage, Decoder, Frame, TextLine
from edgemcu.device.transport import Transport
from edgemcu.errors import DeviceError

LOG_LINES = 200
LAST_WORDS_SECONDS = 0.2


class Link:
    """Sends and receives frames, and keeps the device's last lines of text.

    Args:
        transport: closed with the link.
        on_line: called with each line that is for people, as it arrives.
        write_s: seconds for which the line may refuse to take more bytes.
        max_line: bytes of the longest line that a device may send.

    Attributes:
        damaged: received lines that began as frames and did not end as such, so far.
    """

    def __init__(
        self,
        transport: Transport,
        on_line: Callable[[str], None] | None = None,
        write_s: float = 10.0,
        max_line: int = 1 << 16,
    ) -> None:
        self.transport = transport
        self._write_s = write_s
        self.damaged = 0
        self._on_line = on_line
        self._decoder = Decoder(max_line)
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._arrived: deque[Frame | Damage] = deque()
        self._sequence = 0
        self._faulted = False

    @property
    def max_line(self) -> int:
        return self._decoder.max_line

    @max_line.setter
    def max_line(self, value: int) -> None:
        self._decoder.max_line = value

    @property
    def log(self) -> list[str]:
        """The last lines for people, the oldest first; one that has not ended yet is the last."""
        return [*self._log, self._decoder.pending] if self._decoder.pending else list(self._log)

    def last_output(self, lines: int = 12) -> str:
        """The last lines for people, indented, as messages quote them."""
        return "\n".join(f"    {line}" for line in self.log[-lines:])

    def send(self, frame_type: str, payload: bytes) -> tuple[int, int]:
        """Send a request under a new number; return that number and the line's bytes.

        Raises:
            DeviceError: the device is gone, or takes no bytes.
        """
        self._sequence = self._sequence % 0xFFFF + 1  # 0 is for what a device says unasked
        line = Frame(frame_type, self._sequence, payload).encode()
        try:
            self.transport.write(line, self._write_s + self.line_seconds(len(line)))
        except OSError as error:
            # What the device has said last explains more than that it hears no more.
            self._drain()
            raise self.failure(f"the device takes no bytes ({error})") from error
        return self._sequence, len(line)

    def line_seconds(self, size: int) -> float:
        """How long `size` bytes take on the line."""
        speed = self.transport.bytes_per_second
        return size / speed if speed else 0.0

    def receive(self, deadline: float) -> Frame | Damage | None:
        """The next frame or damaged line; None when there is none by `deadline` (monotonic time).

        Raises:
            DeviceError: the device is gone, or has reported a fault.
        """
        while not self._arrived:
            if self._faulted:
                self._drain()
                raise self.failure("the firmware has faulted")
            remaining = deadline - time.monotonic()
            try:
                data = self.transport.read(max(0.0, remaining))
            except OSError as error:
                raise self.failure(f"the connection to the device is lost ({error})") from error
            self._take(data)
            if remaining <= 0 and not self._arrived and not self._faulted:
                return None
        return self._arrived.popleft()

    def answers(self, deadline: float) -> Iterator[Frame | Damage]:
        """What arrives by `deadline`; ends then, even if a device talks on and on.

        Raises:
            DeviceError: as `receive`.
        """
        while (answer := self.receive(deadline)) is not None:
            yield answer
            if time.monotonic() > deadline:
                return

    def _take(self, data: bytes) -> None:
        for event in self._decoder.feed(data):
            if isinstance(event, TextLine):
                self._line(event.text)
                continue
            if isinstance(event, Damage):
                self.damaged += 1
                self._line(f"[damaged: {event.reason}] {event.text[:100]}")
            self._arrived.append(event)

    def _line(self, text: str) -> None:
        text = text.rstrip()
        if not text:
            return
        self._log.append(text)
        if self._on_line is not None:
            self._on_line(text)
        if text.startswith(FAULT_LINE):
            self._faulted = True

    def _drain(self) -> None:
        """Read on for a moment: of what went wrong, more may follow."""
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        with contextlib.suppress(OSError):
            while (remaining := deadline - time.monotonic()) > 0:
                if data := self.transport.read(remaining):
                    self._take(data)

    def failure(self, message: str) -> DeviceError:
        """The error to raise, with what is known of the device and its last output."""
        return self.transport.failure(message, self.last_output())

    def close(self) -> None:
        self.transport.close()
