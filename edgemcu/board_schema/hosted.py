"""Drivers of a firmware that runs as a process of an operating system."""

from __future__ import annotations

from typing import Literal

from edgemcu.schema import Table


class HostedStartup(Table):
    """[startup] of a firmware that runs as a process of an operating system."""

    driver: Literal["hosted"]


class StdioSerial(Table):
    """[serial] on stdin and stdout."""

    driver: Literal["stdio"]


class MonotonicClock(Table):
    """[counter] on POSIX's monotonic clock, in nanoseconds."""

    driver: Literal["clock-monotonic"]
