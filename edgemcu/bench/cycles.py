"""Cycles of a Cortex-M4 for what was executed: a model, not a measurement.

From the table of instruction timings in Arm's Cortex-M4 Technical Reference Manual (DDI 0439,
table 3-1): one cycle for data processing, multiplications and products of pairs; two for a load, of
which one is hidden directly behind another load or store; one for a store; one and one per
register for a transfer of several; 6 for a division (2 to 12); 14 for a division or a root in
floating point; two more for a branch that is taken. Memory answers at once. Real boards wait for
their flash: see `LATENCY_OVER_MODEL`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgemcu.bench.trace import Trace

MODELLED_CORES = frozenset({"cortex-m4", "cortex-m4f"})

LATENCY_OVER_MODEL = (1.22, 1.29)
"""How many times longer a NUCLEO-L4R5ZI takes than the model says.

MLPerf Tiny's results for microTVM with CMSIS-NN, 301 and 390 ms at 120 MHz, are 36.1 and 46.8
million cycles; the model gives 29.5 and 36.3 million for TensorFlow Lite Micro with the same
kernels.
"""

_TAKEN_BRANCH = 2
_DIVISION = 6
_FLOAT_DIVISION = 14
_FLOAT_MULTIPLY_ADD = 3

ReadMemory = Callable[[int, int], bytes]
"""(address, bytes) to what the program holds there."""


@dataclass(frozen=True)
class Cost:
    """Cycles of an instruction on its own; loads and stores may hide behind each other."""

    cycles: int
    load: bool = False
    store: bool = False


_ONE = Cost(1)


@dataclass(frozen=True)
class Count:
    """What a part of a program executed.

    Attributes:
        instructions: each as often as it was executed.
        cycles: by the model; None for a core that it does not describe.
    """

    instructions: int
    cycles: int | None


def count_sections(trace: Trace, read: ReadMemory, *, modelled: bool) -> list[Count]:
    """Instructions and cycles of each section of a trace, in its order."""
    instructions = [0] * len(trace.sections)
    cycles = [0] * len(trace.sections)
    blocks = {first: instruction_starts(block, read) for first, block in trace.blocks.items()}
    cost = {
        first: block_cycles(addresses, read) if modelled else (0, 0)
        for first, addresses in blocks.items()
    }
    for (section, block, following), times in trace.moves.items():
        instructions[section] += times * len(blocks[block])
        own, end = cost[block]
        cycles[section] += times * (own + (_TAKEN_BRANCH if following != end else 0))
    return [Count(i, c if modelled else None) for i, c in zip(instructions, cycles, strict=True)]


def instruction_starts(addresses: tuple[int, ...], read: ReadMemory) -> tuple[int, ...]:
    """Where the instructions of a block begin; QEMU lists one that it cannot name, as those of the
    M-profile Vector Extension, as two."""
    starts, at = [], addresses[0]
    while at <= addresses[-1]:
        starts.append(at)
        at += fetch(at, read)[2]
    return tuple(starts)


def block_cycles(addresses: tuple[int, ...], read: ReadMemory) -> tuple[int, int]:
    """Cycles of a block, its branch not taken, and the address behind it."""
    total, end = 0, addresses[-1]
    after_access = False
    for address in addresses:
        first, second, size = fetch(address, read)
        cost = cost_of(first, second) if size == 4 else cost_of_short(first)
        total += cost.cycles - (1 if cost.load and after_access else 0)
        after_access = cost.load or cost.store
        end = address + size
    return total, end


def fetch(address: int, read: ReadMemory) -> tuple[int, int, int]:
    """The halfwords of an instruction, and its size in bytes."""
    first = int.from_bytes(read(address, 2), "little")
    if first >> 11 not in (0b11101, 0b11110, 0b11111):
        return first, 0, 2
    return first, int.from_bytes(read(address + 2, 2), "little"), 4


def cost_of_short(code: int) -> Cost:
    """A 16-bit instruction (Armv7-M Architecture Reference Manual, A5.2)."""
    top = code >> 12
    if code >> 11 == 0b01001:  # from the constants behind a function
        return Cost(2, load=True)
    if top == 0b0101:  # register offset: three stores, then loads
        return Cost(2, load=True) if (code >> 9) & 7 >= 3 else Cost(1, store=True)
    if top in (0b0110, 0b0111, 0b1000, 0b1001):
        return Cost(2, load=True) if code & 0x800 else Cost(1, store=True)
    if top == 0b1100:
        return Cost(1 + (code & 0xFF).bit_count())
    if code & 0xF600 == 0xB400:  # PUSH and POP
        return Cost(1 + (code & 0x1FF).bit_count())
    return _ONE


def cost_of(first: int, second: int) -> Cost:
    """A 32-bit instruction (A5.3)."""
    if first >> 9 == 0b1110100:  # several registers, two registers, tables of branches
        if not first & 0x40:
            return Cost(1 + second.bit_count())
        is_table = first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000
        return Cost(2 if is_table else 3)
    if first >> 9 == 0b1111100:
        return Cost(2, load=True) if first & 0x10 else Cost(1, store=True)
    if first & 0xFFD0 == 0xFB90:
        return Cost(_DIVISION)
    if first >> 10 == 0b111011:
        return _cost_of_float(first, second)
    return _ONE


def _cost_of_float(first: int, second: int) -> Cost:
    double = bool(second & 0x100)
    if first >> 9 == 0b1110110:  # loads, stores, transfers of two registers
        if first & 0xFFE0 == 0xEC40:
            return Cost(2)
        if first & 0x120 == 0x100:
            words = 2 if double else 1
            return Cost(1 + words) if first & 0x10 else Cost(words, store=True)
        return Cost(1 + (second & 0xFF))
    if first & 0xFFB0 == 0xEE80 or (first & 0xFFBF == 0xEEB1 and second & 0xED0 == 0xAC0):
        return Cost(_FLOAT_DIVISION)
    if first & 0xFFA0 in (0xEE00, 0xEEA0) and second & 0x10 == 0:
        return Cost(_FLOAT_MULTIPLY_ADD)
    return _ONE
