"""The memory planner: nothing alive overlaps but where it may, in an arena as small as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from edgemcu.compiler.planner import ALIGNMENT, Block, Plan, plan

Slides = dict[tuple[int, int], int]


@st.composite
def blocks(draw: st.DrawFn) -> list[Block]:
    result = []
    for _ in range(draw(st.integers(0, 25))):
        first = draw(st.integers(0, 20))
        result.append(Block(draw(st.integers(1, 5000)), first, first + draw(st.integers(0, 8))))
    return result


@st.composite
def networks(draw: st.DrawFn, most: int = 12, size: int = 5000) -> tuple[list[Block], Slides]:
    """Layers that write one block each and read one or two earlier ones, and what may overlap."""
    count = draw(st.integers(1, most))
    last = [i + 1 for i in range(count)]
    reads: list[list[int]] = [[]]
    for i in range(1, count):
        reads.append([i - 1, *([draw(st.integers(0, i - 1))] if draw(st.booleans()) else [])])
        for source in reads[i]:
            last[source] = max(last[source], i)
    made = [Block(draw(st.integers(1, size)), i, last[i]) for i in range(count)]
    slides = {
        (source, i): draw(st.integers(-size, 2 * size))
        for i in range(count)
        for source in reads[i]
        if last[source] == i and draw(st.integers(0, 3))
    }
    return made, slides


def check(
    given_blocks: Sequence[Block], result: Plan, slides: Mapping[tuple[int, int], int] = {}
) -> None:
    assert len(result.offsets) == len(given_blocks)
    assert result.bytes >= result.lower_bound
    for i, (a, offset) in enumerate(zip(given_blocks, result.offsets, strict=True)):
        assert offset % ALIGNMENT == 0
        assert offset >= 0
        assert offset + a.bytes <= result.bytes
        for j, (b, other) in enumerate(zip(given_blocks[:i], result.offsets[:i], strict=True)):
            if a.first <= b.last and b.first <= a.last:
                slid = any(
                    result.offsets[high] - result.offsets[low] >= slides[high, low]
                    for high, low in ((i, j), (j, i))
                    if (high, low) in slides
                )
                assert slid or offset + a.bytes <= other or other + b.bytes <= offset


@settings(deadline=None, max_examples=200)
@given(blocks())
def test_what_is_alive_together_does_not_overlap(given_blocks: list[Block]) -> None:
    result = plan(given_blocks)
    check(given_blocks, result)
    assert plan(given_blocks) == result


@settings(deadline=None, max_examples=200)
@given(networks())
def test_outputs_slide_over_inputs_only_as_far_as_allowed(
    network: tuple[list[Block], Slides],
) -> None:
    result = plan(*network)
    check(network[0], result, network[1])
    assert plan(*network) == result


def best_by_enumeration(given_blocks: Sequence[Block], slides: Slides) -> int:
    """The smallest arena: every order of offsets, each block as low as those below it allow."""
    sizes = [-(-block.bytes // ALIGNMENT) * ALIGNMENT for block in given_blocks]
    best = sum(sizes)
    for order in permutations(range(len(sizes))):
        offsets: dict[int, int] = {}
        for i in order:
            lowest = max(offsets.values(), default=0)
            for j, other in offsets.items():
                a, b = given_blocks[i], given_blocks[j]
                if a.first > b.last or b.first > a.last:
                    continue
                gap = sizes[j]
                if (i, j) in slides:
                    gap = min(gap, -(-slides[i, j] // ALIGNMENT) * ALIGNMENT)
                lowest = max(lowest, other + gap)
            offsets[i] = lowest
        best = min(best, max(offsets[i] + sizes[i] for i in offsets))
    return best


@settings(deadline=None, max_examples=60, derandomize=True)
@given(networks(most=5, size=60))
def test_no_plan_is_smaller_than_the_lower_bound(network: tuple[list[Block], Slides]) -> None:
    # Distances below 0 would let a block begin below one that comes before it in the order.
    given_blocks, slides = network
    slides = {pair: max(distance, 0) for pair, distance in slides.items()}
    result = plan(given_blocks, slides)
    best = best_by_enumeration(given_blocks, slides)
    assert result.lower_bound <= best <= result.bytes
    assert result.bytes <= 1.25 * best


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=40))
def test_chains_meet_the_lower_bound(sizes: list[int]) -> None:
    """Each tensor lives from the layer that writes it to the next one."""
    chain = [Block(size, i, i + 1) for i, size in enumerate(sizes)]
    result = plan(chain)
    check(chain, result)
    assert result.bytes == result.lower_bound


def test_residual_network_meets_the_lower_bound() -> None:
    """Every second tensor is also read by an addition two layers on."""
    sizes = [3072] + [16384] * 4 + [8192] * 4 + [4096] * 4
    network = [Block(size, i, i + (3 if i % 2 else 1)) for i, size in enumerate(sizes)]
    result = plan(network)
    check(network, result)
    assert result.bytes == result.lower_bound


def test_search_improves_on_every_simple_order() -> None:
    """First fit leaves a hole in this one, whichever way the blocks are sorted."""
    puzzle = [
        Block(40, 0, 1),
        Block(60, 1, 3),
        Block(20, 1, 2),
        Block(60, 3, 5),
        Block(40, 2, 4),
        Block(100, 5, 6),
    ]
    result = plan(puzzle)
    check(puzzle, result)
    assert result.bytes <= result.lower_bound * 1.2


def test_a_chain_that_slides_down_step_by_step() -> None:
    """Room for one block and all distances is enough, and the bound knows it."""
    chain = [Block(8000, i, i + 1) for i in range(9)]
    slides = {(i, i + 1): 320 for i in range(8)}
    result = plan(chain, slides)
    check(chain, result, slides)
    assert result.bytes == result.lower_bound == 8000 + 8 * 320


def test_an_output_takes_the_place_of_one_of_two_inputs() -> None:
    """An addition over either operand, whichever is needed no longer."""
    for last in ((2, 4), (4, 2)):
        operands = [Block(1000, 0, last[0]), Block(1000, 1, last[1]), Block(1000, 2, 3)]
        slides = {(last.index(2), 2): 0}
        result = plan(operands, slides)
        check(operands, result, slides)
        assert result.bytes == result.lower_bound == 2000


def test_long_networks_are_planned_with_bounded_work() -> None:
    """As many first fits as the budget allows, however long the network is."""
    chain = [Block(1000 + 7 * (i % 5), i, i + 1 + i % 3) for i in range(600)]
    result = plan(chain, {(i, i + 1): 40 for i in range(0, 600, 3)})
    check(chain, result, {(i, i + 1): 40 for i in range(0, 600, 3)})


def test_nothing_to_plan() -> None:
    assert plan([]) == Plan((), 0, 0)
