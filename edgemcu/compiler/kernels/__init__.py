"""Which kernel computes a layer: the registry, and the choice among those that apply.

A kernel is a C function in `firmware_templates/compiled/kernels/` and the Python that lays out its
constants. A target is a list of kernels; "portable" runs everywhere and every other target falls
back on it. Among the kernels of a target that apply to an operation, the cheapest is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler.operations import Operation
from edgemcu.errors import UnsupportedModelError

OperationT = TypeVar("OperationT", bound=Operation)


@dataclass(frozen=True)
class Array:
    """A constant array in flash; `values` are flattened as they lie in memory.

    Attributes:
        alignment: of its first byte, where it must be more than the type's own.
    """

    values: NDArray[np.integer[Any]]
    alignment: int = 1

    @property
    def bytes(self) -> int:
        return int(self.values.nbytes)

    @property
    def c_type(self) -> str:
        return f"{self.values.dtype.name}_t"


Field = int | float | str | list[int] | Array | Mapping[str, Any]
"""A member of a kernel's parameter structure: text is the name of a C function, so that only those
are linked that some layer needs; a mapping is a structure inside it."""


@dataclass(frozen=True)
class Binding:
    """One operation bound to one kernel.

    Attributes:
        params: the members of the kernel's parameter structure, in order.
        scratch_bytes: memory that the kernel needs beside its inputs and output.
        overlap: inputs (by position) that may share memory with the output, each with the smallest
            `input offset - output offset` in bytes at which the kernel stays right; 0 allows it to
            work in place. Inputs that are not listed must lie apart from the output. See `overlap`.
        params_type: the C type of the parameters.
    """

    params: Mapping[str, Field]
    params_type: str
    scratch_bytes: int = 0
    overlap: Mapping[int, int] = field(default_factory=dict)

    @property
    def weights_bytes(self) -> int:
        """Flash for all arrays among the parameters."""
        return _array_bytes(self.params)


def _array_bytes(fields: Mapping[str, Field]) -> int:
    total = 0
    for value in fields.values():
        if isinstance(value, Array):
            total += value.bytes
        elif isinstance(value, Mapping):
            total += _array_bytes(value)
    return total


@dataclass(frozen=True)
class Kernel(Generic[OperationT]):
    """A C function that computes one kind of operation.

    Its arguments are a pointer to its parameters, its inputs, its output, and its scratch memory.

    Attributes:
        name: the C function; its prototype is in `<name>.h`.
        folder: where its sources are, below `firmware_templates/compiled/kernels/`.
        operation: what it computes.
        applies: whether it can compute this one.
        cost: estimated cycles on a Cortex-M4, or what else the kernels of a target agree on; only
            comparisons between them matter.
        bind: lays out the constants.
        scratch: whether it takes scratch memory; a layer may still need none of it.
        headers: other headers that it includes, relative to `folder`.
        alignment: of its inputs, output and scratch memory, in bytes.
        sources: other sources that it calls, shared with other kernels of `folder`.
    """

    name: str
    folder: str
    operation: type[OperationT]
    applies: Callable[[OperationT], bool]
    cost: Callable[[OperationT], float]
    bind: Callable[[OperationT], Binding]
    scratch: bool = False
    headers: tuple[str, ...] = field(default=())
    alignment: int = 4
    sources: tuple[str, ...] = field(default=())


AnyKernel = Kernel[Any]


@cache
def targets() -> Mapping[str, tuple[AnyKernel, ...]]:
    """The kernels of every target, by name."""
    from edgemcu.compiler.kernels import cortex_m4, cortex_m55, esp_nn, portable

    dsp = (*cortex_m4.KERNELS, *portable.KERNELS)
    return {
        "portable": portable.KERNELS,
        "cortex-m4": dsp,
        "cortex-m4-small": (*cortex_m4.SMALL_KERNELS, *portable.KERNELS),
        "cortex-m7": dsp,
        "cortex-m55": (*cortex_m55.KERNELS, *dsp),
        "esp-nn": (*esp_nn.KERNELS, *portable.KERNELS),
    }


def least_per_mac(target: str) -> float:
    """Instructions per multiply-accumulate if a target's core did nothing else: one product for
    MLA, two for SMLAD, sixteen for VMLADAVA.S8. Only Winograd's algorithm gets below."""
    dsp = dict.fromkeys(("cortex-m4", "cortex-m4-small", "cortex-m7"), 1 / 2)
    return {**dsp, "cortex-m55": 1 / 16}.get(target, 1.0)


def choose(operation: Operation, target: str) -> AnyKernel:
    """The cheapest kernel of `target` for an operation.

    Raises:
        UnsupportedModelError: there is no such target, or no kernel for this.
    """
    if target not in targets():
        known = ", ".join(sorted(targets()))
        raise UnsupportedModelError(f"no kernels for target {target!r}", hint=f"Known: {known}.")
    kernel = cheapest(operation, target)
    if kernel is None:
        raise UnsupportedModelError(f"no kernel for this {type(operation).__name__}")
    return kernel


def cheapest(operation: Operation, target: str) -> AnyKernel | None:
    """The cheapest kernel of a target that exists, None if none applies."""
    candidates = (
        kernel
        for kernel in targets()[target]
        if isinstance(operation, kernel.operation) and kernel.applies(operation)
    )
    return min(candidates, key=lambda kernel: (kernel.cost(operation), kernel.name), default=None)
