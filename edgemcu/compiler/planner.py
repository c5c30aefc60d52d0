"""Where each activation lies in the arena: a static plan that reuses memory between layers.

Blocks that are alive at the same step must not overlap; everything else may. Finding the smallest
arena is NP-hard in general, but the networks here are small and nearly chains: first fit over a few
sensible orders mostly meets the lower bound (the most bytes alive at any one step), and a short
deterministic search over permutations closes most of what is left.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 4

# Orders tried by the search, bounded so that planning takes well under a second.
SEARCH_STEPS = 400
SEARCH_WORK = 4_000_000


@dataclass(frozen=True)
class Block:
    """Memory that is alive from step `first` to step `last`, both included."""

    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Offsets of the blocks, in their order, and the arena that holds them.

    Attributes:
        offsets: multiples of `ALIGNMENT`.
        bytes: size of the arena.
        lower_bound: no plan for these blocks can be smaller.
    """

    offsets: tuple[int, ...]
    bytes: int
    lower_bound: int


def plan(blocks: Sequence[Block]) -> Plan:
    """Place all blocks; the result depends on nothing but the blocks."""
    sizes = [-(-block.bytes // ALIGNMENT) * ALIGNMENT for block in blocks]
    lower_bound = _lower_bound(blocks, sizes)
    if not blocks:
        return Plan((), 0, 0)
    neighbours = [
        [j for j, b in enumerate(blocks) if j != i and a.first <= b.last and b.first <= a.last]
        for i, a in enumerate(blocks)
    ]

    best_order: list[int] = []
    best: tuple[int, list[int]] | None = None
    for order in _orders(blocks, sizes):
        candidate = _first_fit(order, sizes, neighbours)
        if best is None or candidate[0] < best[0]:
            best, best_order = candidate, order
        if best[0] == lower_bound:
            break
    assert best is not None
    if best[0] > lower_bound:
        best = _search(best, best_order, sizes, neighbours, lower_bound)
    return Plan(tuple(best[1]), best[0], lower_bound)


def _lower_bound(blocks: Sequence[Block], sizes: Sequence[int]) -> int:
    alive: dict[int, int] = {}
    for block, size in zip(blocks, sizes, strict=True):
        for step in range(block.first, block.last + 1):
            alive[step] = alive.get(step, 0) + size
    return max(alive.values(), default=0)


def _orders(blocks: Sequence[Block], sizes: Sequence[int]) -> list[list[int]]:
    indices = range(len(blocks))
    length = [block.last - block.first + 1 for block in blocks]
    return [
        sorted(indices, key=lambda i: (-sizes[i], blocks[i].first)),
        sorted(indices, key=lambda i: (-sizes[i] * length[i], blocks[i].first)),
        sorted(indices, key=lambda i: (-length[i], -sizes[i])),
        sorted(indices, key=lambda i: (blocks[i].first, -sizes[i])),
        sorted(indices, key=lambda i: (-blocks[i].last, -sizes[i])),
    ]


def _first_fit(
    order: Sequence[int], sizes: Sequence[int], neighbours: Sequence[Sequence[int]]
) -> tuple[int, list[int]]:
    """Each block at the lowest offset that is free during its life."""
    offsets = [-1] * len(sizes)
    arena = 0
    for i in order:
        taken = sorted(
            (offsets[j], offsets[j] + sizes[j]) for j in neighbours[i] if offsets[j] >= 0
        )
        offset = 0
        for begin, end in taken:
            if begin - offset >= sizes[i]:
                break
            offset = max(offset, end)
        offsets[i] = offset
        arena = max(arena, offset + sizes[i])
    return arena, offsets


def _search(
    best: tuple[int, list[int]],
    order: list[int],
    sizes: Sequence[int],
    neighbours: Sequence[Sequence[int]],
    lower_bound: int,
) -> tuple[int, list[int]]:
    """Hill climbing: move one block to another place in the order, keep what is no worse."""
    generator = random.Random(0)
    count = len(order)
    for _ in range(min(SEARCH_STEPS, SEARCH_WORK // count**2)):
        trial = order.copy()
        trial.insert(generator.randrange(count), trial.pop(generator.randrange(count)))
        candidate = _first_fit(trial, sizes, neighbours)
        if candidate[0] <= best[0]:
            best, order = candidate, trial
        if best[0] == lower_bound:
            break
    return best
