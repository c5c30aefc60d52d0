"""Runs compiled models in QEMU on bare Cortex-M machines, many in one image.

with Machine(compiled_models, CORES["cortex-m4"], tmp_path) as machine:
    outputs = machine.run(index, inputs)  # uint8 (N, input_bytes) -> (N, output_bytes)
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgemcu.compiler import CompiledModel
from tests.support.compiled import build_kernels, build_units, check_command
from tests.support.machine import ModelMachine

HERE = Path(__file__).parent
COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"


@dataclass(frozen=True)
class Core:
    """A machine of QEMU and how to build for its core."""

    machine: str
    flags: tuple[str, ...]
    uart: int
    code_bytes: int
    ram_bytes: int


CORES = {
    "cortex-m4": Core(
        "mps2-an386",
        ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
        0x40004000,
        4 << 20,
        4 << 20,
    ),
    "cortex-m7": Core(
        "mps2-an500",
        ("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
        0x40004000,
        4 << 20,
        4 << 20,
    ),
    "cortex-m55": Core(
        "mps3-an547", ("-mcpu=cortex-m55", "-mfloat-abi=hard"), 0x49303000, 512 << 10, 512 << 10
    ),
}


def require_tools() -> None:
    """Skips the calling test, with the reason, where cross compiler or emulator are missing."""
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def build_image(models: Sequence[CompiledModel], core: Core, folder: Path) -> Path:
    """One ELF with all models, which are of the same target, and its kernels."""
    flags = (*core.flags, "-mthumb", "-O2", "-ffunction-sections", "-fdata-sections")
    target = models[0].target
    kernels = build_kernels(folder / "kernels", COMPILER, flags, "arm-none-eabi-ar", target)
    objects, table = build_units(models, folder, COMPILER, flags)
    (folder / "start.c").write_text((HERE / "start.c").read_text().replace("MODELS", table))
    sizes = {"CODE_BYTES": core.code_bytes, "RAM_BYTES": core.ram_bytes}
    script = (HERE / "link.ld").read_text()
    for name, size in sizes.items():
        script = script.replace(name, f"{size:#x}")
    (folder / "link.ld").write_text(script)
    command = [COMPILER, "-std=c11", *flags, f"-DUART_BASE={core.uart:#x}u", "start.c"]
    command += [*(path.name for path in objects), str(kernels), "-T", "link.ld", "-nostartfiles"]
    command += ["--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", "-o", "image.elf"]
    check_command(command, folder)
    return folder / "image.elf"


class Machine(ModelMachine):
    """A running emulator that holds many models."""

    def __init__(self, models: Sequence[CompiledModel], core: Core, folder: Path) -> None:
        image = build_image(models, core, folder)
        line = folder / "uart"
        command = [EMULATOR, "-M", core.machine, "-kernel", str(image), "-display", "none"]
        command += ["-monitor", "none", "-serial", f"unix:{line},server=on,wait=on"]
        super().__init__(command, line, models)
