"""How small an arena can be: a lower bound by propagation of intervals.

For an arena of a given size every block has an interval of possible offsets. A pair of blocks has
two ways to lie; where the intervals rule one of them out, the other shortens the intervals. If one
becomes empty, no plan of that size exists. This is how job-shop scheduling proves bounds (Carlier
and Pinson 1989, "immediate selection"), with memory in place of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Of each block, on average, before a size counts as possible.
MOST_VISITS = 50


@dataclass(frozen=True)
class Pair:
    """Two blocks of which one must lie above the other.

    Attributes:
        high, low: their indices. Either `high` begins at least `over` bytes above where `low`
            begins, or `low` begins at least `under` bytes above where `high` begins.
    """

    high: int
    low: int
    over: int
    under: int


def lower_bound(
    sizes: Sequence[int], pairs: Sequence[Pair], least: int, possible: int, step: int
) -> int:
    """The smallest multiple of `step` that propagation cannot rule out, between `least` (known to
    be a bound) and `possible` (known to be enough)."""
    while least < possible:
        middle = (least + possible) // 2 // step * step
        if _ruled_out(sizes, pairs, middle):
            least = middle + step
        else:
            possible = middle
    return least


def _ruled_out(sizes: Sequence[int], pairs: Sequence[Pair], arena: int) -> bool:
    """Whether propagation alone proves that no plan fits `arena` bytes."""
    lowest = [0] * len(sizes)
    highest = [arena - size for size in sizes]
    of_block: list[list[Pair]] = [[] for _ in sizes]
    for pair in pairs:
        of_block[pair.high].append(pair)
        of_block[pair.low].append(pair)
    queue = list(range(len(sizes)))
    waiting = set(queue)
    # A contradiction may creep up on itself in small steps: better to give up than to wait for it.
    for _ in range(MOST_VISITS * len(sizes)):
        if not queue:
            break
        block = queue.pop()
        waiting.discard(block)
        for pair in of_block[block]:
            for changed in _propagate(pair, lowest, highest):
                if lowest[changed] > highest[changed]:
                    return True
                if changed not in waiting:
                    waiting.add(changed)
                    queue.append(changed)
    return False


def _propagate(pair: Pair, lowest: list[int], highest: list[int]) -> list[int]:
    """Shortens the intervals of a pair that has only one way to lie; returns what changed."""
    high, low = pair.high, pair.low
    above = highest[high] >= lowest[low] + pair.over
    below = highest[low] >= lowest[high] + pair.under
    if above and below:
        return []
    if not above and not below:
        lowest[high] = highest[high] + 1
        return [high]
    top, bottom, gap = (high, low, pair.over) if above else (low, high, pair.under)
    changed = []
    if lowest[top] < lowest[bottom] + gap:
        lowest[top] = lowest[bottom] + gap
        changed.append(top)
    if highest[bottom] > highest[top] - gap:
        highest[bottom] = highest[top] - gap
        changed.append(bottom)
    return changed
