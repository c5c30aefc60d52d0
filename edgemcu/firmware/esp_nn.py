"""What Espressif's TFLM keeps and works in with ESP-NN, beyond the reference kernels.

Source: esp-tflite-micro 1.3.8, tensorflow/lite/micro/kernels/esp_nn/*.cc. Scratch buffers have the
sizes that the ESP32-S3 asks for.
"""

from __future__ import annotations

from edgemcu.compiler.kernels.esp_nn_scratch import (
    conv_scratch,
    depthwise_scratch,
    softmax_scratch,
)
from edgemcu.compiler.operations import Window
from edgemcu.firmware.cmsis_nn import convolution_window
from edgemcu.tflite import schema
from edgemcu.tflite.file import FileOperator, ModelFile

TFLM_COMPONENT = ("espressif/esp-tflite-micro", "1.3.8")

# An index of the scratch buffer behind the reference kernel's struct, and what alignment adds.
EXTRA_BYTES = {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 4, "SOFTMAX": 8}


def scratch_buffers(model: ModelFile, op: FileOperator) -> list[int]:
    """Bytes of each buffer that the kernel of `op` asks for; none for most operators."""
    if op.name == "SOFTMAX":
        shape = model.tensors[op.inputs[0]].shape
        int8 = model.tensors[op.outputs[0]].dtype == model.tensors[op.inputs[0]].dtype == "int8"
        return [softmax_scratch(shape[1])] if int8 and len(shape) > 1 else []
    if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return []
    if model.tensors[op.inputs[0]].dtype != "int8":
        return []
    depthwise = op.name == "DEPTHWISE_CONV_2D"
    options = schema.DepthwiseConv2DOptions if depthwise else schema.Conv2DOptions
    found = convolution_window(model, op, options)
    inputs = model.tensors[op.inputs[0]].shape[3]
    outputs = model.tensors[op.outputs[0]].shape[3]
    window = Window(
        input_size=found.input,
        input_channels=inputs,
        output_size=found.output,
        size=found.kernel,
        stride=found.stride,
        padding=found.padding,
    )
    return [
        depthwise_scratch(window, outputs // inputs) if depthwise else conv_scratch(window, outputs)
    ]
