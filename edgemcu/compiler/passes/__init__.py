"""Lossless passes over the network, before kernels are chosen.

None of them changes a byte of the output, for any input; each can be turned off.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from edgemcu.compiler.passes.channels import remove_channels
from edgemcu.compiler.passes.network import ALIASES, Network, Step
from edgemcu.compiler.passes.settle import settle_channels
from edgemcu.compiler.passes.simplify import (
    drop_identities,
    drop_unread,
    fold_constants,
    fold_padding,
    fuse_activations,
    join_depthwise,
)
from edgemcu.errors import UnsupportedModelError
from edgemcu.graph.ir import Graph

__all__ = ["PASSES", "Schedule", "Step", "schedule", "selected_passes"]

PASSES: dict[str, Callable[[Network], Network]] = {
    "drop-unread": drop_unread,
    "fold-constants": fold_constants,
    "fold-padding": fold_padding,
    "fuse-activations": fuse_activations,
    "drop-identities": drop_identities,
    "settle-channels": settle_channels,
    "remove-channels": remove_channels,
    "join-depthwise": join_depthwise,
}
"""All passes, in the order in which they run."""


@dataclass(frozen=True)
class Schedule:
    """What has to be computed, in order, and which tensors share memory.

    Attributes:
        graph: the tensors; its operators are those of the file.
        steps: operators in execution order, none of which is a mere alias.
        storage: for each tensor of the graph, the tensor whose memory it is.
    """

    graph: Graph
    steps: tuple[Step, ...]
    storage: tuple[int, ...]


def selected_passes(without: Collection[str]) -> tuple[str, ...]:
    """All passes but those named.

    Raises:
        UnsupportedModelError: one of them does not exist.
    """
    for name in without:
        if name not in PASSES:
            raise UnsupportedModelError(
                f"there is no pass {name!r}", hint=f"Known: {', '.join(PASSES)}."
            )
    return tuple(name for name in PASSES if name not in without)


def schedule(graph: Graph, passes: Collection[str] = tuple(PASSES)) -> Schedule:
    """Run the passes named, in their order, and give aliases the memory of what they stand for."""
    network = Network(graph, tuple(Step(op) for op in graph.ops))
    for name, function in PASSES.items():
        if name in passes:
            network = function(network)
    tensors = network.graph.tensors
    storage = list(range(len(tensors)))
    for step in network.steps:
        op = step.op
        if op.kind in ALIASES and tensors[op.outputs[0]].data is None:
            storage[op.outputs[0]] = storage[op.inputs[0]]
    steps = tuple(step for step in network.steps if step.op.kind not in ALIASES)
    return Schedule(network.graph, steps, tuple(storage))
