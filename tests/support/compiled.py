"""Runs compiled models on the host: many of them linked into one sanitized process.

with ModelProcess(compiled_models, tmp_path) as process:
    outputs = process.run(index, inputs)  # uint8 (N, input_bytes) -> (N, output_bytes)
"""

from __future__ import annotations

import atexit
import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import CompiledModel
from edgemcu.compiler.kernels import targets
from edgemcu.shipped import shipped

WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

PUBLIC = ("init", "input", "input_bytes", "invoke", "output", "output_bytes", "arena_used", "check")

HOST_FLAGS = (*SANITIZERS, "-O1")

MODEL_STRUCT = """\
struct model {
    int (*init)(void);
    void (*poison)(int);
    void *(*input)(size_t);
    size_t (*input_bytes)(size_t);
    int (*invoke)(void);
    const void *(*output)(size_t);
    size_t (*output_bytes)(size_t);
    size_t inputs, outputs;
};
"""

# Whatever a model reads from its arena must have been written by this very inference.
POISON = """\
#include <string.h>

static void poison(int value)
{
    memset(arena, value, sizeof arena);
}
"""

# A request on stdin is the number of a model and its inputs; the answer on stdout is its outputs.
MAIN = """\
#include <stdint.h>
#include <stdio.h>

MODELS

int main(void)
{
    static char started[sizeof models / sizeof models[0]];
    uint32_t index;
    int runs = 0x55;
    while (fread(&index, sizeof index, 1, stdin) == 1) {
        const struct model *m = models[index];
        if (!started[index] && m->init() != 0) return 1;
        started[index] = 1;
        m->poison(++runs);
        for (size_t i = 0; i < m->inputs; ++i) {
            if (fread(m->input(i), m->input_bytes(i), 1, stdin) != 1) return 2;
        }
        if (m->invoke() != 0) return 3;
        for (size_t i = 0; i < m->outputs; ++i) {
            fwrite(m->output(i), m->output_bytes(i), 1, stdout);
        }
        fflush(stdout);
    }
    return 0;
}
"""


def write_files(compiled: CompiledModel, folder: Path) -> Path:
    """The model's files below `folder`."""
    for name, text in compiled.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def kernel_sources(target: str = "portable") -> list[Path]:
    """All kernels of a target: one library for all models."""
    folder = shipped("firmware_templates") / "compiled" / "kernels"
    names = {
        f"{kernel.folder}/{file}"
        for kernel in targets()[target]
        for file in (f"{kernel.name}.c", *kernel.sources)
    }
    return [folder / name for name in sorted(names)]


def write_unit(compiled: CompiledModel, folder: Path, prefix: str) -> Path:
    """One C file with the whole model, its external names made unique by `prefix`."""
    write_files(compiled, folder / prefix)
    weights = compiled.files.get("weights.h", "")
    names = [f"edgemcu_{name}" for name in PUBLIC]
    names += re.findall(r"^extern const \w+ (\w+)\[", weights, re.MULTILINE)
    lines = [f"#define {name} {prefix}_{name}" for name in names]
    if weights:
        lines.append(f'#include "{prefix}/weights.c"')
    lines.append(f'#include "{prefix}/model.c"')
    lines.append(POISON)
    lines.append(MODEL_STRUCT)
    lines += [f"extern const struct model {prefix};", f"const struct model {prefix} = {{"]
    lines += ["    edgemcu_init, poison, edgemcu_input, edgemcu_input_bytes, edgemcu_invoke,"]
    lines += ["    edgemcu_output, edgemcu_output_bytes, EDGEMCU_INPUT_COUNT,"]
    lines += ["    EDGEMCU_OUTPUT_COUNT,", "};", ""]
    path = folder / f"{prefix}.c"
    path.write_text("\n".join(lines))
    return path


