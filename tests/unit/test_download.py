"""Downloads over a faulty connection: resumed, checked, bounded, never in place half done."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgemcu.console import QUIET
from edgemcu.data import download as module
from edgemcu.data.download import RemoteFile, download
from edgemcu.errors import DownloadError

CONTENT = bytes(range(256)) * 2000
FILE = RemoteFile("data.bin", len(CONTENT), "sha256", hashlib.sha256(CONTENT).hexdigest())


class FaultyServer(http.server.ThreadingHTTPServer):
    """Serves `content`; what `faults` holds is taken off its front, one for each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.faults: list[str] = []
        self.ranges: list[str | None] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    server: FaultyServer

    def log_message(self, *arguments: object) -> None:
        return None

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        fault = server.faults.pop(0) if server.faults else ""
        if re.fullmatch(r"\d{3}", fault):
            self.send_error(int(fault))
            return
        start = int(asked[6:-1]) if asked and fault != "no ranges" else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            begin = start + 7 if fault == "wrong range" else start
            total = len(server.content)
            self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "cut":
            self.wfile.write(body[: len(body) // 2])
        elif fault == "stall":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            server.released.wait(20)
        elif fault == "flip":
            self.wfile.write(bytes([body[0] ^ 1]) + body[1:])
        else:
            self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.released.set()
        running.shutdown()


def fetch(server: FaultyServer, folder: Path, timeout: float = 5.0) -> Path:
    return download(server.url, FILE, folder, console=QUIET, timeout=timeout)


def part(folder: Path) -> Path:
    return folder / "data.bin.part"


def test_a_download_is_the_file(server: FaultyServer, tmp_path: Path) -> None:
    path = fetch(server, tmp_path)
    assert path.read_bytes() == CONTENT
    assert not part(tmp_path).exists()


def test_what_is_there_is_not_fetched_again(server: FaultyServer, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    fetch(server, tmp_path)
    assert len(server.ranges) == 1


def test_a_damaged_file_is_fetched_again(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"x" * len(CONTENT))
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_part_of_an_earlier_run_is_taken_up(server: FaultyServer, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT[:1234])
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1234-"]


def test_a_whole_part_is_only_checked(server: FaultyServer, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT)
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == []


def test_a_broken_connection_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = ["cut", "cut", "503"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.ranges[:2] == [None, f"bytes={half}-"]
    assert len(server.ranges) == 4


def test_a_stalled_connection_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = ["stall"]
    assert fetch(server, tmp_path, timeout=0.3).read_bytes() == CONTENT
    assert server.ranges[1] is not None


def test_a_server_without_ranges_starts_again(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = ["cut", "no ranges"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_range_from_elsewhere_is_not_trusted(server: FaultyServer, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT[:1000])
    server.faults = ["wrong range"]
    # What follows from there is taken for a whole file, found wrong, and fetched anew.
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_wrong_part_costs_one_more_download(server: FaultyServer, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(b"something else")
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=14-", None]


def test_a_refused_range_starts_again(server: FaultyServer, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT[:1000])
    server.faults = ["416"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_wrong_bytes_are_refused_at_once(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = ["flip"]
    with pytest.raises(DownloadError, match="sha256"):
        fetch(server, tmp_path)
    assert len(server.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_too_many_bytes_are_refused(server: FaultyServer, tmp_path: Path) -> None:
    server.content = CONTENT + b"more"
    with pytest.raises(DownloadError, match="more than"):
        fetch(server, tmp_path)
    assert not (tmp_path / "data.bin").exists()


def test_a_connection_that_always_breaks_is_given_up(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = ["cut"] * 50
    with pytest.raises(DownloadError, match="ended after"):
        fetch(server, tmp_path)
    assert len(server.ranges) == module.ATTEMPTS


def test_a_server_that_trickles_is_given_up(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLOWEST_WINDOW_S", 0.0)
    monkeypatch.setattr(module, "SLOWEST_BYTES", 1 << 30)
    with pytest.raises(DownloadError, match="next to nothing"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("status", ["404", "403"])
def test_a_refusal_is_final(server: FaultyServer, tmp_path: Path, status: str) -> None:
    server.faults = [status] * 9
    with pytest.raises(DownloadError, match=status):
        fetch(server, tmp_path)
    assert len(server.ranges) == 1


def test_nobody_there_is_said_at_once(tmp_path: Path) -> None:
    with FaultyServer() as gone:
        url = gone.url
    started = time.monotonic()
    with pytest.raises(DownloadError, match="cannot be reached"):
        download(url, FILE, tmp_path, console=QUIET)
    assert time.monotonic() - started < module.TIMEOUT_S
