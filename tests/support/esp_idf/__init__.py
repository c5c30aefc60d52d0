"""ESP-IDF as far as the sketch uses it: declarations, and a process that behaves like it.

`include/` declares exactly what generated sources use, each file with the header that it stands
for. `fake.c` implements it on the host, so that a project for an ESP32 runs as a process.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
INCLUDE = FOLDER / "include"
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
WRAPPED = [f"-Wl,--wrap={name}" for name in ("edgemcu_invoke", "esp_panic_handler")]


def includes(project: Path) -> list[str]:
    """Include folders of a generated project's sources."""
    folders = ("src", "include", "components/edgemcu_model")
    return [*(f"-I{project / folder}" for folder in folders), f"-I{INCLUDE}"]


def sources(project: Path) -> list[Path]:
    return sorted([*project.glob("src/*.c"), *project.glob("components/**/*.c")])


def build(project: Path, program: Path, flags: Sequence[str] = ()) -> Path:
    """The project as a process of this computer, with warnings as errors."""
    own = [FOLDER / f"{name}.c" for name in ("camera", "fake", "panic_handler")]
    command = ["gcc", "-std=gnu17", "-O1", *WARNINGS, *flags, *WRAPPED, *includes(project)]
    done = subprocess.run(
        [*command, *sources(project), *own, "-lpthread", "-o", program], capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return program
