"""Runs compiled models in QEMU on an Xtensa core with windowed registers, many in one image.

with Machine(compiled_models, tmp_path) as machine:
    outputs = machine.run(index, inputs)  # uint8 (N, input_bytes) -> (N, output_bytes)

The ESP32-S3's own cores (Xtensa LX7) can neither be compiled for with what Linux distributions
have nor be emulated with their vector instructions. This is the nearest that can: clang for the
instruction set that both have in common, on QEMU's de233_fpu. It proves that the portable kernels
give the same bytes on this instruction set, calling convention and byte order; no more.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgemcu.compiler import CompiledModel
from tests.support.compiled import build_kernels, build_units, check_command
from tests.support.machine import ModelMachine

HERE = Path(__file__).parent
COMPILER = HERE / "xtensa-clang"
CLANG = "clang-22"
LINKER = "xtensa-lx106-elf-ld"
EMULATOR = "qemu-system-xtensa"
CORE = "de233_fpu"
FLAGS = ("-O2", "-ffunction-sections", "-fdata-sections", f"-I{HERE / 'include'}")


def require_compiler() -> None:
    """Skips the calling test, with the reason, where clang for Xtensa is missing."""
    for tool in (CLANG, "llvm-mc-22"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def require_tools() -> None:
    """The same for all that it takes to run something."""
    require_compiler()
    for tool in (LINKER, "llvm-ar-22", EMULATOR):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def build_image(models: Sequence[CompiledModel], folder: Path) -> Path:
    """One ELF with all models, which are of the same target, and its kernels."""
    kernels = build_kernels(
        folder / "kernels", str(COMPILER), FLAGS, "llvm-ar-22", models[0].target
    )
    objects, table = build_units(models, folder, str(COMPILER), FLAGS)
    (folder / "main.c").write_text((HERE / "main.c").read_text().replace("MODELS", table))
    sources = ["main.c", str(HERE / "builtins.c"), str(HERE / "start.S")]
    check_command([str(COMPILER), "-std=c11", *FLAGS, "-c", *sources], folder)
    names = ["start.o", "main.o", *(path.name for path in objects), str(kernels), "builtins.o"]
    script = str(HERE / "link.ld")
    check_command([LINKER, "-T", script, "--gc-sections", "-o", "image.elf", *names], folder)
    return folder / "image.elf"


class Machine(ModelMachine):
    """A running emulator that holds many models."""

    def __init__(self, models: Sequence[CompiledModel], folder: Path) -> None:
        image = build_image(models, folder)
        line = folder / "console"
        # Not by -kernel, which would start at the core's reset vector.
        loader = f"loader,file={image},cpu-num=0"
        command = [EMULATOR, "-M", "sim", "-cpu", CORE, "-m", "16M", "-semihosting"]
        command += ["-display", "none", "-monitor", "none", "-device", loader]
        command += ["-serial", f"unix:{line},server=on,wait=on"]
        super().__init__(command, line, models)
