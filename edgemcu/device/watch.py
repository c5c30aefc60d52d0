"""Watching a line for as long as it lasts: what arrives, when it breaks off, when it is back."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.transport import Transport
from edgemcu.errors import DeviceError

JOIN_S = 0.5


class Line(Protocol):
    """Something to read from; a Transport is one."""

    name: str

    def read(self, timeout: float) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class WatchLimits:
    """How patient watching is.

    Attributes:
        reconnects: attempts in a row to get a lost line back, before it is given up.
        pause_s: seconds between two of them.
        poll_s: seconds after which the caller gets a turn though nothing has arrived.
    """

    reconnects: int = 60
    pause_s: float = 0.5
    poll_s: float = 0.1


@dataclass(frozen=True)
class Connected:
    """The line is open.

    Attributes:
        name: of the port or emulator.
        again: it was lost before.
    """

    name: str
    again: bool


@dataclass(frozen=True)
class Lost:
    """The line has broken off.

    Attributes:
        reason: as the system says it.
        attempts: how often it will be tried to get it back.
    """

    reason: str
    attempts: int


@dataclass(frozen=True)
class Received:
    """Bytes, as they came."""

    data: bytes


WatchEvent = Connected | Lost | Received


def watch(
    open_line: Callable[[], Line], limits: WatchLimits
) -> Generator[WatchEvent | None, None, None]:
    """What happens on a line, endlessly; None now and then while nothing does.

    Args:
        open_line: opens it, and opens it again when it was lost.

    Raises:
        DeviceError: it cannot be opened, or does not come back; or what is started by `open_line`
            has failed.
    """
    line, again = open_line(), False
    while True:
        yield Connected(line.name, again)
        try:
            while True:
                data = line.read(limits.poll_s)
                yield Received(data) if data else None
        except OSError as error:
            reason = str(error)
        finally:
            line.close()
        yield Lost(reason, limits.reconnects)
        for _ in range(limits.reconnects):
            for _ in range(max(1, round(limits.pause_s / limits.poll_s))):
                time.sleep(limits.poll_s)
                yield None
            try:
                line, again = open_line(), True
                break
            except DeviceError:
                continue
        else:
            tried = f"; it has not come back in {limits.reconnects} attempts"
            raise DeviceError(
                f"the connection is lost ({reason})" + tried * bool(limits.reconnects),
                where=line.name,
                hint="is the cable plugged in, and the board powered?",
            )


class _Tap:
    """A transport that shows everything that is read through it to somebody else, too."""

    def __init__(self, inner: Transport, show: Callable[[bytes], None]) -> None:
        self.name = inner.name
        self.bytes_per_second = inner.bytes_per_second
        self._inner = inner
        self._show = show

    def read(self, timeout: float) -> bytes:
        data = self._inner.read(timeout)
        if data:
            self._show(data)
        return data

    def write(self, data: bytes, timeout: float) -> None:
        self._inner.write(data, timeout)

    def failure(self, message: str, last_output: str) -> DeviceError:
        return self._inner.failure(message, last_output)

    def close(self) -> None:
        self._inner.close()


class FedLine:
    """A firmware that is given one input after the other, as a line to read its log from.

    Args:
        transport: to the firmware; closed with this.
        inputs: sent again and again.
        kind: what they are.
        pause_s: seconds between a result and the next input.
        limits: of the session.
    """

    def __init__(
        self,
        transport: Transport,
        inputs: Sequence[bytes],
        kind: Kind,
        pause_s: float,
        limits: Limits | None = None,
    ) -> None:
        self.name = transport.name
        self._transport = transport
        self._arrived: queue.Queue[bytes | Exception] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._feed, args=(inputs, kind, pause_s, limits), daemon=True
        )
        self._thread.start()

    def _feed(
        self, inputs: Sequence[bytes], kind: Kind, pause_s: float, limits: Limits | None
    ) -> None:
        try:
            session = DeviceSession(_Tap(self._transport, self._arrived.put), limits)
            while True:
                for data in inputs:
                    session.infer(data, kind)
                    if self._stop.wait(pause_s):
                        return
        except Exception as error:
            # Whoever reads must hear of it, whatever it is.
            self._arrived.put(error)

    def read(self, timeout: float) -> bytes:
        """What the firmware has said.

        Raises:
            DeviceError: it has failed.
        """
        try:
            found = self._arrived.get(timeout=timeout)
        except queue.Empty:
            return b""
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        self._stop.set()
        self._thread.join(JOIN_S)
        self._transport.close()
        self._thread.join(JOIN_S)
