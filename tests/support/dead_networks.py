"""Random networks in which much is dead: for passes that remove what does nothing.

Channels without weights, channels that an activation keeps at one value, constants through
depthwise convolutions with and without padding, branches, concatenations, activations that do
nothing, operators on constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgemcu.graph.ir import Padding
from edgemcu.graph.shapes import output_size
from tests.support.tflite_builder import ModelBuilder

Shape = tuple[int, ...]


class DeadNetwork:
    """One random network; `model` is its .tflite, `inputs` are rows of bytes for it."""

    def __init__(self, seed: int, rows: int = 3) -> None:
        self.rng = np.random.default_rng([seed, 77])
        self.builder = ModelBuilder()
        shape = (1, self.number(3, 8), self.number(3, 8), self.number(1, 5))
        scale, zero_point = 0.03, self.zero_point()
        self.at: list[tuple[int, Shape, float, int]] = [
            (self.builder.input(shape, scale, zero_point), shape, scale, zero_point)
        ]
        self.inputs = self.rng.integers(0, 256, (rows, int(np.prod(shape))), dtype=np.uint8)
        for _ in range(self.number(2, 9)):
            steps = self.steps()
            steps[self.number(0, len(steps) - 1)]()
        if self.flip():
            self.head()
        self.builder.output(self.at[-1][0])
        if len(self.at) > 2 and self.flip(0.1):
            self.builder.output(self.at[self.number(1, len(self.at) - 2)][0])
        self.model = self.builder.finish()

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def flip(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def zero_point(self) -> int:
        return int(self.rng.choice([-128, -128, 0, self.number(-128, 127)]))

    def steps(self) -> list[Callable[[], None]]:
        return [
            *(self.conv, self.conv, self.conv, self.depthwise, self.depthwise, self.activation),
            *(self.elementwise, self.concatenate, self.pool, self.padded_conv, self.constant),
        ]

    def add(self, kind: str, operands: list[int], shape: Shape, **options: Any) -> None:
        scale = options.pop("scale", self.at[-1][2])
        zero_point = options.pop("zero_point", self.at[-1][3])
        tensor = self.builder.op(kind, operands, shape, scale, zero_point, **options)
        self.at.append((tensor, shape, scale, zero_point))

    def weights(self, shape: Shape, axis: int, scale: float) -> list[int]:
        """Some channels are dead, some have a bias that decides alone."""
        count = shape[axis]
        values = self.rng.integers(-127, 128, shape).astype(np.int8)
        bias = self.rng.integers(-3000, 3000, count).astype(np.int32)
        by_channel = np.moveaxis(values, axis, 0)
        dead = self.rng.random(count) < self.rng.choice([0.0, 0.3, 0.7, 1.0])
        by_channel[dead] = 0
        unread = self.rng.random(shape) < self.rng.choice([0.0, 0.0, 0.6])
        values[unread] = 0
        decided = self.rng.random(count) < self.rng.choice([0.0, 0.4])
        by_channel[decided] //= 60
        bias[decided] = self.rng.choice([-400_000, 400_000], int(decided.sum()))
        bias[dead & self.rng.choice([True, False], count)] = self.number(-9000, 0)
        per_channel = self.flip()
        scales = np.float32(self.rng.uniform(0.004, 0.012, count if per_channel else 1))
        return [
            self.builder.constant(values, scales, axis=axis),
            self.builder.constant(bias, np.float32(scales * np.float32(scale))),
        ]

    def quantization(self) -> dict[str, Any]:
        return {"scale": float(np.float32(self.rng.uniform(0.02, 0.2)))} | {
            "zero_point": self.zero_point()
        }

    def conv(self) -> None:
        self.window("CONV_2D", self.number(1, 9))

    def depthwise(self) -> None:
        self.window("DEPTHWISE_CONV_2D", self.at[-1][1][-1] * self.number(1, 2))

    def window(self, kind: str, channels: int) -> None:
        tensor, shape, scale, _ = self.at[-1]
        if len(shape) != 4:
            return
        size = 1 if kind == "CONV_2D" and self.flip(0.6) else self.number(1, 3)
        padding = Padding.SAME if self.flip(0.7) or min(shape[1:3]) < size else Padding.VALID
        stride = self.number(1, 2)
        out = [output_size(n, size, stride, 1, padding) for n in shape[1:3]]
        depthwise = kind == "DEPTHWISE_CONV_2D"
        kernel = (1, size, size, channels) if depthwise else (channels, size, size, shape[3])
        options = {"depth_multiplier": channels // shape[3]} if depthwise else {}
        self.add(
            kind,
            [tensor, *self.weights(kernel, 3 if depthwise else 0, scale)],
            (1, out[0], out[1], channels),
            padding=padding.value,
            stride=stride,
            activation=str(self.rng.choice(["NONE", "RELU", "RELU6"])),
            **self.quantization(),
            **options,
        )

    def padded_conv(self) -> None:
        tensor, shape, *_ = self.at[-1]
        if len(shape) == 4:
            paddings = np.array([[0, 0], *self.rng.integers(0, 3, (2, 2)), [0, 0]], np.int32)
            larger = tuple(int(n) for n in np.array(shape) + paddings.sum(axis=1))
            self.add("PAD", [tensor, self.builder.constant(paddings)], larger)
            self.conv()

    def activation(self) -> None:
        kinds = ["RELU", "RELU", "RELU6", "HARD_SWISH", "QUANTIZE"]
        kind = str(self.rng.choice(kinds))
        tensor, shape, scale, zero_point = self.at[-1]
        quantization: dict[str, Any] = {"scale": scale, "zero_point": zero_point}
        if kind != "RELU6" and self.flip(0.4):
            quantization = self.quantization()
        self.add(kind, [tensor], shape, **quantization)

    def elementwise(self) -> None:
        tensor, shape, scale, zero_point = self.at[-1]
        kind = str(self.rng.choice(["ADD", "ADD", "SUB", "MUL"]))
        others = [entry[0] for entry in self.at[:-1] if entry[1] == shape]
        if others and self.flip(0.7):
            other = int(self.rng.choice(others))
        else:
            form = (shape[-1],) if self.flip() else shape
            values = self.rng.integers(-128, 128, form).astype(np.int8)
            other = self.builder.constant(values, scale, zero_point)
        operands = [tensor, other] if self.flip() else [other, tensor]
        activation = str(self.rng.choice(["NONE", "RELU"]))
        self.add(kind, operands, shape, activation=activation, **self.quantization())

    def concatenate(self) -> None:
        tensor, shape, scale, zero_point = self.at[-1]
        if len(shape) != 4:
            return
        count = self.number(0, 2)
        tensors, size = [tensor], shape[3]
        for other, form, *quantization in self.at[:-1][:count]:
            if form[1:3] == shape[1:3] and quantization == [scale, zero_point]:
                tensors.append(other)
                size += form[3]
        self.add("CONCATENATION", tensors, (*shape[:3], size), axis=3)

    def pool(self) -> None:
        tensor, shape, *_ = self.at[-1]
        if len(shape) == 4:
            kind = str(self.rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
            size = self.number(1, min(2, *shape[1:3]))
            out = [output_size(n, size, size, 1, Padding.SAME) for n in shape[1:3]]
            form = (1, out[0], out[1], shape[3])
            options = {"window": size, "stride": size, "padding": "SAME"}
            self.add(kind, [tensor], form, activation="NONE", **options)

    def constant(self) -> None:
        """An addition of what only depends on constants."""
        tensor, shape, scale, zero_point = self.at[-1]
        values = self.rng.integers(-128, 128, shape).astype(np.int8)
        folded = self.builder.op(
            "RELU", [self.builder.constant(values, scale, zero_point)], shape, scale, zero_point
        )
        self.add("ADD", [folded, tensor], shape, **self.quantization())

    def head(self) -> None:
        tensor, shape, scale, _ = self.at[-1]
        if len(shape) != 4:
            return
        if self.flip():
            axes = self.builder.constant(np.array([1, 2], np.int32))
            self.add("MEAN", [tensor, axes], (1, shape[3]), **self.quantization())
        else:
            size = int(np.prod(shape))
            self.add("RESHAPE", [tensor], (1, size), new_shape=[1, size])
        tensor, shape, scale, _ = self.at[-1]
        for count in (self.number(2, 9), 3):
            operands = self.weights((count, shape[1]), 0, scale)
            self.add(
                "FULLY_CONNECTED",
                [tensor, *operands],
                (1, count),
                activation=str(self.rng.choice(["NONE", "RELU"])),
                **self.quantization(),
            )
            tensor, shape, scale, _ = self.at[-1]
        self.add("SOFTMAX", [tensor], shape, scale=1 / 256, zero_point=-128, beta=1.0)
