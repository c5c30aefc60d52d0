"""What TensorFlow Lite Micro's kernels ask of the arena, operator by operator.

Sources, in tflite-micro at `TFLM_COMMIT`: tensorflow/lite/micro/kernels/*_common.cc (reference),
tensorflow/lite/micro/kernels/cmsis_nn/*.cc, and for the parsed options
tensorflow/lite/core/api/flatbuffer_conversions.cc.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgemcu.errors import UnsupportedModelError
from edgemcu.firmware import cmsis_nn, esp_nn
from edgemcu.firmware.cmsis_nn import Extension, elements
from edgemcu.firmware.tflm_sizes import Abi
from edgemcu.tflite.file import FileOperator, FileTensor, ModelFile

Kernels = Literal["reference", "cmsis-nn", "esp-nn"]


@dataclass(frozen=True)
class Operator:
    """An operator as TFLM registers it.

    Attributes:
        method: the resolver's, without its "Add".
        options: the struct of its parsed options, if it has any.
        data: the struct that its kernel keeps, if it keeps one.
        temporaries: tensors that its preparation looks at, in order: "i" is the first input, "o"
            the output, "w" and "b" the second and third input; "*" stands for every input.
        cmsis_nn: the registration of CMSIS-NN's int8 kernel, where there is one.
        cmsis_nn_extra: bytes that this kernel keeps in addition.
    """

    method: str
    options: str | None
    data: str | None
    temporaries: str
    cmsis_nn: str | None = None
    cmsis_nn_extra: int = 0

    def registration(self, kernels: Kernels) -> str:
        """The call's argument: none for the kernel that is registered by default."""
        return f"tflite::{self.cmsis_nn}()" if kernels == "cmsis-nn" and self.cmsis_nn else ""


def _elementwise(kind: str, cmsis_nn: str | None = None) -> Operator:
    return Operator(kind, f"TfLite{kind}Params", f"OpData{kind}", "iwo", cmsis_nn)


def _pooling(kind: str) -> Operator:
    registration = f"Register_{kind.upper()}_POOL_2D_INT8"
    return Operator(f"{kind}Pool2D", "TfLitePoolParams", "OpDataPooling", "io", registration, 4)


OPERATORS = {
    "ADD": _elementwise("Add", "Register_ADD_INT8"),
    "AVERAGE_POOL_2D": _pooling("Average"),
    "CONCATENATION": Operator(
        "Concatenation", "TfLiteConcatenationParams", "OpDataConcatenation", "io*"
    ),
    "CONV_2D": Operator(
        "Conv2D", "TfLiteConvParams", "OpDataConv", "oiwiwbo", "Register_CONV_2D_INT8", 4
    ),
    "DEPTHWISE_CONV_2D": Operator(
        "DepthwiseConv2D",
        "TfLiteDepthwiseConvParams",
        "OpDataConv",
        "oiwiwbo",
        "Register_DEPTHWISE_CONV_2D_INT8",
        4,
    ),
    "DEQUANTIZE": Operator("Dequantize", None, "OpDataDequantize", "io"),
    "FULLY_CONNECTED": Operator(
        "FullyConnected",
        "TfLiteFullyConnectedParams",
        "OpDataFullyConnected",
        "iwbo",
        "Register_FULLY_CONNECTED_INT8",
        24,
    ),
    "HARD_SWISH": Operator("HardSwish", None, "OpDataHardSwish", "io"),
    "LOGISTIC": Operator("Logistic", None, "OpDataLogistic", "io"),
    "MAX_POOL_2D": _pooling("Max"),
    "MEAN": Operator("Mean", "TfLiteReducerParams", "OpDataReduce", "iow"),
    "MUL": _elementwise("Mul", "Register_MUL_INT8"),
    "PAD": Operator("Pad", None, "OpDataPad", "iwo"),
    "QUANTIZE": Operator("Quantize", None, "OpDataQuantize", "io"),
    "RELU": Operator("Relu", None, "OpDataRelu", "io"),
    "RELU6": Operator("Relu6", None, "OpDataRelu6", "i"),
    "RESHAPE": Operator("Reshape", "TfLiteReshapeParams", None, "io"),
    "SOFTMAX": Operator(
        "Softmax", "TfLiteSoftmaxParams", "OpDataSoftmax", "io", "Register_SOFTMAX_INT8", 8
    ),
    "SQUEEZE": Operator("Squeeze", "TfLiteSqueezeParams", None, "io"),
    "SUB": _elementwise("Sub"),
}


