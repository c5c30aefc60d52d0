"""A program behind a TCP port, as a serial server offers the port of a board."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serve(program: Path | str) -> Iterator[str]:
    """Start `program` for each connection, one after the other; yields socket://HOST:PORT."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve_all() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with (
                    connection,
                    subprocess.Popen(
                        [program], stdin=connection, stdout=connection, stderr=subprocess.DEVNULL
                    ) as process,
                ):
                    connection.close()
                    while process.poll() is None and not ended.wait(0.02):
                        pass
                    process.kill()

        thread = threading.Thread(target=serve_all)
        thread.start()
        try:
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()
