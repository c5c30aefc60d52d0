"""Removes channels that are constant or that nobody reads, and folds their effect into biases.

Training leaves networks with channels whose weights are all zero, or whose bias keeps them below an
activation for good: `ranges` finds out. A convolution that reads a constant channel adds the same
number to each of its sums, so the channel can go and the number joins the bias. This holds where
padding is involved only if the constant is the zero point, which is what padding consists of.

Channels hang together: an addition or a depthwise convolution has as many outputs as inputs. So
channels of all tensors are first joined into groups that go or stay as one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import wrap_int32
from edgemcu.compiler.passes.network import ALIASES, Network, Step, data_inputs
from edgemcu.compiler.passes.ranges import Range, channels_of, find_ranges
from edgemcu.graph.ir import (
    ConcatenationAttributes,
    DType,
    MeanAttributes,
    Op,
    OpKind,
    PadAttributes,
    Quantization,
    Tensor,
)

# Kernels work on words of four bytes; a few channels more cost less than a rest of one to three.
MULTIPLE = 4

# With a single channel left, weights quantized per channel would look as if they were not.
LEAST = 2

_ELEMENTWISE = frozenset({OpKind.ADD, OpKind.SUB, OpKind.MUL})
_CHANNEL_BY_CHANNEL = frozenset(
    {
        OpKind.AVERAGE_POOL_2D,
        OpKind.MAX_POOL_2D,
        OpKind.RELU,
        OpKind.RELU6,
        OpKind.LOGISTIC,
        OpKind.HARD_SWISH,
        OpKind.QUANTIZE,
    }
)


def remove_channels(network: Network) -> Network:
    """Apply the pass."""
    ranges = find_ranges(network)
    keep = _Groups(network, ranges).kept()
    if all(kept.all() for kept in keep.values()):
        return network
    return _Rewriter(network, ranges, keep).rewritten()


class _Groups:
    """Channels of all activations, joined where operators tie them, and which must stay."""

    def __init__(self, network: Network, ranges: dict[int, Range]) -> None:
        self.network = network
        self.ranges = ranges
        self.tensors = network.graph.tensors
        self.first: dict[int, int] = {}
        count = 0
        for index, tensor in enumerate(self.tensors):
            if tensor.data is None and index in ranges:
                self.first[index] = count
                count += channels_of(tensor)
        self.parent = list(range(count))
        self.must_stay: list[int] = []
        # What a channel needs if it stays: channels that a convolution reads for it.
        self.needs: dict[int, list[int]] = {}
        for end in (*network.graph.inputs, *network.graph.outputs):
            self._keep_all(end)
        for step in network.steps:
            self._tie(step)

    def kept(self) -> dict[int, NDArray[np.bool_]]:
        """For each activation, bool (channels,): which channels stay."""
        members: dict[int, list[int]] = {}
        for node in range(len(self.parent)):
            members.setdefault(self._root(node), []).append(node)
        stays = [False] * len(self.parent)

        def keep(nodes: list[int]) -> None:
            waiting = list(nodes)
            while waiting:
                root = self._root(waiting.pop())
                if not stays[root]:
                    for node in members[root]:
                        stays[node] = True
                        waiting += self.needs.get(node, ())

        keep(self.must_stay)
        complete = False
        while not complete:
            complete = True
            for tensor, first in self.first.items():
                nodes = range(first, first + channels_of(self.tensors[tensor]))
                gone = [node for node in nodes if not stays[node]]
                left = len(nodes) - len(gone)
                wanted = min(max(-(-left // MULTIPLE) * MULTIPLE, LEAST), len(nodes))
                if left < wanted:
                    keep(gone[: wanted - left])
                    complete = False
        return {
            tensor: np.array(stays[first : first + channels_of(self.tensors[tensor])])
            for tensor, first in self.first.items()
        }

    def _root(self, node: int) -> int:
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def _nodes(self, tensor: int) -> range:
        first = self.first[tensor]
        return range(first, first + channels_of(self.tensors[tensor]))

    def _keep_all(self, tensor: int) -> None:
        if tensor in self.first:
            self.must_stay += self._nodes(tensor)

    def _join(self, a: Any, b: Any) -> None:
        for x, y in zip(a, b, strict=True):
            self.parent[self._root(x)] = self._root(y)

    def _tie(self, step: Step) -> None:
        op = step.op
        output = op.outputs[0]
        if output not in self.first or not self._tie_known(step, op, output):
            for tensor in (*op.inputs, output):
                self._keep_all(tensor)

    def _tie_known(self, step: Step, op: Op, output: int) -> bool:
        """Whether this operator lets channels go at all."""
        if op.kind in (OpKind.CONV_2D, OpKind.FULLY_CONNECTED):
            return self._tie_weighted(step, op, output)
        sources = [tensor for tensor in data_inputs(op) if tensor in self.first]
        channels = channels_of(self.tensors[output])
        if op.kind is OpKind.DEPTHWISE_CONV_2D:
            if not sources:
                return False
            nodes = self._nodes(sources[0])
            multiplier = channels // len(nodes)
            self._join([node for node in nodes for _ in range(multiplier)], self._nodes(output))
            return True
        if op.kind is OpKind.CONCATENATION:
            return self._tie_concatenation(op, output)
        if op.kind in _ELEMENTWISE:
            for tensor in sources:
                if channels_of(self.tensors[tensor]) == channels:
                    self._join(self._nodes(tensor), self._nodes(output))
                else:
                    self._keep_all(tensor)
            return True
        if op.kind in ALIASES and len(sources) == 1:
            return self._tie_reshaped(sources[0], output)
        if _keeps_channels(op, self.tensors) and len(sources) == 1:
            self._join(self._nodes(sources[0]), self._nodes(output))
            return True
        return False

    def _tie_reshaped(self, source: int, output: int) -> bool:
        """Flattened pixels hold each channel many times, at every `channels`-th place."""
        few, many = sorted((self._nodes(source), self._nodes(output)), key=len)
        if len(many) % len(few):
            return False
        self._join(list(few) * (len(many) // len(few)), many)
        return True

    def _tie_weighted(self, step: Step, op: Op, output: int) -> bool:
        (operation,) = self.network.lower(step)
        assert isinstance(operation, o.Convolution | o.FullyConnected)
        source = op.inputs[0]
        weights = operation.weights.reshape(operation.weights.shape[0], -1, _depth(operation))
        if source not in self.first or weights.shape[2] != channels_of(self.tensors[source]):
            self._keep_all(source)
            # Of the outputs, those that nobody reads may still go.
            return isinstance(operation, o.FullyConnected)
        folds = foldable(operation, self.ranges[source])
        reads = np.any(weights, axis=1) & ~folds
        nodes = self._nodes(source)
        for node, row in zip(self._nodes(output), reads, strict=True):
            self.needs[node] = [nodes[channel] for channel in np.flatnonzero(row)]
        return True

    def _tie_concatenation(self, op: Op, output: int) -> bool:
        assert isinstance(op.attributes, ConcatenationAttributes)
        rank = len(self.tensors[output].shape)
        if any(tensor not in self.first for tensor in op.inputs):
            return False
        nodes = self._nodes(output)
        if op.attributes.axis % rank == rank - 1:
            joined = [node for tensor in op.inputs for node in self._nodes(tensor)]
            self._join(joined, nodes)
        else:
            for tensor in op.inputs:
                self._join(self._nodes(tensor), nodes)
        return True


def foldable(operation: o.Convolution | o.FullyConnected, source: Range) -> NDArray[np.bool_]:
    """bool, (input channels,): channels that add the same to the sums of all pixels."""
    constant = source.constant
    if isinstance(operation, o.Convolution) and operation.window.pads:
        constant = constant & (source.low == operation.input_zero_point)
    return np.asarray(constant)


def _depth(operation: o.Convolution | o.FullyConnected) -> int:
    return int(operation.weights.shape[-1])


def _keeps_channels(op: Op, tensors: tuple[Tensor, ...]) -> bool:
    """Whether output channel c depends on input channel c alone, for all c."""
    source, target = tensors[op.inputs[0]], tensors[op.outputs[0]]
    if channels_of(source) != channels_of(target):
        return False
    if isinstance(op.attributes, MeanAttributes):
        return len(source.shape) - 1 not in op.attributes.axes
    if isinstance(op.attributes, PadAttributes):
        return not op.attributes.paddings or op.attributes.paddings[-1] == (0, 0)
    return op.kind in _CHANNEL_BY_CHANNEL


@dataclass
class _Rewriter:
    """Tensors and steps without the channels that go."""

    network: Network
    ranges: dict[int, Range]
    keep: dict[int, NDArray[np.bool_]]

    def rewritten(self) -> Network:
        self.tensors = [self._cut(*entry) for entry in enumerate(self.network.graph.tensors)]
        steps = [self._step(step) for step in self.network.steps]
        return self.network.with_steps(steps).with_tensors(self.tensors)

    def _cut(self, index: int, tensor: Tensor) -> Tensor:
        if index not in self.keep or self.keep[index].all():
            return tensor
        return replace(tensor, shape=(*tensor.shape[:-1], int(self.keep[index].sum())))

    def _new(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _step(self, step: Step) -> Step:
        op, output = step.op, step.op.outputs[0]
        if output not in self.keep:
            return step
        kept_out = self.keep[output]
        if op.kind in _ELEMENTWISE:
            inputs = tuple(self._operand(index, kept_out) for index in op.inputs)
            return replace(step, op=replace(op, inputs=inputs))
        if op.kind is OpKind.DEPTHWISE_CONV_2D:
            return self._depthwise(step, kept_out)
        if op.kind in (OpKind.CONV_2D, OpKind.FULLY_CONNECTED):
            return self._weighted(step, kept_out)
        return step

    def _operand(self, index: int, kept: NDArray[np.bool_]) -> int:
        """A constant operand of an addition, cut like the other one."""
        tensor = self.network.graph.tensors[index]
        if tensor.data is None or channels_of(tensor) != kept.size or kept.all():
            return index
        data = tensor.data[..., kept]
        return self._new(replace(tensor, data=data, shape=data.shape))

    def _depthwise(self, step: Step, kept: NDArray[np.bool_]) -> Step:
        if kept.all():
            return step
        op = step.op
        operands = [self._sliced(op.inputs[1], kept, 3)]
        operands += [self._sliced(index, kept, 0) for index in op.inputs[2:]]
        changed = replace(step, op=replace(op, inputs=(op.inputs[0], *operands)))
        return changed.noted(f"Without {_share(kept)} channels, which are constant or unread.")

    def _sliced(self, index: int, kept: NDArray[np.bool_], axis: int) -> int:
        """A constant without the channels that go along `axis`."""
        tensor = self.network.graph.tensors[index]
        assert tensor.data is not None
        data = np.compress(kept, tensor.data, axis=axis)
        quantization = _sliced_quantization(tensor.quantization, kept)
        return self._new(replace(tensor, data=data, shape=data.shape, quantization=quantization))

    def _weighted(self, step: Step, kept_out: NDArray[np.bool_]) -> Step:
        (operation,) = self.network.lower(step)
        assert isinstance(operation, o.Convolution | o.FullyConnected)
        source = step.op.inputs[0]
        depth = _depth(operation)
        kept_in = self.keep.get(source, np.ones(depth, bool))
        if kept_in.size != depth:
            kept_in = np.ones(depth, bool)
        if kept_in.all() and kept_out.all():
            return step
        op, tensors = step.op, self.network.graph.tensors
        weights = tensors[op.inputs[1]].data
        assert weights is not None
        bias = np.zeros(weights.shape[0], np.int64)
        if len(op.inputs) > 2:
            stored = tensors[op.inputs[2]].data
            assert stored is not None
            bias += stored.astype(np.int64)
        # What removed inputs add to every sum: Σ w × (constant − zero point).
        quantization = tensors[source].quantization
        assert quantization is not None
        values = self.ranges[source].of(depth).low - quantization.zero_point
        gone = weights[..., ~kept_in].astype(np.int64) * values[~kept_in]
        bias += gone.reshape(weights.shape[0], -1).sum(axis=1)

        cut = weights[..., kept_in][kept_out]
        old = tensors[op.inputs[1]]
        scales = _sliced_quantization(old.quantization, kept_out)
        new_bias = wrap_int32(bias)[kept_out].astype(np.int32)
        inputs = (
            source,
            self._new(replace(old, data=cut, shape=cut.shape, quantization=scales)),
            self._new(Tensor(f"{old.name}, bias", new_bias.shape, DType.INT32, None, new_bias)),
        )
        parts = [
            f"{_share(kept)} {what}"
            for kept, what in ((kept_in, "inputs"), (kept_out, "outputs"))
            if not kept.all()
        ]
        note = f"Without {' and '.join(parts)}: constant (now in the bias) or unread."
        return replace(step, op=replace(op, inputs=inputs)).noted(note)


def _share(kept: NDArray[np.bool_]) -> str:
    return f"{int((~kept).sum())} of {kept.size}"


def _sliced_quantization(
    quantization: Quantization | None, kept: NDArray[np.bool_]
) -> Quantization | None:
    if quantization is None or not quantization.per_channel:
        return quantization
    return replace(
        quantization,
        scales=quantization.scales[kept],
        zero_points=quantization.zero_points[kept],
    )
