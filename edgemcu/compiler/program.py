"""The compiled network before it is written out: layers bound to kernels, tensors to addresses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from edgemcu.compiler import kernels, planner
from edgemcu.compiler.operations import (
    Convolution,
    ConvolutionThenDepthwise,
    DepthwiseConvolution,
    Operation,
)
from edgemcu.compiler.passes import Schedule, schedule
from edgemcu.compiler.passes.network import Network, Step, data_inputs
from edgemcu.errors import UnsupportedModelError
from edgemcu.graph.ir import Graph


@dataclass(frozen=True)
class Call:
    """One kernel call: what it computes, by which kernel, with which constants."""

    operation: Operation
    kernel: kernels.AnyKernel
    binding: kernels.Binding
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One operator of the network, or two that one kernel computes.

    Attributes:
        number: from 1, in execution order.
        steps: operators as in the graph.
        calls: mostly one, one per input for CONCATENATION.
        scratch: offset of its scratch memory in the arena, None if it needs none.
    """

    number: int
    steps: tuple[Step, ...]
    calls: tuple[Call, ...]
    scratch: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its operators by TensorFlow Lite's names."""
        return tuple(step.op.kind.value for step in self.steps)

    @property
    def output(self) -> int:
        """The tensor that it writes."""
        return self.steps[-1].op.outputs[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What passes changed about it."""
        return tuple(note for step in self.steps for note in step.notes)

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
    layers: list[Layer] = []
    steps = list(order.steps)
    while steps:
        layer = _joined(network, steps, target, len(layers) + 1)
        layer = layer or _layer(network, steps[0], target, len(layers) + 1)
        del steps[: len(layer.steps)]
        layers.append(layer)
    memory = _Memory(order, layers)
    return Program(
        order.graph,
        order.storage,
        tuple(replace(layer, scratch=memory.scratch[layer.number]) for layer in layers),
        memory.placements,
        memory.constants,
        memory.plan,
    )


def _layer(network: Network, step: Step, target: str, number: int) -> Layer:
    operations = network.lower(step)
    pieces = [(i,) for i in step.op.inputs] if len(operations) > 1 else [data_inputs(step.op)]
    calls = tuple(
        _bind(operation, kernels.choose(operation, target), inputs)
        for operation, inputs in zip(operations, pieces, strict=True)
    )
    return Layer(number, (step,), calls)


def _joined(network: Network, steps: list[Step], target: str, number: int) -> Layer | None:
    """The first two steps as one layer, if there is a kernel that does not cost more than two."""
    if not steps[0].joins:
        return None
    first, second = steps[:2]
    (convolution,), (depthwise,) = network.lower(first), network.lower(second)
    assert isinstance(convolution, Convolution) and isinstance(depthwise, DepthwiseConvolution)
    alone = [(each, kernels.choose(each, target)) for each in (convolution, depthwise)]
    both = ConvolutionThenDepthwise(convolution, depthwise)
    kernel = kernels.cheapest(both, target)
    if kernel is None or kernel.cost(both) > sum(own.cost(each) for each, own in alone):
        return None
    return Layer(number, (first, second), (_bind(both, kernel, data_inputs(first.op)),))


def _bind(operation: Operation, kernel: kernels.AnyKernel, inputs: tuple[int, ...]) -> Call:
    return Call(operation, kernel, kernel.bind(operation), inputs)


class _Memory:
    """Lives of all activations, which of them may overlap, and the arena plan for both."""

    def __init__(self, order: Schedule, layers: Sequence[Layer]) -> None:
        self.graph = order.graph
        self.storage = order.storage
        self.lives = self._lives(layers)
        self._plan(self._slides(layers), layers)

    def _lives(self, layers: Sequence[Layer]) -> dict[int, tuple[int, int]]:
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
        for layer in layers:
            for call in layer.calls:
                for tensor in call.inputs:
                    touch(tensor, layer.number)
            lives[self.storage[layer.output]] = (layer.number, layer.number)
        for tensor in self.graph.outputs:
            touch(tensor, len(layers) + 1)
        self.constants = tuple(constants)
        return lives

    def _slides(self, layers: Sequence[Layer]) -> dict[tuple[int, int], int]:
        """Inputs that an output may slide over: their last reader is the layer that writes it."""
        slides: dict[tuple[int, int], int] = {}
        for layer in layers:
            output = self.storage[layer.output]
            # Of several calls, only the first has read its input before another one writes.
            first, *others = layer.calls
            later = {self.storage[i] for call in others for i in call.inputs}
            for source in {self.storage[i] for i in first.inputs} - later:
                distances = [
                    first.binding.overlap.get(position)
                    for position, tensor in enumerate(first.inputs)
                    if self.storage[tensor] == source
                ]
                if source in self.lives and self.lives[source][1] == layer.number:
                    known = [distance for distance in distances if distance is not None]
                    if len(known) == len(distances):
                        slides[source, output] = max(known)
        return slides

    def _plan(self, slides: dict[tuple[int, int], int], layers: Sequence[Layer]) -> None:
        roots = list(self.lives)
        index = {root: i for i, root in enumerate(roots)}
        blocks = [
            planner.Block(self.graph.tensors[root].bytes, *self.lives[root]) for root in roots
        ]
        scratch: list[tuple[int, planner.Block]] = []
        for layer in layers:
            if layer.scratch_bytes:
                block = planner.Block(layer.scratch_bytes, layer.number, layer.number)
                scratch.append((layer.number, block))
        self.plan = planner.plan(
            [*blocks, *(block for _, block in scratch)],
            {(index[a], index[b]): distance for (a, b), distance in slides.items()},
            max((c.kernel.alignment for layer in layers for c in layer.calls), default=4),
        )
        self.placements = {
            root: Placement(root, offset, *self.lives[root])
            for root, offset in zip(roots, self.plan.offsets, strict=False)
        }
        self.scratch: dict[int, int | None] = dict.fromkeys(layer.number for layer in layers)
        self.scratch.update(
            (number, offset)
            for (number, _), offset in zip(scratch, self.plan.offsets[len(blocks) :], strict=True)
        )
