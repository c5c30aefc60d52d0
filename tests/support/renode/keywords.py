"""Renode's Robot keywords as far as the generated tests use them, on a firmware in QEMU.

Names and arguments are those of UartKeywords.cs and RenodeKeywords.cs. Time-outs are seconds on the
wall here.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from edgemcu.boards import load_board
from edgemcu.device.target import Target, start
from edgemcu.device.transport import Transport

ROBOT_LIBRARY_SCOPE = "TEST"


class keywords:  # noqa: N801 - Robot wants the module's name
    ROBOT_LIBRARY_SCOPE = "TEST"

    def __init__(self) -> None:
        self.commands: list[str] = []
        self._line: Transport | None = None
        self._uart = ""
        self._timeout = 8.0
        self._received = ""

    def execute_command(self, command: str) -> str:
        self.commands.append(command)
        return ""

    def create_terminal_tester(
        self,
        uart: str,
        timeout: float | None = None,
        defaultPauseEmulation: bool = False,  # noqa: N803
    ) -> int:
        self._uart = uart
        self._timeout = float(timeout or 8)
        return 0

    def start_emulation(self) -> None:
        name, platform, elf = (
            re.fullmatch(form, command)[1]  # type: ignore[index]
            for form, command in zip(
                (
                    r'mach create "(.*)"',
                    r"machine LoadPlatformDescription @(.*)",
                    r"sysbus LoadELF @(.*)",
                ),
                self.commands,
                strict=True,
            )
        )
        assert f"{self._uart.removeprefix('sysbus.')}:" in Path(platform).read_text()
        self._line, _ = start(load_board(name), Path(elf), Target("qemu"), None)

    def wait_for_line_on_uart(self, content: str, timeout: float | None = None) -> None:
        deadline = time.monotonic() + float(timeout or self._timeout)
        while True:
            *lines, self._received = self._received.split("\n")
            for index, line in enumerate(lines):
                if content in line:
                    self._received = "\n".join([*lines[index + 1 :], self._received])
                    return
            assert self._line is not None
            assert time.monotonic() < deadline, f"{content!r} did not come"
            self._received += self._line.read(0.1).decode(errors="replace")

    def should_not_be_on_uart(self, content: str, timeout: float | None = None) -> None:
        assert self._line is not None
        deadline = time.monotonic() + float(timeout or self._timeout)
        while time.monotonic() < deadline:
            self._received += self._line.read(0.1).decode(errors="replace")
        assert content not in self._received

    def write_to_uart(self, content: str) -> None:
        assert self._line is not None
        self._line.write(content.encode(), 5.0)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