def build_kernels(
    folder: Path,
    compiler: str = "gcc",
    flags: Sequence[str] = HOST_FLAGS,
    archiver: str = "ar",
    target: str = "portable",
) -> Path:
    """All kernels of a target as one library that many processes can be linked with."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [str(path) for path in kernel_sources(target)]
    check_command([compiler, *WARNINGS, *flags, "-c", *sources], folder)
    objects = sorted(path.name for path in folder.glob("*.o"))
    check_command([archiver, "rcs", "kernels.a", *objects], folder)
    return folder / "kernels.a"


@cache
def host_kernels(target: str = "portable") -> Path:
    """`build_kernels` for the host, once per test process; skips where there is no compiler."""
    folder = tempfile.TemporaryDirectory(prefix="edgemcu-kernels-")
    atexit.register(folder.cleanup)
    return build_kernels(Path(folder.name), require_compiler(), target=target)


def build_units(
    models: Sequence[CompiledModel], folder: Path, compiler: str, flags: Sequence[str]
) -> tuple[list[Path], str]:
    """Objects of all models, and the text of a C table `models` of them."""
    folder.mkdir(parents=True, exist_ok=True)
    prefixes = [f"m{i}" for i in range(len(models))]
    for model, prefix in zip(models, prefixes, strict=True):
        write_unit(model, folder, prefix)
    # The units hold constants and calls only: optimizing them would cost time and prove nothing.
    unit_flags = [flag for flag in flags if not flag.startswith("-O")]
    templates = shipped("firmware_templates") / "compiled"
    command = [compiler, *WARNINGS, *unit_flags, "-O0", f"-I{templates}", "-c"]
    for start in range(0, len(prefixes), 100):
        check_command(
            [*command, *(f"{prefix}.c" for prefix in prefixes[start : start + 100])], folder
        )
    declarations = "".join(f"extern const struct model {prefix};\n" for prefix in prefixes)
    table = ", ".join(f"&{prefix}" for prefix in prefixes)
    text = f"{MODEL_STRUCT}\n{declarations}static const struct model *const models[] = {{{table}}};"
    return [folder / f"{prefix}.o" for prefix in prefixes], text


def build_process(
    models: Sequence[CompiledModel],
    folder: Path,
    kernels: Path,
    compiler: str = "gcc",
    flags: Sequence[str] = HOST_FLAGS,
) -> Path:
    """Compile and link all models with the kernels; returns the executable."""
    objects, table = build_units(models, folder, compiler, flags)
    (folder / "main.c").write_text(MAIN.replace("MODELS", table))
    names = [path.name for path in objects]
    check_command(
        [compiler, "-std=c11", *flags, "main.c", *names, str(kernels), "-o", "models"], folder
    )
    return folder / "models"


def check_command(command: Sequence[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        raise AssertionError(f"{' '.join(command)[:500]}\n{result.stderr[:5000]}")


def require_compiler(name: str = "gcc") -> str:
    """The compiler's name; skips the calling test, with the reason, where it is missing."""
    if shutil.which(name) is None:
        import pytest

        pytest.skip(f"{name} is not installed")
    return name


class ModelProcess:
    """A running process that holds many models."""

    def __init__(
        self,
        models: Sequence[CompiledModel],
        folder: Path,
        kernels: Path,
        compiler: str = "gcc",
        flags: Sequence[str] = HOST_FLAGS,
    ) -> None:
        self._sizes = [output_bytes(model) for model in models]
        executable = build_process(models, folder, kernels, compiler, flags)
        self._errors = folder / "stderr.txt"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(executable)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )

    def run(self, index: int, inputs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rows of input bytes to rows of output bytes, by the model at `index`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        rows = []
        for row in inputs:
            try:
                self._process.stdin.write(np.array([index], "<u4").tobytes() + row.tobytes())
                self._process.stdin.flush()
            except BrokenPipeError:
                self._fail(index)
            data = self._process.stdout.read(self._sizes[index])
            if len(data) != self._sizes[index]:
                self._fail(index)
            rows.append(np.frombuffer(data, np.uint8))
        return np.stack(rows)

    def _fail(self, index: int) -> None:
        self._process.wait(timeout=30)
        report = self._errors.read_text(errors="replace")
        raise AssertionError(f"model {index}: the process ended\n{report[:4000]}")

    def __enter__(self) -> ModelProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)


def output_bytes(model: CompiledModel) -> int:
    match = re.search(r"EDGEMCU_OUTPUT_BYTES (\d+)u", model.files["edgemcu_model.h"])
    assert match is not None
    return int(match[1])
