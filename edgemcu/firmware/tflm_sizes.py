"""Sizes of TensorFlow Lite Micro's structs, by the rules that a compiler lays them out with.

Measured: the declarations of tflite-micro at `TFLM_COMMIT`, compiled with TF_LITE_STATIC_MEMORY by
GCC 12 (for Arm with its AAPCS's short enums and without them, and for x86-64), and `sizeof` and
`alignof` read from the object files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TFLM_COMMIT = "90b983c2b3f1480642e040bbd2ddb37b998f3424"

AbiName = Literal["aapcs", "ilp32", "lp64"]


@dataclass(frozen=True)
class Abi:
    """How a target's compiler lays out structs.

    Attributes:
        name: "aapcs" (32-bit Arm: enums as small as they can be), "ilp32" (other 32-bit targets),
            "lp64" (64-bit computers).
        pointer: bytes of a pointer, and of size_t.
    """

    name: AbiName
    pointer: int

    def size(self, struct: str) -> int:
        return _SIZES[struct][_COLUMNS[self.name]][0]

    def alignment(self, struct: str) -> int:
        return _SIZES[struct][_COLUMNS[self.name]][1]


AAPCS = Abi("aapcs", 4)
ILP32 = Abi("ilp32", 4)
LP64 = Abi("lp64", 8)

_COLUMNS: dict[AbiName, int] = {"aapcs": 0, "ilp32": 1, "lp64": 2}

# struct: (bytes, alignment) for aapcs, ilp32, lp64
_SIZES: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    # The interpreter's and the allocator's own
    "SingleArenaBufferAllocator": ((36, 4), (36, 4), (72, 8)),
    "GreedyMemoryPlanner": ((44, 4), (44, 4), (72, 8)),
    "MicroAllocator": ((36, 4), (36, 4), (72, 8)),
    "MicroBuiltinDataAllocator": ((8, 4), (8, 4), (16, 8)),
    "SubgraphAllocations": ((8, 4), (8, 4), (16, 8)),
    "NodeAndRegistration": ((32, 4), (32, 4), (64, 8)),
    "ScratchBufferHandle": ((4, 4), (4, 4), (8, 8)),
    "ScratchBufferRequest": ((12, 4), (12, 4), (16, 8)),
    "AllocationInfo": ((24, 4), (24, 4), (32, 8)),
    "TfLiteEvalTensor": ((12, 4), (12, 4), (24, 8)),
    "TfLiteTensor": ((32, 4), (40, 4), (64, 8)),
    "TfLiteAffineQuantization": ((12, 4), (12, 4), (24, 8)),
    # An operator's options, parsed
    "TfLiteAddParams": ((2, 1), (8, 4), (8, 4)),
    "TfLiteConcatenationParams": ((8, 4), (8, 4), (8, 4)),
    "TfLiteConvParams": ((28, 4), (28, 4), (28, 4)),
    "TfLiteDepthwiseConvParams": ((28, 4), (28, 4), (28, 4)),
    "TfLiteFullyConnectedParams": ((5, 1), (16, 4), (16, 4)),
    "TfLiteMulParams": ((1, 1), (4, 4), (4, 4)),
    "TfLitePoolParams": ((40, 4), (40, 4), (40, 4)),
    "TfLiteReducerParams": ((1, 1), (1, 1), (1, 1)),
    "TfLiteReshapeParams": ((36, 4), (36, 4), (36, 4)),
    "TfLiteSoftmaxParams": ((4, 4), (4, 4), (4, 4)),
    "TfLiteSqueezeParams": ((36, 4), (36, 4), (36, 4)),
    "TfLiteSubParams": ((2, 1), (8, 4), (8, 4)),
    # What the reference kernels keep
    "OpDataAdd": ((60, 4), (60, 4), (60, 4)),
    "OpDataConcatenation": ((24, 4), (24, 4), (40, 8)),
    "OpDataConv": ((56, 4), (56, 4), (72, 8)),
    "OpDataDequantize": ((32, 8), (32, 8), (32, 8)),
    "OpDataFullyConnected": ((48, 4), (48, 4), (64, 8)),
    "OpDataHardSwish": ((20, 4), (20, 4), (20, 4)),
    "OpDataLogistic": ((16, 4), (16, 4), (16, 4)),
    "OpDataMul": ((36, 4), (36, 4), (36, 4)),
    "OpDataPad": ((56, 4), (56, 4), (56, 4)),
    "OpDataPooling": ((32, 4), (32, 4), (32, 4)),
    "OpDataQuantize": ((32, 8), (32, 8), (32, 8)),
    "OpDataReduce": ((44, 4), (44, 4), (44, 4)),
    "OpDataRelu": ((28, 4), (28, 4), (28, 4)),
    "OpDataRelu6": ((8, 4), (8, 4), (8, 4)),
    "OpDataSoftmax": ((56, 8), (56, 8), (80, 8)),
    "OpDataSub": ((52, 4), (52, 4), (52, 4)),
}
