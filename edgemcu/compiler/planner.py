"""Where each activation lies in the arena: a static plan that reuses memory between layers.

Two blocks that are alive at the same step must lie apart, with one exception: a layer's output may
slide over an input that is needed no longer, as far as its kernel allows (`Binding.overlap`). So
each such pair has two ways to lie, one above the other by some distance or the other way round, and
what is asked for is the lowest stack that respects all of them. That is NP-hard in general, but the
networks here are small and nearly chains: first fit over a few sensible orders, then a short
deterministic search over permutations, mostly meets the lower bound that `bounds` proves.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgemcu.compiler.bounds import Pair, lower_bound

ALIGNMENT = 4

# Work of the search in pairs looked at, bounded so that planning takes well under a second.
SEARCH_WORK = 400_000

_NO_SLIDES: Mapping[tuple[int, int], int] = {}


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
        offsets: multiples of the alignment that was asked for.
        bytes: size of the arena.
        lower_bound: no plan for these blocks can be smaller.
    """

    offsets: tuple[int, ...]
    bytes: int
    lower_bound: int


def plan(
    blocks: Sequence[Block],
    slides: Mapping[tuple[int, int], int] = _NO_SLIDES,
    alignment: int = ALIGNMENT,
) -> Plan:
    """Place all blocks; the result depends on nothing but the arguments.

    Args:
        blocks: in any order.
        slides: pairs (input, output) of blocks that may overlap although they are alive together,
            each with the smallest `input offset - output offset`.
        alignment: of every block's offset, in bytes.
    """
    if not blocks:
        return Plan((), 0, 0)
    sizes = [_aligned(block.bytes, alignment) for block in blocks]
    pairs = _pairs(blocks, sizes, slides, alignment)
    least = max(max(sizes), _alive_together(blocks, sizes, pairs))
    arena, offsets = _search(blocks, sizes, pairs, least)
    if arena > least:
        least = lower_bound(sizes, pairs, least, arena, alignment)
    return Plan(tuple(offsets), arena, least)


def _aligned(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _pairs(
    blocks: Sequence[Block],
    sizes: Sequence[int],
    slides: Mapping[tuple[int, int], int],
    alignment: int,
) -> list[Pair]:
    """All pairs that are alive together."""
    pairs = []
    by_start = sorted(range(len(blocks)), key=lambda i: blocks[i].first)
    for position, i in enumerate(by_start):
        for j in by_start[position + 1 :]:
            if blocks[j].first > blocks[i].last:
                break
            pair = Pair(i, j, over=sizes[j], under=sizes[i])
            if (i, j) in slides:
                over = min(_aligned(slides[i, j], alignment), sizes[j])
                pair = Pair(i, j, over=over, under=sizes[i])
            elif (j, i) in slides:
                over = min(_aligned(slides[j, i], alignment), sizes[i])
                pair = Pair(j, i, over=over, under=sizes[j])
            pairs.append(pair)
    return pairs


def _alive_together(blocks: Sequence[Block], sizes: Sequence[int], pairs: Sequence[Pair]) -> int:
    """The most bytes that must exist at any one step, whatever overlaps as far as it may.

    The output of a step hides at most its own size below its inputs, and in each of them at most
    what is left of it when they lie as close as they may.
    """
    alive: dict[int, int] = {}
    for block, size in zip(blocks, sizes, strict=True):
        for step in range(block.first, block.last + 1):
            alive[step] = alive.get(step, 0) + size
    shared: dict[int, int] = {}
    for pair in pairs:
        high, low = sizes[pair.high], sizes[pair.low]
        closest = max(low, high + max(pair.over, 0))
        shared[pair.low] = shared.get(pair.low, 0) + max(high + low - closest, 0)
    for output, hidden in shared.items():
        alive[blocks[output].first] -= min(hidden, sizes[output])
    return max(alive.values(), default=0)


def _search(
    blocks: Sequence[Block], sizes: Sequence[int], pairs: Sequence[Pair], least: int
) -> tuple[int, list[int]]:
    """First fit in several orders, then hill climbing from the best of them."""
    neighbours: list[list[tuple[int, int, int]]] = [[] for _ in blocks]
    for pair in pairs:
        neighbours[pair.high].append((pair.low, pair.under, pair.over))
        neighbours[pair.low].append((pair.high, pair.over, pair.under))
    best: tuple[int, list[int]] | None = None
    best_order: list[int] = []
    for order in _orders(blocks, sizes):
        candidate = _first_fit(order, sizes, neighbours)
        if best is None or candidate[0] < best[0]:
            best, best_order = candidate, order
        if best[0] <= least:
            return best
    assert best is not None
    generator = random.Random(0)
    count = len(blocks)
    for _ in range(SEARCH_WORK // (2 * len(pairs) + count)):
        trial = best_order.copy()
        trial.insert(generator.randrange(count), trial.pop(generator.randrange(count)))
        candidate = _first_fit(trial, sizes, neighbours)
        if candidate[0] <= best[0]:
            best, best_order = candidate, trial
        if best[0] <= least:
            break
    return best


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
    order: Sequence[int],
    sizes: Sequence[int],
    neighbours: Sequence[Sequence[tuple[int, int, int]]],
) -> tuple[int, list[int]]:
    """Each block at the lowest offset that all blocks placed before it allow.

    A neighbour (j, under, over) allows offsets up to `under` below its own or from `over` above.
    """
    offsets = [-1] * len(sizes)
    arena = 0
    for i in order:
        taken = sorted(
            (offsets[j] - under, offsets[j] + over)
            for j, under, over in neighbours[i]
            if offsets[j] >= 0
        )
        offset = 0
        for last_below, first_above in taken:
            if offset <= last_below:
                break
            offset = max(offset, first_above)
        offsets[i] = offset
        arena = max(arena, offset + sizes[i])
    return arena, offsets
