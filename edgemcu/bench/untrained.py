"""Untrained networks with realistic numbers: random weights, normalized, calibrated, int8.

A network that never saw a photo has the same shapes, and so the same cost, as a trained one, as
long as no channel is dead and no scale is odd. So weights are drawn as an initializer draws them
(He et al. 2015, arXiv:1502.01852), each channel is normalized over a few smooth random images as
batch normalization does, and the ranges of the activations come from the same images. All random
numbers come from one seed: the same network always has the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgemcu.bench.writer import TfliteWriter

Real = NDArray[np.float64]

IMAGES = 4
_RELU = {None: 0, 0.0: 1, 6.0: 3}
_SAME, _VALID = 0, 1


@dataclass(frozen=True)
class Activation:
    """A tensor of the network under construction.

    Attributes:
        tensor: its index in the file.
        values: float64, (IMAGES, height, width, channels), as the float network computes it.
        scale, zero_point: of its int8 form.
    """

    tensor: int
    values: Real
    scale: float
    zero_point: int


class UntrainedNetwork:
    """Adds layers one by one, computing each in floating point to find its range.

    Args:
        shape: of the input: height, width, channels.
        dead: the share of each convolution's output channels whose weights are all zero, as
            training leaves them in many published networks.
        dead_bias: least and largest bias of those; a rectifier makes 0 of what is negative.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, int, int],
        *,
        dead: float = 0.0,
        dead_bias: tuple[float, float] = (-1.0, 0.2),
    ) -> None:
        self._rng = np.random.default_rng(0)
        self._dead = dead
        self._dead_bias = dead_bias
        self._writer = TfliteWriter(f"{name}, untrained")
        self._layers = 0
        values = _smooth_images(self._rng, shape)
        self.image = self._activation("image", values, -1.0, 1.0)
        self._writer.input(self.image.tensor)

    def conv(
        self,
        x: Activation,
        channels: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        *,
        relu: float | None = 6.0,
    ) -> Activation:
        """Convolution with "same" padding, normalization, and ReLU up to `relu` (0: no upper end;
        None: none)."""
        depth = x.values.shape[3]
        fan_in = kernel[0] * kernel[1] * depth
        weights = self._rng.normal(0, np.sqrt(2 / fan_in), (channels, *kernel, depth))
        patches = _patches(x.values, kernel, stride)
        raw = np.einsum("nyxhwc,ohwc->nyxo", patches, weights, optimize=True)
        return self._weighted("CONV_2D", x, weights, raw, stride, relu, axis=0)

    def depthwise(
        self,
        x: Activation,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        *,
        relu: float | None = 6.0,
    ) -> Activation:
        depth = x.values.shape[3]
        spread = np.sqrt(2 / (kernel[0] * kernel[1]))
        weights = self._rng.normal(0, spread, (1, *kernel, depth))
        raw = np.einsum("nyxhwc,hwc->nyxc", _patches(x.values, kernel, stride), weights[0])
        return self._weighted("DEPTHWISE_CONV_2D", x, weights, raw, stride, relu, axis=3)

    def add(self, x: Activation, y: Activation, *, relu: float | None = 0.0) -> Activation:
        values = _rectified(x.values + y.values, relu)
        result = self._activation(self._name("add"), values)
        self._writer.operator(
            "ADD", [x.tensor, y.tensor], result.tensor, fusedActivationFunction=_RELU[relu]
        )
        return result

    def global_pool(self, x: Activation) -> Activation:
        """The mean over the image, as Keras' GlobalAveragePooling2D is converted."""
        values = x.values.mean(axis=(1, 2), keepdims=True)
        result = self._activation(self._name("pool"), values[:, 0, 0, :])
        axes = self._writer.tensor("axes", (2,), None, data=np.array([1, 2], np.int32))
        self._writer.operator("MEAN", [x.tensor, axes], result.tensor, keepDims=False)
        return result

    def classify(self, x: Activation, classes: int) -> bytes:
        """Fully connected layer and softmax; the finished .tflite file."""
        depth = x.values.shape[1]
        weights = self._rng.normal(0, np.sqrt(1 / depth), (classes, depth))
        values = x.values @ weights.T
        logits = self._activation("logits", values)
        operands = self._constants("logits", x, weights, np.zeros(classes), axis=0, classes=classes)
        self._writer.operator("FULLY_CONNECTED", [x.tensor, *operands], logits.tensor)
        result = self._writer.tensor("probabilities", (1, classes), 1 / 256, -128)
        self._writer.operator("SOFTMAX", [logits.tensor], result, beta=1.0)
        self._writer.output(result)
        return self._writer.finish()

    def _weighted(
        self,
        kind: str,
        x: Activation,
        weights: Real,
        raw: Real,
        stride: tuple[int, int],
        relu: float | None,
        axis: int,
    ) -> Activation:
        name = self._name("depthwise" if axis == 3 else "conv")
        channels = raw.shape[3]
        mean, spread = raw.mean(axis=(0, 1, 2)), raw.std(axis=(0, 1, 2)) + 1e-3
        gain = self._rng.uniform(0.7, 1.4, channels) / spread
        bias = self._rng.normal(0.3, 0.4, channels) - mean * gain
        if axis == 0 and self._dead:
            dead = self._rng.permutation(channels)[: int(channels * self._dead)]
            gain[dead], bias[dead] = 0.0, self._rng.uniform(*self._dead_bias, dead.size)
        values = _rectified(raw * gain + bias, relu)
        shape = [1] * 4
        shape[axis] = channels
        operands = self._constants(name, x, weights * gain.reshape(shape), bias, axis, channels)
        result = self._activation(name, values)
        options = {"padding": _SAME, "fusedActivationFunction": _RELU[relu]}
        options |= {"strideH": stride[0], "strideW": stride[1]}
        options |= {"dilationHFactor": 1, "dilationWFactor": 1}
        if axis == 3:
            options["depthMultiplier"] = 1
        self._writer.operator(kind, [x.tensor, *operands], result.tensor, **options)
        return result

    def _constants(
        self, name: str, x: Activation, weights: Real, bias: Real, axis: int, classes: int
    ) -> list[int]:
        """Weights per channel, symmetric; biases in steps of input scale × weight scale."""
        others = tuple(i for i in range(weights.ndim) if i != axis)
        largest = np.abs(weights).max(axis=others)
        scales = np.asarray(np.where(largest > 0, largest, 1.0) / 127, np.float32)
        shape = [1] * weights.ndim
        shape[axis] = classes
        quantized = np.rint(weights / scales.reshape(shape)).clip(-127, 127).astype(np.int8)
        steps = np.asarray(scales.astype(np.float64) * x.scale, np.float32)
        biases = np.rint(bias / steps).astype(np.int32)
        return [
            self._writer.tensor(
                f"{name}/weights", weights.shape, scales, axis=axis, data=quantized
            ),
            self._writer.tensor(f"{name}/bias", bias.shape, steps, data=biases),
        ]

    def _activation(
        self, name: str, values: Real, low: float | None = None, high: float | None = None
    ) -> Activation:
        low = min(float(values.min()), 0.0) if low is None else low
        high = max(float(values.max()), 0.0) if high is None else high
        scale = float(np.float32((high - low) / 255))
        zero_point = int(np.rint(-128 - low / scale))
        tensor = self._writer.tensor(name, (1, *values.shape[1:]), scale, zero_point)
        return Activation(tensor, values, scale, zero_point)

    def _name(self, what: str) -> str:
        self._layers += 1
        return f"layer{self._layers}_{what}"


