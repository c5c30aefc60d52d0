"""What is sent to a device: photos as pixels, or the input tensors' own bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.data import LabelledImages
from edgemcu.device.protocol import Kind
from edgemcu.errors import InputsError
from edgemcu.graph.ir import DType, Graph
from edgemcu.inputs import make_inputs
from edgemcu.preprocessing import Preprocessing, quantize_pixels
from edgemcu.tflite import ModelMetadata


@dataclass(frozen=True)
class Stimulus:
    """What is sent to the device, and what goes into the reference interpreter for it.

    Attributes:
        sent: uint8, (N, …) flattened to rows.
        kind: pixels, which the firmware preprocesses, or the input tensors' own bytes.
        tensors: uint8, (N, input bytes): the input tensors' bytes.
        photos: the photos behind them, if any.
        what: in words, for the record.
    """

    sent: NDArray[np.uint8]
    kind: Kind
    tensors: NDArray[np.uint8]
    photos: LabelledImages | None
    what: str


def tensor_stimulus(graph: Graph, what: str) -> Stimulus:
    """Inputs without photos: "random:N", or a .npy file.

    Raises:
        InputsError: as `make_inputs`.
    """
    tensors = make_inputs(graph, what)
    return Stimulus(tensors, Kind.TENSOR, tensors, None, what)


def photo_stimulus(
    graph: Graph, metadata: ModelMetadata, test: LabelledImages, count: int
) -> Stimulus:
    """`count` test photos, evenly over the test set's classes, always the same ones."""
    photos = test.evenly(count)
    flat = photos.images.reshape(len(photos), -1)
    what = f"{len(photos)} of {len(test)} test photos"
    return Stimulus(
        flat, Kind.PIXELS, tensor_bytes(graph, metadata.preprocessing, flat), photos, what
    )


def tensor_bytes(
    graph: Graph, preprocessing: Preprocessing, pixels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The input tensors' bytes that the firmware makes of pixels: uint8, (N, …) to the same shape.

    Raises:
        InputsError: the model's input is not int8.
    """
    tensor = graph.tensors[graph.inputs[0]]
    quantization = tensor.quantization
    if tensor.dtype is not DType.INT8 or quantization is None:
        raise InputsError(
            f"the model takes {tensor.dtype.value}, and pixels become int8", where=tensor.name
        )
    quantized = quantize_pixels(pixels, preprocessing, quantization.scale, quantization.zero_point)
    return quantized.view(np.uint8)
