"""What passes work on: operators in order, with what the graph's own form cannot say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edgemcu.compiler import operations as o
from edgemcu.compiler.lowering import NO_PADDING, Paddings, lower
from edgemcu.graph.ir import Graph, Op, OpKind, Tensor

# Same bytes under another name: they cost nothing.
ALIASES = frozenset({OpKind.RESHAPE, OpKind.SQUEEZE})

CONVOLUTIONS = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D})
WEIGHTED = CONVOLUTIONS | {OpKind.FULLY_CONNECTED}


@dataclass(frozen=True)
class Step:
    """An operator, and what passes made part of it.

    Attributes:
        op: as in the graph, or what a pass made of it.
        padding: what a PAD before a convolution would have added.
        clamp: the int8 values that an activation behind it leaves, None if there is none.
        joins: whether nobody but the next step reads its output, and one kernel may compute both.
        notes: what passes changed, for people who read the generated code.
    """

    op: Op
    padding: Paddings = NO_PADDING
    clamp: tuple[int, int] | None = None
    joins: bool = False
    notes: tuple[str, ...] = ()

    def noted(self, note: str) -> Step:
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True)
class Network:
    """A graph's tensors, and the steps that compute them; passes turn one into another.

    Attributes:
        graph: its tensors, inputs and outputs are current; its operators are those of the file.
        steps: in execution order.
    """

    graph: Graph
    steps: tuple[Step, ...]

    def with_tensors(self, tensors: Iterable[Tensor]) -> Network:
        return replace(self, graph=replace(self.graph, tensors=tuple(tensors)))

    def with_steps(self, steps: Iterable[Step]) -> Network:
        return replace(self, steps=tuple(steps))

    def readers(self) -> Counter[int]:
        """How often each tensor is read, by operators and as an output of the network."""
        count = Counter(tensor for step in self.steps for tensor in step.op.inputs)
        count.update(self.graph.outputs)
        return count

    def lower(self, step: Step) -> tuple[o.Operation, ...]:
        """The operations of a step.

        Raises:
            UnsupportedModelError: as `lowering.lower`.
        """
        operations = lower(self.graph, step.op, step.padding)
        if step.clamp is None:
            return operations
        low, high = step.clamp
        return tuple(_clamped(operation, low, high) for operation in operations)


def data_inputs(op: Op) -> tuple[int, ...]:
    """Inputs that a kernel reads at run time; weights and biases are in its constants."""
    return op.inputs[:1] if op.kind in WEIGHTED else op.inputs


def _clamped(operation: o.Operation, low: int, high: int) -> o.Operation:
    assert isinstance(operation, o.CLAMPING)
    output = operation.output
    # Clamping to one range, then to another; the second may lie outside of the first.
    first, last = (min(max(limit, low), high) for limit in (output.min, output.max))
    return replace(operation, output=replace(output, min=first, max=last))
