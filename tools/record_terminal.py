"""Runs a command and draws what it left on the terminal as an SVG, for the documentation.

    tools/record_terminal.py docs/run.svg -- edgemcu run --project examples/demo

The command gets a pseudo-terminal, so that it shows colours and progress bars as it does for a
person; a line that was drawn over is kept as it looked last.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH, HEIGHT = 100, 50

# Erase in line, cursor up, and the sequences that change nothing visible.
_ERASE, _UP = "\x1b[2K", re.compile(r"\x1b\[(\d*)A")
_IGNORED = re.compile(r"\x1b\[\?\d+[hl]")


def run(command: list[str]) -> tuple[str, int]:
    """All that `command` wrote to a terminal of WIDTH × HEIGHT, and its exit status."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=inside,
        stderr=inside,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": str(WIDTH)},
    )
    os.close(inside)
    output = bytearray()
    while True:
        try:
            block = os.read(terminal, 1 << 16)
        except OSError:
            # Linux: the other end of the terminal is closed.
            break
        if not block:
            break
        output += block
    os.close(terminal)
    return output.decode(errors="replace"), process.wait()


def screen(output: str) -> list[str]:
    """The lines as they stand in the end, colours included."""
    lines = [""]
    row = 0
    for token in re.split(r"(\x1b\[2K|\x1b\[\d*A|\r\n|\r|\n)", _IGNORED.sub("", output)):
        if token == _ERASE:
            lines[row] = ""
        elif up := _UP.fullmatch(token):
            row = max(0, row - int(up[1] or 1))
        elif token in {"\n", "\r\n"}:
            row += 1
            if row == len(lines):
                lines.append("")
        elif token == "\r":
            continue
        else:
            lines[row] += token
    return lines


def draw(command: list[str], lines: list[str], hidden: list[str]) -> str:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print(Text.assemble(("$ ", "bold green"), (shlex.join(command), "bold")))
    for line in lines:
        text = line
        for secret in hidden:
            text = text.replace(secret, "")
        console.print(Text.from_ansi(text), no_wrap=True, overflow="ellipsis", crop=True)
    # Without web fonts: the picture must not depend on anyone's server.
    plain = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="edgemcu", theme=MONOKAI, code_format=plain, unique_id="run")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, help="the SVG to write")
    parser.add_argument(
        "--hide", action="append", default=[], help="text to leave out, such as a folder's path"
    )
    parser.add_argument("command", nargs="+", help="after --")
    arguments = parser.parse_args()
    output, status = run(arguments.command)
    if status != 0:
        sys.stderr.write("\n".join(screen(output)) + "\n")
        return status
    lines = screen(output)
    while lines and not lines[-1].strip():
        lines.pop()
    arguments.picture.write_text(draw(arguments.command, lines, arguments.hide), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
