"""What a linked program takes in each memory, from its ELF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgemcu.board_schema import Board, Memory
from edgemcu.errors import BuildError

_ALLOC, _WRITE = 0x2, 0x1


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of a program in memory.

    Attributes:
        flash_bytes: what is constant or initialises variables.
        ram_bytes: variables, activations and the stack that is kept free.
        regions: bytes by the name of the board's region; empty for a hosted board.
    """

    flash_bytes: int
    ram_bytes: int
    regions: dict[str, int]


@dataclass(frozen=True)
class _Section:
    name: str
    address: int
    load_address: int
    size: int
    in_file: bool
    writable: bool


def memory_use(elf: Path, board: Board) -> MemoryUse:
    """Add up the sections of a linked program.

    Raises:
        BuildError: the file is not a linked ELF program.
    """
    sections = _sections(elf)
    if board.hosted:
        return MemoryUse(
            flash_bytes=sum(s.size for s in sections if s.in_file),
            ram_bytes=sum(s.size for s in sections if s.writable),
            regions={},
        )
    if board.platformio.framework == "espidf":
        return _esp_idf_use(sections, board)
    used = {region.name: 0 for region in board.memory}
    for section in sections:
        run = _region_at(board, section.address)
        load = _region_at(board, section.load_address) if section.in_file else run
        for region in {r.name for r in (run, load) if r is not None}:
            used[region] += section.size
    return MemoryUse(
        flash_bytes=sum(used[region.name] for region in board.flash),
        ram_bytes=sum(used[region.name] for region in board.ram),
        regions=used,
    )


def _esp_idf_use(sections: list[_Section], board: Board) -> MemoryUse:
    """In ESP-IDF's map PSRAM is seen where flash is, and what is copied from flash to RAM has no
    load address. Sections that end in "dummy" keep room free for what another bus sees."""
    real = [section for section in sections if not section.name.endswith("dummy")]
    constant, ram = board.region("code"), board.region("data")
    used = {
        constant.name: sum(s.size for s in real if s.in_file),
        ram.name: sum(s.size for s in real if s.address in ram),
    }
    if board.psram is not None:
        used["psram"] = sum(s.size for s in real if s.address in constant and not s.in_file)
    return MemoryUse(used[constant.name], used[ram.name], used)


def _region_at(board: Board, address: int) -> Memory | None:
    return next((region for region in board.memory if address in region), None)


def _sections(elf: Path) -> list[_Section]:
    """The sections that exist at run time."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            segments = [s.header for s in file.iter_segments("PT_LOAD")]
            headers = [(s.name, s.header) for s in file.iter_sections()]
    except (OSError, ELFError) as problem:
        raise BuildError(f"is not a linked program: {problem}", where=str(elf)) from None
    found = []
    for name, header in headers:
        if not header.sh_flags & _ALLOC or not header.sh_size:
            continue
        address = int(header.sh_addr)
        shift = next(
            (
                int(segment.p_paddr) - int(segment.p_vaddr)
                for segment in segments
                if segment.p_vaddr <= address < segment.p_vaddr + segment.p_memsz
            ),
            0,
        )
        found.append(
            _Section(
                name=name,
                address=address,
                load_address=address + shift,
                size=int(header.sh_size),
                in_file=header.sh_type != "SHT_NOBITS",
                writable=bool(header.sh_flags & _WRITE),
            )
        )
    return found