_MOST_CONCATENATED = 10
_OFFLINE_PLAN = "OfflineMemoryAllocation"


def check_operators(model: ModelFile) -> None:
    """Refuse what TFLM would not run, or not run as TensorFlow Lite does.

    Raises:
        UnsupportedModelError: for all such operators at once.
    """
    problems = [f"{op}: {problem}" for op in model.operators if (problem := _problem(model, op))]
    if _OFFLINE_PLAN in model.metadata:
        problems.append("the model brings a memory plan of its own for TFLM")
    if problems:
        raise UnsupportedModelError(
            "\n".join(problems),
            where=model.source,
            hint="the compiled runtime may run it (TFLM runs even what has no effect)",
        )


def _problem(model: ModelFile, op: FileOperator) -> str | None:
    if op.name not in OPERATORS:
        return "edgemcu does not set TFLM up for this operator"
    if op.name == "CONCATENATION" and len(op.inputs) > _MOST_CONCATENATED:
        return f"TFLM concatenates at most {_MOST_CONCATENATED} tensors, not {len(op.inputs)}"
    if op.name == "RELU6":
        source, output = model.tensors[op.inputs[0]], model.tensors[op.outputs[0]]
        same = [list(source.scales), list(source.zero_points)] == [
            list(output.scales),
            list(output.zero_points),
        ]
        return (
            None if same else "TFLM does not rescale from the input's quantization to the output's"
        )
    return None


def data_bytes(name: str, kernels: Kernels, abi: Abi) -> int:
    """What the kernel of operator `name` keeps for itself; 0 when it keeps nothing."""
    operator = OPERATORS[name]
    if operator.data is None:
        return 0
    extra = 0
    if kernels == "cmsis-nn":
        extra = operator.cmsis_nn_extra
    elif kernels == "esp-nn":
        extra = esp_nn.EXTRA_BYTES.get(name, 0)
    return abi.size(operator.data) + extra


def temporaries(model: ModelFile, op: FileOperator) -> Iterator[FileTensor]:
    """The tensors that the operator's preparation looks at, as often as it does."""
    for which in OPERATORS[op.name].temporaries:
        indices = op.inputs if which == "*" else _operands(op, which)
        yield from (model.tensors[index] for index in indices if index >= 0)


def _operands(op: FileOperator, which: str) -> tuple[int, ...]:
    if which == "o":
        return op.outputs[:1]
    place = "iwb".index(which)
    return op.inputs[place : place + 1]


def persistent_buffers(
    model: ModelFile, op: FileOperator, kernels: Kernels, extension: Extension
) -> list[int]:
    """Bytes of each buffer that preparing the operator adds for good."""
    if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        weights = model.tensors[op.inputs[1]]
        channels = weights.shape[0 if op.name == "CONV_2D" else 3]
        return [4 * channels] * 2
    if op.name == "FULLY_CONNECTED":
        scales = len(model.tensors[op.inputs[1]].scales)
        per_channel = [4 * scales] * 2 if scales > 1 else []
        sums = cmsis_nn.kernel_sums(model, op, extension) if kernels == "cmsis-nn" else 0
        return per_channel + ([sums] if sums else [])
    return []


def scratch_buffers(
    model: ModelFile, op: FileOperator, kernels: Kernels, extension: Extension
) -> list[int]:
    """Bytes of each buffer that the operator needs while it runs."""
    if op.name == "MEAN":
        image, axes = (model.tensors[index] for index in op.inputs[:2])
        accumulators = [4 * elements(model.tensors[op.outputs[0]])] if image.dtype == "int8" else []
        return [*accumulators, 4 * len(image.shape), 4 * elements(axes)]
    if kernels == "cmsis-nn":
        return cmsis_nn.scratch_buffers(model, op, extension)
    if kernels == "esp-nn":
        return esp_nn.scratch_buffers(model, op)
    return []
