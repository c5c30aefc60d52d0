"""Many inferences at once: how they end before their time."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgemcu.device.emulator import start_process
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession
from edgemcu.device.streaming import stream
from tests.support.device_firmware import INPUT_BYTES, build


def test_ctrl_c_does_not_wait_for_a_device_that_hangs(tmp_path: Path) -> None:
    program = build("host", tmp_path)
    started = threading.Semaphore(0)
    main = threading.get_ident()

    def connect() -> DeviceSession:
        session = DeviceSession(start_process(program))
        session.identify()
        started.release()
        return session

    def interrupt() -> None:
        for _ in range(2):
            started.acquire()
        time.sleep(0.5)
        signal.pthread_kill(main, signal.SIGINT)

    row = np.frombuffer(b"HANG".ljust(INPUT_BYTES, b"\0"), np.uint8)
    thread = threading.Thread(target=interrupt)
    thread.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stream(connect, np.stack([row, row]), Kind.TENSOR, workers=2)
    thread.join()
    # An inference that hangs is waited for for two minutes.
    assert time.monotonic() - begun < 60
