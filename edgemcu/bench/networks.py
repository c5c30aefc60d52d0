"""The networks that are measured unless others are named; no training, no download.

Shapes are those of MLPerf Tiny's reference models (https://github.com/mlcommons/tiny), which
engines are compared by: visual wake words (MobileNetV1-0.25), image classification (ResNet-8) and
keyword spotting (DS-CNN).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from edgemcu.bench.untrained import UntrainedNetwork
from edgemcu.errors import ModelError

_V1_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)


def mobilenet_v1(
    name: str,
    size: int,
    width: float,
    *,
    channels: int = 3,
    classes: int = 2,
    dead: float = 0.0,
    dead_bias: tuple[float, float] = (-1.0, 0.2),
) -> bytes:
    """MobileNet V1 (Howard et al. 2017, arXiv:1704.04861) for square images, as a .tflite file."""
    net = UntrainedNetwork(name, (size, size, channels), dead=dead, dead_bias=dead_bias)
    x = net.conv(net.image, int(32 * width), (3, 3), (2, 2))
    for filters, stride in _V1_BLOCKS:
        x = net.depthwise(x, stride=(stride, stride))
        x = net.conv(x, int(filters * width))
    return net.classify(net.global_pool(x), classes)


def resnet8(name: str) -> bytes:
    """ResNet-8 for 32×32×3 images of ten classes, as a .tflite file."""
    net = UntrainedNetwork(name, (32, 32, 3))
    x = net.conv(net.image, 16, (3, 3), relu=0.0)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = net.conv(x, filters, (3, 3), (stride, stride), relu=0.0)
        y = net.conv(y, filters, (3, 3), relu=None)
        if stride != 1:
            x = net.conv(x, filters, (1, 1), (stride, stride), relu=None)
        x = net.add(x, y)
    return net.classify(net.global_pool(x), 10)


def ds_cnn(name: str) -> bytes:
    """DS-CNN (Zhang et al. 2017, arXiv:1711.07128) for 49×10 features, as a .tflite file."""
    net = UntrainedNetwork(name, (49, 10, 1))
    x = net.conv(net.image, 64, (10, 4), (2, 2), relu=0.0)
    for _ in range(4):
        x = net.depthwise(x, relu=0.0)
        x = net.conv(x, 64, relu=0.0)
    return net.classify(net.global_pool(x), 12)


NETWORKS: dict[str, Callable[[str], bytes]] = {
    "mobilenet-v1-0.25-96": lambda name: mobilenet_v1(name, 96, 0.25),
    "resnet8": resnet8,
    "ds-cnn": ds_cnn,
    # Half of each convolution's output channels have no weights, as in MLPerf Tiny's own; a sixth
    # of them are constant at something above zero.
    "mobilenet-v1-0.25-96-half-dead": lambda name: mobilenet_v1(name, 96, 0.25, dead=0.5),
    "person-detection": lambda name: mobilenet_v1(name, 96, 0.25, channels=1),
}
"""By name; the first three are measured when none is named."""

DEFAULT = ("mobilenet-v1-0.25-96", "resnet8", "ds-cnn")


@cache
def benchmark_network(name: str) -> bytes:
    """The .tflite file of a network in `NETWORKS`; the same bytes each time.

    Raises:
        ModelError: there is none of that name.
        ToolMissingError: neither ai-edge-litert nor TensorFlow, which bring the schema along.
    """
    if name not in NETWORKS:
        raise ModelError(
            f"there is no benchmark network {name!r}", hint=f"known: {', '.join(NETWORKS)}"
        )
    return NETWORKS[name](name)
