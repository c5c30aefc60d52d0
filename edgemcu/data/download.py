"""Fetching a file whose digest is known: resumed, bounded, and in place only when it is right."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from edgemcu._version import __version__
from edgemcu.console import Console, ProgressBar
from edgemcu.errors import DownloadError

# Seconds without an answer, or without a byte, before a connection is given up.
TIMEOUT_S = 15.0
# How often a connection that broke off is taken up again.
ATTEMPTS = 5
# A connection that brings less than this many bytes in that many seconds counts as stalled.
SLOWEST_BYTES, SLOWEST_WINDOW_S = 1 << 14, 60.0

_BLOCK = 1 << 16


@dataclass(frozen=True)
class RemoteFile:
    """A file that is known before it is fetched.

    Attributes:
        name: what it is called in the downloads folder.
        size: in bytes.
        algorithm: of `digest`: "sha256", or "md5" where its publisher gives no other.
        digest: in hex.
    """

    name: str
    size: int
    algorithm: str
    digest: str

    def matches(self, path: Path) -> bool:
        """Whether `path` is this file, byte for byte."""
        try:
            if path.stat().st_size != self.size:
                return False
            digest = hashlib.new(self.algorithm, usedforsecurity=False)
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError:
            return False
        return digest.hexdigest() == self.digest


class _BrokenOffError(Exception):
    """The connection ended early: worth another attempt from where it stopped."""


def download(
    url: str, file: RemoteFile, folder: Path, *, console: Console, timeout: float = TIMEOUT_S
) -> Path:
    """Fetch `url` into `folder`, taking up what an earlier try left in a .part file.

    Args:
        url: http or https; proxies and certificates are those of the environment.
        file: what must come back.
        timeout: seconds without an answer or a byte before the connection is given up.

    Raises:
        DownloadError: the server cannot be reached, refuses, breaks off again and again, or
            sends something else.
    """
    target = folder / file.name
    if file.matches(target):
        return target
    part = target.with_name(target.name + ".part")
    problem = ""
    for _ in range(ATTEMPTS):
        resumed = _size(part)
        try:
            if resumed < file.size:
                with console.progress(f"Downloading {file.name}", file.size, "B") as bar:
                    _append(url, part, file.size, bar, timeout)
        except _BrokenOffError as broken:
            problem = str(broken)
            continue
        except OSError as error:
            raise DownloadError(_reason(error), where=url) from None
        if file.matches(part):
            part.replace(target)
            return target
        problem = f"what came back is not the file: its {file.algorithm} is not {file.digest}"
        part.unlink(missing_ok=True)
        if not resumed:
            # A whole download of wrong bytes: asking again would bring the same.
            break
    raise DownloadError(problem, where=url)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(url: str, part: Path, size: int, bar: ProgressBar, timeout: float) -> None:
    """One connection: ask for what is missing and add it to `part`."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": f"edgemcu/{__version__}"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            if have and not _continues_at(response, have):
                have = 0
            bar.advance(have)
            with part.open("ab" if have else "wb") as stream:
                window_end, window_bytes = time.monotonic() + SLOWEST_WINDOW_S, 0
                while block := response.read1(_BLOCK):
                    have += len(block)
                    if have > size:
                        # Keep none of it: the digest cannot match.
                        stream.truncate(0)
                        raise DownloadError(f"the server sends more than {size} bytes", where=url)
                    stream.write(block)
                    bar.advance(len(block))
                    window_bytes += len(block)
                    if time.monotonic() > window_end:
                        if window_bytes < SLOWEST_BYTES:
                            raise _BrokenOffError("the server sends next to nothing")
                        window_end, window_bytes = time.monotonic() + SLOWEST_WINDOW_S, 0
    except urllib.error.HTTPError as error:
        if error.code == 416:
            # Our part is not one of this file: start again.
            part.unlink(missing_ok=True)
            raise _BrokenOffError("the server has no such range") from None
        if error.code >= 500 or error.code == 429:
            raise _BrokenOffError(_reason(error)) from None
        raise
    except urllib.error.URLError:
        # No connection at all: name resolution, refusal, certificate. Trying again is no use.
        raise
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise _BrokenOffError(_reason(error)) from None
    if have < size:
        raise _BrokenOffError(f"the connection ended after {have} of {size} bytes")


def _continues_at(response: http.client.HTTPResponse, have: int) -> bool:
    if response.status != 206:
        return False
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return start is not None and int(start[1]) == have


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        inner = error.reason
        text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
        return f"cannot be reached: {text}"
    if isinstance(error, TimeoutError):
        return "the server does not answer any more"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"the connection broke off ({type(error).__name__})"
