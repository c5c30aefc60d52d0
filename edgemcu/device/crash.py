"""Crash reports: code addresses in what a firmware prints, as functions and source lines."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgemcu.device.protocol import FAULT_LINE
from edgemcu.errors import DeviceError

if TYPE_CHECKING:
    from elftools.dwarf.dwarfinfo import DWARFInfo

MAX_FRAMES = 32

# edgemcu's own fault report on a Cortex-M.
_CORTEX = re.compile(r"\b(pc|lr)=([0-9a-f]{8})\b")
# ESP-IDF: "Backtrace: 0x42008a1e:0x3fc98f10 0x4200…", "abort() was called at PC 0x…", and the
# register dump of a panic ("PC      : 0x42008a1e", "MEPC    : 0x…", "RA …").
_BACKTRACE = re.compile(r"Backtrace:((?:\s*0x[0-9a-f]{8}:0x[0-9a-f]{8})+)", re.I)
_PAIR = re.compile(r"0x([0-9a-f]{8}):0x[0-9a-f]{8}", re.I)
_ABORT = re.compile(r"was called at PC 0x([0-9a-f]{8})", re.I)
_PANIC = re.compile(r"^(?:Core\s+\d+ register dump:\s*)?(PC|MEPC)\s*:\s*0x([0-9a-f]{8})\b")
_CRASH_LINE = re.compile(
    r"Guru Meditation Error|abort\(\) was called|assert failed:|Stack smashing"
)


@dataclass(frozen=True)
class CodeAddress:
    """An address in a crash report.

    Attributes:
        name: the register, or "#0", "#1", … in a backtrace.
        address: as printed.
        at: of the instruction itself: for a return address that of the call before it.
    """

    name: str
    address: int
    at: int


@dataclass(frozen=True)
class SourcePlace:
    """Where an address comes from, as far as the ELF file says."""

    function: str | None
    file: str | None
    line: int | None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else "no line known"
        return f"{self.function or '??'} at {place}"


def is_crash(line: str) -> bool:
    """Whether a line reports a crash, of edgemcu's firmware or of ESP-IDF."""
    return line.startswith(FAULT_LINE) or _CRASH_LINE.search(line) is not None


def code_addresses(line: str) -> list[CodeAddress]:
    """The code addresses in a line of a crash report; none in any other line."""
    if line.startswith(FAULT_LINE):
        return [_of_register(name, int(digits, 16)) for name, digits in _CORTEX.findall(line)]
    if match := _BACKTRACE.search(line):
        found = [int(digits, 16) for digits in _PAIR.findall(match[1])[:MAX_FRAMES]]
        return [CodeAddress(f"#{n}", address, address) for n, address in enumerate(found)]
    if match := _ABORT.search(line):
        return [CodeAddress("PC", int(match[1], 16), int(match[1], 16))]
    if match := _PANIC.match(line):
        return [CodeAddress(match[1], int(match[2], 16), int(match[2], 16))]
    return []


def _of_register(name: str, value: int) -> CodeAddress:
    # Bit 0 says "Thumb"; the link register points behind the call.
    at = (value & ~1) - 1 if name == "lr" else value & ~1
    return CodeAddress(name, value, at)