def _rectified(values: Real, relu: float | None) -> Real:
    if relu is None:
        return values
    return np.maximum(values, 0) if relu == 0 else values.clip(0, relu)


def _patches(values: Real, kernel: tuple[int, int], stride: tuple[int, int]) -> Real:
    """(images, rows, columns, kernel height, kernel width, channels) with "same" padding."""
    paddings = [(0, 0)]
    for size, window, step in zip(values.shape[1:3], kernel, stride, strict=True):
        total = max((-(-size // step) - 1) * step + window - size, 0)
        paddings.append((total // 2, total - total // 2))
    padded = np.pad(values, [*paddings, (0, 0)])
    windows = sliding_window_view(padded, kernel, axis=(1, 2))
    return windows[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)


def _smooth_images(rng: np.random.Generator, shape: tuple[int, int, int]) -> Real:
    """Random images in −1…1 that are smooth in the large and noisy in the small."""
    height, width, channels = shape
    coarse = rng.uniform(-0.8, 0.8, (IMAGES, -(-height // 8), -(-width // 8), channels))
    smooth = coarse.repeat(8, axis=1)[:, :height].repeat(8, axis=2)[:, :, :width]
    return np.clip(smooth + rng.normal(0, 0.15, (IMAGES, *shape)), -1, 1)
