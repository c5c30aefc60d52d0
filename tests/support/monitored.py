"""What a real firmware sends while it classifies, to be replayed over ports and pipes."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty
from collections.abc import Sequence
from pathlib import Path

from edgemcu.device.emulator import start_process
from edgemcu.device.protocol import Kind
from edgemcu.device.watch import FedLine
from tests.support import device_firmware

BOOT_GARBAGE = b"\x00\xff\x1b[2J\x80\x07garbage\r\nrst:0x1 (POWERON)\r\n"


def log_bytes(folder: Path, inferences: int) -> bytes:
    """The log of `inferences` inferences, start message included, as it comes off the line."""
    firmware = device_firmware.build("host", folder)
    inputs = [bytes([n]) * device_firmware.INPUT_BYTES for n in range(7)]
    line = FedLine(start_process(firmware), inputs, Kind.TENSOR, 0.0)
    received = b""
    try:
        while b"#%d  @" % inferences not in received or not received.endswith(b"\n"):
            received += line.read(5.0)
    finally:
        line.close()
    return b"".join(
        row + b"\n"
        for row in received.split(b"\n")
        # What answers the session that had the firmware classify is not in a log.
        if b"@em1 l" in row or b"@em1 i 0000" in row or (b"@em1" not in row and row.strip())
    )


class Port:
    """A pseudo-terminal as a board's serial port: bytes are put in, a program reads them."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.name = os.ttyname(self._theirs)

    def send(self, data: bytes, stop: threading.Event | None = None) -> None:
        """Send all of `data`; while nobody reads, until `stop`."""
        while data and not (stop is not None and stop.is_set()):
            try:
                data = data[os.write(self._ours, data) :]
            except BlockingIOError:
                time.sleep(0.005)

    def pull(self) -> None:
        """The cable is pulled: whoever reads gets an error, and there is no such port any more."""
        os.close(self._theirs)
        os.close(self._ours)


def send_slowly(port: Port, parts: Sequence[bytes], stop: threading.Event, pause: float) -> None:
    """Send the parts in turn, again and again, until `stop`."""
    while True:
        for part in parts:
            if stop.wait(pause):
                return
            port.send(part, stop)
