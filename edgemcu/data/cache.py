"""Where downloads and decoded photos are kept between runs, for each user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from edgemcu.console import Console
from edgemcu.errors import DatasetError

CACHE_VARIABLE = "EDGEMCU_CACHE"


def cache_directory() -> Path:
    """The folder named by EDGEMCU_CACHE, else the platform's cache folder of this user."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("edgemcu")


@contextmanager
def locked(folder: Path, console: Console) -> Iterator[None]:
    """Hold `folder` for this process; another one that fills it is waited for.

    Raises:
        DatasetError: the folder cannot be created, or the work in it fails with an OSError: no
            room, no permission.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            console.info(f"waiting for another edgemcu that works in {folder}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()
    except OSError as problem:
        raise DatasetError(
            f"the cache cannot be used: {problem.strerror or problem}",
            where=str(folder),
            hint=f"make room, or set {CACHE_VARIABLE} to another folder",
        ) from None
