"""A linked firmware: its symbols, its bytes, and how much of it is the model's code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemcu.errors import BuildError


@dataclass(frozen=True)
class ElfProgram:
    """What an ELF file says.

    Attributes:
        functions: addresses by name.
        sizes: how many functions and constants there are of each (name, bytes).
        segments: (address, bytes) of what is loaded.
    """

    functions: dict[str, int]
    sizes: Counter[tuple[str, int]]
    segments: tuple[tuple[int, bytes], ...]

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the program; zeros where it has none."""
        for start, data in self.segments:
            if start <= address < start + len(data):
                return data[address - start : address - start + size]
        return bytes(size)

    def function(self, name: str) -> int:
        """The address of a function.

        Raises:
            BuildError: there is none of that name.
        """
        if name not in self.functions:
            raise BuildError(f"the firmware has no function {name}")
        return self.functions[name]


def read_program(elf: Path) -> ElfProgram:
    """Read a linked ELF file.

    Raises:
        BuildError: it is not one.
    """
    symbols, segments = _read(elf)
    return ElfProgram(
        functions={name: address & ~1 for name, kind, address, _ in symbols if kind == "STT_FUNC"},
        sizes=_sizes(symbols),
        segments=tuple(segments),
    )


def model_code_bytes(program: ElfProgram, project: Path, weights_bytes: int) -> int:
    """Flash for the model's functions and parameters, its weights not counted.

    What was linked of the objects that were made of lib/edgemcu_model; literals and padding
    between functions belong to them, the C library's functions do not.
    """
    ours: Counter[tuple[str, int]] = Counter()
    for path in sorted((project / ".pio" / "build").rglob("edgemcu_model/**/*.o")):
        ours += _sizes(_read(path)[0])
    linked = ours & program.sizes
    return sum(size * count for (_, size), count in linked.items()) - weights_bytes


Symbol = tuple[str, str, int, int]
"""Name, type, address, bytes."""


def _sizes(symbols: list[Symbol]) -> Counter[tuple[str, int]]:
    return Counter((name, size) for name, _, _, size in symbols if size)


def _read(path: Path) -> tuple[list[Symbol], list[tuple[int, bytes]]]:
    """Functions and constants, and what is loaded."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as stream:
            file: Any = ELFFile(stream)
            symbols = [
                (symbol.name, symbol["st_info"]["type"], symbol["st_value"], symbol["st_size"])
                for symbol in file.get_section_by_name(".symtab").iter_symbols()
                if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT")
                and isinstance(symbol["st_shndx"], int)
                and not file.get_section(symbol["st_shndx"])["sh_flags"] & 1
            ]
            segments = [
                (segment["p_vaddr"], segment.data()) for segment in file.iter_segments("PT_LOAD")
            ]
    except (OSError, ELFError, AttributeError) as problem:
        raise BuildError(f"is not a linked program: {problem}", where=str(path)) from None
    return symbols, segments
