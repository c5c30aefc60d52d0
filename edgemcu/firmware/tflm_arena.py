"""The tensor arena's size, by going through what TensorFlow Lite Micro does when it starts.

TFLM takes what it keeps (structs, kernels' data, multipliers) from the arena's end and puts the
activations, packed by its greedy planner, at its beginning. While it prepares, the space between
holds temporary things; a small network can need more arena for these than it uses afterwards.

Sources, in tensorflow/lite/micro/ of tflite-micro at `TFLM_COMMIT`: micro_interpreter.cc
(AllocateTensors: the order of things), micro_allocator.cc (what is allocated), micro_interpreter_
graph.cc (kernels' Init and Prepare), micro_allocation_info.cc (lifetimes), memory_planner/
greedy_memory_planner.cc, arena_allocator/single_arena_buffer_allocator.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from edgemcu.firmware.cmsis_nn import Extension
from edgemcu.firmware.tflm_kernels import (
    OPERATORS,
    Kernels,
    data_bytes,
    persistent_buffers,
    scratch_buffers,
    temporaries,
)
from edgemcu.firmware.tflm_sizes import Abi
from edgemcu.tflite.file import FileTensor, ModelFile

ARENA_ALIGNMENT = 16
HEADROOM_BYTES = 256
HEADROOM_BYTES_PER_OPERATOR = 16

_INTERPRETER_STRUCTS = (
    "SingleArenaBufferAllocator",
    "GreedyMemoryPlanner",
    "MicroAllocator",
    "MicroBuiltinDataAllocator",
    "SubgraphAllocations",
)
_SCRATCH_REQUESTS_PER_OPERATOR = 12
_PLANNER_BYTES_PER_BUFFER = 40
_TYPE_BYTES = {
    "float32": 4, "float16": 2, "bfloat16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
    "float64": 8, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1, "int4": 1,
}  # fmt: skip


@dataclass(frozen=True)
class ArenaEstimate:
    """How much arena a model takes.

    Attributes:
        bytes: the size to give it: `needed` plus headroom.
        needed: the least with which TFLM starts; a multiple of 16.
        used: what `arena_used_bytes()` gives afterwards.
        activations: bytes of tensors and scratch buffers, as planned.
        persistent: bytes of everything else that stays.
    """

    bytes: int
    needed: int
    used: int
    activations: int
    persistent: int


@dataclass(frozen=True)
class Buffer:
    """What the planner places: bytes, and the first and last operator (from 1) that need it."""

    size: int
    first: int
    last: int


def compute_arena(
    model: ModelFile, abi: Abi, kernels: Kernels = "reference", extension: Extension = "none"
) -> ArenaEstimate:
    """Work out the arena of a model that edgemcu runs with TFLM.

    The headroom (256 bytes and 16 more for each operator) is for other versions of TFLM than the
    one at `TFLM_COMMIT`: for that one, `needed` is exact.

    `edgemcu.firmware.tflm_kernels.check_operators` comes first.
    """
    arena = _Arena(abi)
    requests = _allocate(model, abi, arena, kernels, extension)
    activations = plan(_buffers(model, requests))
    arena.set_head(activations)
    for indices in (model.inputs, model.outputs):
        arena.keep(abi.pointer * len(indices), ARENA_ALIGNMENT)
        for index in indices:
            arena.keep_struct("TfLiteTensor")
            for size, alignment in _quantization(model.tensors[index], abi):
                arena.keep(size, alignment)
    needed = _align(arena.peak, ARENA_ALIGNMENT)
    headroom = HEADROOM_BYTES + HEADROOM_BYTES_PER_OPERATOR * len(model.operators)
    return ArenaEstimate(
        bytes=needed + headroom,
        needed=needed,
        used=arena.head + arena.tail,
        activations=activations,
        persistent=arena.tail,
    )


def plan(buffers: Sequence[Buffer]) -> int:
    """Bytes that TFLM's greedy planner packs the buffers into.

    Largest first, each into the first gap between those that live at the same time; of equal ones
    the one that was added last comes first.
    """
    order = sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, -i))
    placed: list[tuple[int, Buffer]] = []  # by offset
    for buffer in (buffers[i] for i in order):
        offset = 0
        for other_offset, other in placed:
            if other.first > buffer.last or buffer.first > other.last:
                continue
            if other_offset - offset >= buffer.size:
                break
            offset = max(offset, other_offset + other.size)
        behind = sum(1 for other_offset, _ in placed if other_offset <= offset)
        placed.insert(behind, (offset, buffer))
    return max((offset + buffer.size for offset, buffer in placed), default=0)


class _Arena:
    """The arena while TFLM starts: what is taken at both ends, and the most that ever was.

    Its size is a multiple of 16, so that alignment is the same counted from either end.
    """

    def __init__(self, abi: Abi) -> None:
        self.abi = abi
        self.head = 0
        self.tail = 0
        self.temporary = 0
        self.peak = 0

    def keep(self, size: int, alignment: int) -> None:
        self.tail = _align(self.tail + size, alignment)
        self.peak = max(self.peak, self.head + self.tail)

    def keep_struct(self, name: str, count: int = 1) -> None:
        self.keep(self.abi.size(name) * count, self.abi.alignment(name))

    def set_head(self, size: int) -> None:
        self.head = self.temporary = size
        self.peak = max(self.peak, size + self.tail)

    def borrow(self, size: int, alignment: int) -> None:
        """Until `set_head`; what is given back in between does not count."""
        self.temporary = _align(self.temporary, alignment) + size
        self.peak = max(self.peak, self.temporary + self.tail)

    def borrow_struct(self, name: str, count: int = 1) -> None:
        self.borrow(self.abi.size(name) * count, self.abi.alignment(name))


def _allocate(
    model: ModelFile, abi: Abi, arena: _Arena, kernels: Kernels, extension: Extension
) -> list[tuple[int, int]]:
    """Everything up to the memory plan; returns (operator, bytes) of each scratch buffer."""

    def reserve_requests(count: int) -> None:
        most = count + _SCRATCH_REQUESTS_PER_OPERATOR
        arena.set_head(abi.size("ScratchBufferRequest") * most)

    for struct in _INTERPRETER_STRUCTS:
        arena.keep_struct(struct)
    reserve_requests(0)
    arena.keep_struct("TfLiteEvalTensor", len(model.tensors))
    arena.keep_struct("NodeAndRegistration", len(model.operators))
    for op in model.operators:
        if (options := OPERATORS[op.name].options) is not None:
            arena.keep_struct(options)
    for op in model.operators:
        if size := data_bytes(op.name, kernels, abi):
            arena.keep(size, ARENA_ALIGNMENT)

    requests: list[tuple[int, int]] = []
    for op in model.operators:
        for size in persistent_buffers(model, op, kernels, extension):
            arena.keep(size, ARENA_ALIGNMENT)
        for tensor in temporaries(model, op):
            arena.borrow_struct("TfLiteTensor")
            for size, alignment in _quantization(tensor, abi):
                arena.borrow(size, alignment)
        requests += [(op.index, size) for size in scratch_buffers(model, op, kernels, extension)]
        reserve_requests(len(requests))

    if requests:
        arena.keep_struct("ScratchBufferHandle", len(requests))
    infos = len(model.tensors) + len(requests)
    arena.borrow(abi.pointer, abi.pointer)
    arena.borrow_struct("AllocationInfo", infos)
    planned = sum(1 for tensor in model.tensors if _planned(tensor)) + len(requests)
    # The planner takes all that is left, from one multiple of 16 to another.
    to_boundary = -arena.tail % ARENA_ALIGNMENT
    arena.borrow(_PLANNER_BYTES_PER_BUFFER * planned + to_boundary, ARENA_ALIGNMENT)
    return requests


def _quantization(tensor: FileTensor, abi: Abi) -> list[tuple[int, int]]:
    """(bytes, alignment) of what a TfLiteTensor points to: its quantization, where it has one."""
    if not len(tensor.scales) or not len(tensor.zero_points):
        return []
    struct = "TfLiteAffineQuantization"
    return [(abi.size(struct), abi.alignment(struct)), (4 + 4 * len(tensor.scales), 4)]


def _planned(tensor: FileTensor) -> bool:
    return not tensor.constant and prod(tensor.shape) > 0


def _buffers(model: ModelFile, requests: Sequence[tuple[int, int]]) -> list[Buffer]:
    """The buffers in the planner's order, with their lifetimes.

    Tensors that no operator touches are planned as well; they live at -1, before everything.
    """
    first: dict[int, int] = dict.fromkeys(model.inputs, 0)
    last = dict(first)
    for op in model.operators:
        for index in op.outputs:
            first.setdefault(index, op.index + 1)
        last |= dict.fromkeys((*op.inputs, *op.outputs), op.index + 1)
    for index in model.outputs:
        first.setdefault(index, len(model.operators))
        last[index] = len(model.operators)
    tensors = [
        Buffer(
            size=_align(prod(tensor.shape) * _TYPE_BYTES[tensor.dtype], ARENA_ALIGNMENT),
            first=first.get(tensor.index, -1),
            last=last.get(tensor.index, -1),
        )
        for tensor in model.tensors
        if _planned(tensor)
    ]
    scratch = [
        Buffer(_align(size, ARENA_ALIGNMENT), operator + 1, operator + 1)
        for operator, size in requests
    ]
    return tensors + scratch


def _align(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
