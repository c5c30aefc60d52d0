"""The networks: MobileNet V1 and V2, ResNet-8 and DS-CNN, for small square photos.

Sources: MobileNet V1, Howard et al. 2017 (arXiv:1704.04861), table 1; V2, Sandler et al. 2018
(arXiv:1801.04381), table 2; ResNet-8, the CIFAR-10 network of MLPerf Tiny (after He et al. 2015,
arXiv:1512.03385); DS-CNN, Zhang et al. 2017 (arXiv:1711.07128), size S.

All were drawn for one input size. Here the number of halvings follows the input: strides of 2
are dropped from the front until the last feature map is at least 3 pixels wide (MobileNets), so a
32 × 32 photo is not shrunk to nothing in the first layers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgemcu.errors import TrainingError
from edgemcu.preprocessing import Preprocessing

MIN_SIZE, MAX_SIZE = 24, 224
MIN_WIDTH, MAX_WIDTH = 0.05, 2.0
LOGITS = "logits"
PROBABILITIES = "probabilities"

# (channels, stride) of each depthwise-separable block, and the stem's channels.
_V1_STEM = 32
_V1_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
# Below 48 pixels the last stage has nothing left to halve, and full resolution needs more than 32
# thin channels: a stem of 64 replaces stem and first block.
_V1_SMALL_STEM = 64
_V1_SMALL_BLOCKS = ((128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1))
_V1_SMALL_BELOW = 48

# (expansion, channels, repeats, stride) of each stage of inverted residuals.
_V2_STEM = 32
_V2_STAGES = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)
_V2_HEAD = 1280

_RESNET8_STACKS = ((16, 1), (32, 2), (64, 2))
_DS_CNN_CHANNELS = 64
_DS_CNN_BLOCKS = 4


@dataclass(frozen=True)
class NetworkConfig:
    """Which network.

    Attributes:
        architecture: "mobilenet_v1", "mobilenet_v2", "resnet8" or "ds_cnn".
        width: multiplier of every layer's channels, 0.05…2.
    """

    architecture: str = "mobilenet_v1"
    width: float = 0.5

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def scaled_channels(channels: int, width: float) -> int:
    """`channels` × `width`, a multiple of 4 (one 32-bit word of int8) that is not below 90 %."""
    wanted = channels * width
    rounded = max(4, int(wanted + 2) // 4 * 4)
    return rounded if rounded >= 0.9 * wanted else rounded + 4


def mobilenet_halvings(size: int) -> int:
    """How often a MobileNet halves an input of `size` pixels: 5 at most, to 3 pixels at least."""
    return min(5, (size // 3).bit_length() - 1)


def build_network(
    config: NetworkConfig,
    preprocessing: Preprocessing,
    classes: int,
    *,
    seed: int = 0,
    momentum: float = 0.95,
) -> Any:
    """Build an untrained network.

    Args:
        config: which one.
        preprocessing: gives the input's shape.
        classes: how many outputs.
        seed: of the initial weights.
        momentum: of batch normalization's running statistics, in training.

    Returns:
        A keras.Model from float32 (N, H, W, C) to class probabilities (N, classes). Its layer
        named `LOGITS` gives what goes into the softmax.

    Raises:
        TrainingError: an unknown architecture, or a size, width or number of classes that it
            cannot have.
        ToolMissingError: TensorFlow is not installed.
    """
    size = preprocessing.height
    if config.architecture not in _BODIES:
        raise TrainingError(
            f"there is no architecture {config.architecture!r}",
            where="model.architecture",
            hint=f"known: {', '.join(_BODIES)}",
        )
    if preprocessing.height != preprocessing.width or not MIN_SIZE <= size <= MAX_SIZE:
        raise TrainingError(
            f"an input of {preprocessing.width} × {preprocessing.height} pixels",
            where="preprocessing",
            hint=f"the input must be square, {MIN_SIZE} to {MAX_SIZE} pixels",
        )
    if not MIN_WIDTH <= config.width <= MAX_WIDTH:
        raise TrainingError(
            f"a width multiplier of {config.width:g}",
            where="model.width",
            hint=f"it must be {MIN_WIDTH:g} to {MAX_WIDTH:g}",
        )
    if classes < 2:
        raise TrainingError(f"a classifier of {classes} class(es)", hint="give at least two")
    net = _NetworkBuilder(config.width, seed, momentum)
    keras = net.keras
    inputs = keras.Input(preprocessing.shape, name="image")
    features = _BODIES[config.architecture](net, inputs, size)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    logits = keras.layers.Dense(
        classes, kernel_initializer=net.initializer("glorot_uniform"), name=LOGITS
    )(pooled)
    outputs = keras.layers.Softmax(name=PROBABILITIES)(logits)
    return keras.Model(inputs, outputs, name=config.architecture)


class _NetworkBuilder:
    """Layers with batch normalization, their names, and a seed of its own for each."""

    def __init__(self, width: float, seed: int, momentum: float) -> None:
        from edgemcu.training.backend import load_keras

        self.keras = load_keras()
        self._width = width
        self._seed = seed
        self._momentum = momentum
        self._drawn = 0

    def initializer(self, kind: str) -> Any:
        self._drawn += 1
        seed = self._seed * 1000 + self._drawn
        config = {"class_name": kind, "config": {"seed": seed}}
        return self.keras.initializers.get(config)

    def conv(
        self,
        x: Any,
        name: str,
        channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        relu: float | None = 6.0,
        scaled: bool = True,
    ) -> Any:
        """Convolution, batch normalization, and ReLU up to `relu` (0: no upper end; None: none)."""
        x = self.keras.layers.Conv2D(
            scaled_channels(channels, self._width) if scaled else channels,
            kernel,
            stride,
            padding="same",
            use_bias=False,
            kernel_initializer=self.initializer("HeNormal"),
            name=name,
        )(x)
        return self._normalized(x, name, relu)

    def depthwise(self, x: Any, name: str, *, stride: int = 1, relu: float | None = 6.0) -> Any:
        """3 × 3 depthwise convolution, batch normalization, ReLU."""
        x = self.keras.layers.DepthwiseConv2D(
            3,
            stride,
            padding="same",
            use_bias=False,
            depthwise_initializer=self.initializer("HeNormal"),
            name=name,
        )(x)
        return self._normalized(x, name, relu)

    def separable(
        self, x: Any, name: str, channels: int, *, stride: int = 1, relu: float = 6.0
    ) -> Any:
        """Depthwise 3 × 3, then pointwise: MobileNet V1's block."""
        x = self.depthwise(x, f"{name}_depthwise", stride=stride, relu=relu)
        return self.conv(x, f"{name}_pointwise", channels, relu=relu)

    def add(self, x: Any, y: Any, name: str) -> Any:
        return self.keras.layers.Add(name=name)([x, y])

    def relu(self, x: Any, name: str) -> Any:
        return self.keras.layers.ReLU(name=name)(x)

    def _normalized(self, x: Any, name: str, relu: float | None) -> Any:
        from edgemcu.training.layers import FusedBatchNormalization

        x = FusedBatchNormalization(momentum=self._momentum, name=f"{name}_norm")(x)
        if relu is None:
            return x
        return self.keras.layers.ReLU(max_value=relu or None, name=f"{name}_relu")(x)


