"""The memory planner: nothing alive overlaps, and the arena is as small as can be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edgemcu.compiler.planner import ALIGNMENT, Block, Plan, plan


@st.composite
def blocks(draw: st.DrawFn) -> list[Block]:
    result = []
    for _ in range(draw(st.integers(0, 25))):
        first = draw(st.integers(0, 20))
        result.append(Block(draw(st.integers(1, 5000)), first, first + draw(st.integers(0, 8))))
    return result


def check(given_blocks: list[Block], result: Plan) -> None:
    assert len(result.offsets) == len(given_blocks)
    assert result.bytes >= result.lower_bound
    for i, (a, offset) in enumerate(zip(given_blocks, result.offsets, strict=True)):
        assert offset % ALIGNMENT == 0
        assert offset >= 0
        assert offset + a.bytes <= result.bytes
        for b, other in zip(given_blocks[:i], result.offsets[:i], strict=True):
            if a.first <= b.last and b.first <= a.last:
                assert offset + a.bytes <= other or other + b.bytes <= offset


@settings(deadline=None, max_examples=200)
@given(blocks())
def test_what_is_alive_together_does_not_overlap(given_blocks: list[Block]) -> None:
    result = plan(given_blocks)
    check(given_blocks, result)
    assert plan(given_blocks) == result


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


def test_nothing_to_plan() -> None:
    assert plan([]) == Plan((), 0, 0)