class Symbols:
    """Functions and source lines of an ELF file.

    Args:
        elf: the program that crashed, or one of the same bytes.
        base: folder that file names are shown relative to.
    """

    def __init__(self, elf: Path, base: Path | None = None) -> None:
        """Raises: DeviceError: it is no ELF file, or damaged."""
        from elftools.elf.elffile import ELFFile

        self._base = base
        self._lines: dict[int, list[tuple[int, int, str, int]]] = {}
        try:
            self._stream = elf.open("rb")
            file = ELFFile(self._stream)
            self._functions = _functions(file)
            self._dwarf: DWARFInfo | None = file.get_dwarf_info() if file.has_dwarf_info() else None
        # A damaged file makes the library raise anything: assertions, missing attributes, …
        except Exception as error:
            raise DeviceError(f"has no symbols that can be read: {error}", where=str(elf)) from None

    def close(self) -> None:
        self._stream.close()

    def place(self, address: int) -> SourcePlace | None:
        """The function and line at `address`; None if it is not in the program."""
        function = self._function(address)
        # As in the constructor: what cannot be read of a damaged file is not known.
        try:
            line = self._line(address)
        except Exception:
            line = None
        if function is None and line is None:
            return None
        return SourcePlace(function, *(line or (None, None)))

    def explain(self, line: str) -> list[str]:
        """For each code address in a line of a crash report, where that is in the sources."""
        found = []
        for code in code_addresses(line):
            place = self.place(code.at)
            text = str(place) if place is not None else "not in this program"
            found.append(f"{code.name:3} {code.address:#010x}  {text}")
        return found

    def _function(self, address: int) -> str | None:
        index = bisect_right(self._functions, (address, 1 << 32, "")) - 1
        if index < 0:
            return None
        start, size, name = self._functions[index]
        return name if address < start + max(size, 1) else None

    def _line(self, address: int) -> tuple[str, int] | None:
        if self._dwarf is None:
            return None
        # The table of address ranges spares reading the whole debug information.
        ranges = self._dwarf.get_aranges()
        offset = ranges.cu_offset_at_addr(address) if ranges is not None else None
        if offset is not None and (line := self._line_in(self._dwarf.get_CU_at(offset), address)):
            return line
        if ranges is not None and offset is None:
            return None
        for unit in self._dwarf.iter_CUs():
            if line := self._line_in(unit, address):
                return line
        return None

    def _line_in(self, unit: Any, address: int) -> tuple[str, int] | None:
        if unit.cu_offset not in self._lines:
            self._lines[unit.cu_offset] = self._lines_of(unit)
        for low, high, file, line in self._lines[unit.cu_offset]:
            if low <= address < high:
                return file, line
        return None

    def _lines_of(self, unit: Any) -> list[tuple[int, int, str, int]]:
        assert self._dwarf is not None
        program = self._dwarf.line_program_for_CU(unit)
        if program is None:
            return []
        folder = _text(unit.get_top_DIE().attributes.get("DW_AT_comp_dir"))
        lines: list[tuple[int, int, str, int]] = []
        before = None
        sequence: list[tuple[int, int, str, int]] = []
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and before.address < state.address:
                name = self._file_name(program, before.file, folder)
                sequence.append((before.address, state.address, name, before.line))
                before = None
            # Of several lines at one address the last that begins a statement is what runs there.
            if before is None or state.is_stmt or not before.is_stmt:
                before = state
            if state.end_sequence:
                # What the linker has thrown away stands at address 0, where no code can be.
                if sequence and sequence[0][0] != 0:
                    lines += sequence
                before, sequence = None, []
        return lines

    def _file_name(self, program: Any, index: int, folder: str) -> str:
        old = program.header["version"] < 5
        entry = program["file_entry"][index - 1 if old else index]
        directories = program["include_directory"]
        at = entry.dir_index
        directory = ""
        if not old:
            directory = directories[at].decode(errors="replace")
        elif at:
            directory = directories[at - 1].decode(errors="replace")
        path = Path(folder, directory, entry.name.decode(errors="replace"))
        if self._base is not None and path.is_relative_to(self._base):
            path = path.relative_to(self._base)
        return path.as_posix()


def _functions(file: Any) -> list[tuple[int, int, str]]:
    """(address, size, name) of each function, by address."""
    table = file.get_section_by_name(".symtab")
    if table is None:
        return []
    thumb = file["e_machine"] == "EM_ARM"
    return sorted(
        (symbol["st_value"] & (~1 if thumb else ~0), symbol["st_size"], symbol.name)
        for symbol in table.iter_symbols()
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF"
    )


def _text(attribute: Any) -> str:
    return attribute.value.decode(errors="replace") if attribute is not None else ""