def _mobilenet_v1(net: _NetworkBuilder, x: Any, size: int) -> Any:
    small = size < _V1_SMALL_BELOW
    stem, blocks = (_V1_SMALL_STEM, _V1_SMALL_BLOCKS) if small else (_V1_STEM, _V1_BLOCKS)
    strides = _drop_first_halvings(
        [1 if small else 2, *(stride for _, stride in blocks)], mobilenet_halvings(size)
    )
    x = net.conv(x, "stem", stem, kernel=3, stride=strides[0])
    for index, ((channels, _), stride) in enumerate(zip(blocks, strides[1:], strict=True), 1):
        x = net.separable(x, f"block{index}", channels, stride=stride)
    return x


def _mobilenet_v2(net: _NetworkBuilder, x: Any, size: int) -> Any:
    strides = _drop_first_halvings(
        [2, *(stride for *_, stride in _V2_STAGES)], mobilenet_halvings(size)
    )
    x = net.conv(x, "stem", _V2_STEM, kernel=3, stride=strides[0])
    index = 0
    for (expansion, channels, repeats, _), stage_stride in zip(
        _V2_STAGES, strides[1:], strict=True
    ):
        for repeat in range(repeats):
            index += 1
            x = _inverted_residual(
                net, x, f"block{index}", expansion, channels, stage_stride if repeat == 0 else 1
            )
    # The paper keeps 1280 for narrow networks; here the head shrinks with the rest, since on a
    # microcontroller it would be most of the weights.
    return net.conv(x, "head", _V2_HEAD)


def _inverted_residual(
    net: _NetworkBuilder, x: Any, name: str, expansion: int, channels: int, stride: int
) -> Any:
    start = x
    if expansion != 1:
        x = net.conv(x, f"{name}_expand", x.shape[-1] * expansion, scaled=False)
    x = net.depthwise(x, f"{name}_depthwise", stride=stride)
    x = net.conv(x, f"{name}_project", channels, relu=None)
    return net.add(start, x, f"{name}_add") if start.shape == x.shape else x


def _resnet8(net: _NetworkBuilder, x: Any, size: int) -> Any:
    # Two halvings are the network's own; larger photos are halved further, from the front.
    extra = (size // 32).bit_length() - 1 if size >= 64 else 0
    strides = [2 if extra >= 1 else 1, 2 if extra >= 2 else 1]
    x = net.conv(x, "stem", 16, kernel=3, stride=strides[0], relu=0)
    for index, (channels, stride) in enumerate(_RESNET8_STACKS, 1):
        stride = strides[1] if index == 1 else stride
        name = f"stack{index}"
        y = net.conv(x, f"{name}_a", channels, kernel=3, stride=stride, relu=0)
        y = net.conv(y, f"{name}_b", channels, kernel=3, relu=None)
        if stride != 1 or x.shape[-1] != y.shape[-1]:
            x = net.conv(x, f"{name}_skip", channels, stride=stride, relu=None)
        x = net.relu(net.add(x, y, f"{name}_add"), f"{name}_relu")
    return x


def _ds_cnn(net: _NetworkBuilder, x: Any, size: int) -> Any:
    halvings = max(1, (size // 8).bit_length() - 1)
    x = net.conv(x, "stem", _DS_CNN_CHANNELS, kernel=3, stride=2, relu=0)
    for index in range(1, _DS_CNN_BLOCKS + 1):
        stride = 2 if index < halvings else 1
        x = net.separable(x, f"block{index}", _DS_CNN_CHANNELS, stride=stride, relu=0)
    return x


def _drop_first_halvings(strides: list[int], wanted: int) -> list[int]:
    """Turn the first strides of 2 into 1, leaving `wanted` of them."""
    surplus = strides.count(2) - wanted
    kept = []
    for stride in strides:
        drop = stride == 2 and surplus > 0
        surplus -= drop
        kept.append(1 if drop else stride)
    return kept


_BODIES = {
    "mobilenet_v1": _mobilenet_v1,
    "mobilenet_v2": _mobilenet_v2,
    "resnet8": _resnet8,
    "ds_cnn": _ds_cnn,
}
