"""How steps speak to whoever called them, without knowing whether that is a terminal or a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class ProgressBar(Protocol):
    """A running count towards a known or unknown total."""

    def advance(self, amount: float = 1, note: str = "") -> None: ...


class Console(Protocol):
    """What a step may say. `quiet` says nothing; the command line draws with rich on stderr."""

    def info(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> Iterator[ProgressBar]:
        yield _SilentBar()


class _SilentBar:
    def advance(self, amount: float = 1, note: str = "") -> None:
        return None


class QuietConsole:
    """Says nothing: the default when edgemcu is used as a library."""

    def info(self, text: str) -> None:
        return None

    def warn(self, text: str) -> None:
        return None

    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> Iterator[ProgressBar]:
        yield _SilentBar()


QUIET: Console = QuietConsole()
