"""The compiled network before it is written out: layers bound to kernels, tensors to addresses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from edgemcu.compiler import kernels, planner
from edgemcu.compiler.operations import Operation
from edgemcu.compiler.passes import Schedule, schedule
from edgemcu.compiler.passes.network import Network, data_inputs
from edgemcu.errors import UnsupportedModelError
from edgemcu.graph.ir import Graph, Op


@dataclass(frozen=True)
class Call:
    """One kernel call: what it computes, by which kernel, with which constants."""

    operation: Operation
    kernel: kernels.AnyKernel
    binding: kernels.Binding
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One operator of the network: mostly one call, one per input for CONCATENATION.

    Attributes:
        number: from 1, in execution order.
        op: as in the graph.
        output: the tensor that it writes.
        scratch: offset of its scratch memory in the arena, None if it needs none.
        notes: what passes changed about it.
    """

    number: int
    op: Op
    output: int
    calls: tuple[Call, ...]
    scratch: int | None
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        return sum(call.operation.macs for call in self.calls)

    @property
    def scratch_bytes(self) -> int:
        return max(call.binding.scratch_bytes for call in self.calls)


@dataclass(frozen=True)
class Placement:
    """Where an activation lies, and from which layer to which (0: before the first)."""

    tensor: int
    offset: int
    first: int
    last: int


@dataclass(frozen=True)
class Program:
    """All that the C text says.

    Attributes:
        graph: what it was made from, as the passes left it.
        storage: for each tensor of the graph, the tensor whose memory it is.
        layers: in execution order.
        placements: of activations, by storage tensor.
        constants: storage tensors that are read from flash.
        plan: the arena.
    """

    graph: Graph
    storage: tuple[int, ...]
    layers: tuple[Layer, ...]
    placements: dict[int, Placement]
    constants: tuple[int, ...]
    plan: planner.Plan

    def overlaps(self, layer: Layer) -> bool:
        """Whether a layer's output shares bytes of the arena with one of its inputs."""

        def place(tensor: int) -> tuple[int, int]:
            root = self.storage[tensor]
            begin = self.placements[root].offset
            return begin, begin + self.graph.tensors[root].bytes

        begin, end = place(layer.output)
        inputs = {i for call in layer.calls for i in call.inputs}
        stored = [i for i in inputs if self.storage[i] in self.placements]
        return any(first < end and begin < last for first, last in map(place, stored))


def build(graph: Graph, target: str, passes: Collection[str]) -> Program:
    """Run the passes, bind every operator to a kernel of `target` and plan the arena.

    Raises:
        UnsupportedModelError: an operator that this target cannot compute as the reference does.
    """
    order = schedule(graph, passes)
    network = Network(order.graph, order.steps)
    calls = []
    for step in order.steps:
        operations = network.lower(step)
        pieces = [(i,) for i in step.op.inputs] if len(operations) > 1 else [data_inputs(step.op)]
        calls.append(
            tuple(
                _bind(operation, target, inputs)
                for operation, inputs in zip(operations, pieces, strict=True)
            )
        )
    memory = _Memory(order, calls)
    layers = tuple(
        Layer(
            number,
            step.op,
            step.op.outputs[0],
            calls[number - 1],
            memory.scratch[number],
            step.notes,
        )
        for number, step in enumerate(order.steps, start=1)
    )
    return Program(
        order.graph, order.storage, layers, memory.placements, memory.constants, memory.plan
    )


def _bind(operation: Operation, target: str, inputs: tuple[int, ...]) -> Call:
    kernel = kernels.choose(operation, target)
    return Call(operation, kernel, kernel.bind(operation), inputs)


class _Memory:
    """Lives of all activations, which of them may overlap, and the arena plan for both."""

    def __init__(self, order: Schedule, calls: list[tuple[Call, ...]]) -> None:
        self.graph = order.graph
        self.storage = order.storage
        self.lives = self._lives(order, calls)
        self._plan(self._slides(order, calls), calls)

    def _lives(self, order: Schedule, calls: list[tuple[Call, ...]]) -> dict[int, tuple[int, int]]:
        """First and last layer of each activation; 0 is before the first, outputs live on."""
        lives: dict[int, tuple[int, int]] = {}
        constants: list[int] = []

        def touch(tensor: int, number: int) -> None:
            root = self.storage[tensor]
            if self.graph.tensors[root].data is not None:
                if root not in constants:
                    constants.append(root)
                return
            if root not in lives:
                raise UnsupportedModelError(
                    "is read before anything is written to it",
                    where=f"tensor {self.graph.tensors[root].name!r}",
                )
            first, last = lives[root]
            lives[root] = (first, max(last, number))

        for tensor in self.graph.inputs:
            lives.setdefault(self.storage[tensor], (0, 0))
        for number, (step, layer) in enumerate(zip(order.steps, calls, strict=True), start=1):
            for call in layer:
                for tensor in call.inputs:
                    touch(tensor, number)
            lives[self.storage[step.op.outputs[0]]] = (number, number)
        for tensor in self.graph.outputs:
            touch(tensor, len(calls) + 1)
        self.constants = tuple(constants)
        return lives

    def _slides(self, order: Schedule, calls: list[tuple[Call, ...]]) -> dict[tuple[int, int], int]:
        """Inputs that an output may slide over: their last reader is the layer that writes it."""
        slides: dict[tuple[int, int], int] = {}
        for number, (step, layer) in enumerate(zip(order.steps, calls, strict=True), start=1):
            output = self.storage[step.op.outputs[0]]
            # Of several calls, only the first has read its input before another one writes.
            first, *others = layer
            later = {self.storage[i] for call in others for i in call.inputs}
            for source in {self.storage[i] for i in first.inputs} - later:
                distances = [
                    first.binding.overlap.get(position)
                    for position, tensor in enumerate(first.inputs)
                    if self.storage[tensor] == source
                ]
                if source in self.lives and self.lives[source][1] == number:
                    known = [distance for distance in distances if distance is not None]
                    if len(known) == len(distances):
                        slides[source, output] = max(known)
        return slides

    def _plan(self, slides: dict[tuple[int, int], int], calls: list[tuple[Call, ...]]) -> None:
        roots = list(self.lives)
        index = {root: i for i, root in enumerate(roots)}
        blocks = [
            planner.Block(self.graph.tensors[root].bytes, *self.lives[root]) for root in roots
        ]
        scratch: list[tuple[int, planner.Block]] = []
        for number, layer in enumerate(calls, start=1):
            size = max(call.binding.scratch_bytes for call in layer)
            if size:
                scratch.append((number, planner.Block(size, number, number)))
        self.plan = planner.plan(
            [*blocks, *(block for _, block in scratch)],
            {(index[a], index[b]): distance for (a, b), distance in slides.items()},
            max(call.kernel.alignment for layer in calls for call in layer) if calls else 4,
        )
        self.placements = {
            root: Placement(root, offset, *self.lives[root])
            for root, offset in zip(roots, self.plan.offsets, strict=False)
        }
        self.scratch: dict[int, int | None] = dict.fromkeys(range(1, len(calls) + 1))
        self.scratch.update(
            (number, offset)
            for (number, _), offset in zip(scratch, self.plan.offsets[len(blocks) :], strict=True)
        )
