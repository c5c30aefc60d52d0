"""A run report with everything in it, made up but of realistic proportions."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from itertools import pairwise
from math import exp

from PIL import Image

from edgemcu.evaluation import Evaluation
from edgemcu.report.model import (
    ArenaBuffer,
    Epoch,
    Layer,
    Mismatch,
    Provenance,
    RunReport,
    Sample,
)

CLASSES = ("cat", "dog", "bird")


def _photo(seed: int) -> bytes:
    """A 32 × 32 PNG of two blurred blobs."""
    random_ = random.Random(seed)
    small = Image.new("RGB", (4, 4))
    small.putdata([tuple(random_.randrange(256) for _ in range(3)) for _ in range(16)])
    stream = io.BytesIO()
    small.resize((32, 32), Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


def _history(epochs: int) -> tuple[Epoch, ...]:
    random_ = random.Random(1)
    history = []
    for epoch in range(1, epochs + 1):
        progress = 1 - exp(-3 * epoch / epochs)
        wobble = random_.uniform(-0.012, 0.012)
        history.append(
            Epoch(
                epoch=epoch,
                loss=1.08 - 0.55 * progress,
                accuracy=0.38 + 0.46 * progress,
                validation_loss=1.06 - 0.46 * progress - wobble,
                validation_accuracy=0.41 + 0.38 * progress + wobble,
                learning_rate=3e-3,
            )
        )
    return tuple(history)


def _mobilenet() -> tuple[tuple[Layer, ...], tuple[ArenaBuffer, ...], int]:
    """Layers and a two-sided memory plan of a small MobileNet V1."""
    layers: list[Layer] = []
    sizes: list[int] = [32 * 32 * 3]
    side, channels = 32, 32
    layers.append(Layer("stem", "CONV_2D", (1, 32, 32, 32), 32 * 32 * 27 * 32, 27 * 32 + 128))
    sizes.append(32 * 32 * 32)
    for index, (width, stride) in enumerate(
        [(64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (256, 1)]
    ):
        side //= stride
        shape = (1, side, side, channels)
        layers.append(
            Layer(
                f"block_{index + 1}/depthwise",
                "DEPTHWISE_CONV_2D",
                shape,
                side * side * channels * 9,
                13 * channels,
                "depthwise_conv_3x3_s8",
            )
        )
        sizes.append(side * side * channels)
        layers.append(
            Layer(
                f"block_{index + 1}/pointwise",
                "CONV_2D",
                (1, side, side, width),
                side * side * channels * width,
                channels * width + 4 * width,
                "conv_1x1_s8",
            )
        )
        channels = width
        sizes.append(side * side * channels)
    layers.append(Layer("pool", "MEAN", (1, channels), 0, 0))
    sizes.append(channels)
    layers.append(Layer("logits", "FULLY_CONNECTED", (1, 3), 3 * channels, 3 * channels + 12))
    sizes.append(3)
    layers.append(Layer("probabilities", "SOFTMAX", (1, 3), 0, 0))
    sizes.append(3)
    arena_bytes = max(a + b for a, b in pairwise(sizes))
    buffers = []
    for index, bytes_ in enumerate(sizes):
        first, last = max(index - 1, 0), min(index, len(layers) - 1)
        offset = 0 if index % 2 else arena_bytes - bytes_
        name = "input" if index == 0 else layers[index - 1].name
        buffers.append(ArenaBuffer(name, offset, bytes_, first, last))
    return tuple(layers), tuple(buffers), arena_bytes


def make_report() -> RunReport:
    """300 photos on an STM32F405, all bytes equal."""
    layers, arena, arena_bytes = _mobilenet()
    random_ = random.Random(2)
    samples = []
    for index in range(24):
        label = CLASSES[index % 3]
        wrong = random_.random() < 0.22
        answer = CLASSES[(index + 1) % 3] if wrong else label
        score = random_.uniform(0.45, 0.99)
        samples.append(Sample(_photo(index), f"test/{index:04}", label, answer, score, True))
    return RunReport(
        title="cat-dog-bird",
        board="stm32f405",
        board_name="STM32F405 (Cortex-M4F, 168 MHz)",
        machine="QEMU 7.2.22, netduinoplus2",
        runtime="compiled",
        kernels="portable",
        inferences=300,
        bytes_equal=300,
        output_bytes=3,
        flash_bytes=261_804,
        flash_limit=1 << 20,
        ram_bytes=74_992,
        ram_limit=128 << 10,
        arena_bytes=arena_bytes,
        arena_used_bytes=arena_bytes,
        instructions_per_inference=98_437_112,
        model_bytes=261_432,
        macs=sum(layer.macs for layer in layers),
        elf="build/firmware/stm32f405-compiled/.pio/build/stm32f405/firmware.elf",
        model="build/quantize/model.tflite",
        device=Evaluation(CLASSES, ((68, 22, 10), (19, 75, 6), (7, 4, 89))),
        host_int8=Evaluation(CLASSES, ((668, 226, 106), (183, 752, 65), (76, 43, 881))),
        host_float=Evaluation(CLASSES, ((671, 224, 105), (180, 755, 65), (74, 44, 882))),
        history=_history(14),
        best_epoch=14,
        samples=tuple(samples),
        layers=layers,
        arena=arena,
        provenance=Provenance(
            command="edgemcu run --project examples/demo",
            finished="2026-11-22 12:31:07 +00:00",
            digests={"model.tflite": "9f2c" * 16, "firmware.elf": "07ab" * 16},
            versions={
                "edgemcu": "0.1.0",
                "Python": "3.11.7",
                "TensorFlow": "2.21.0",
                "ai-edge-litert": "2.3.0",
                "arm-none-eabi-gcc": "12.2.1",
                "QEMU": "7.2.22",
            },
            dataset={
                "source": "CIFAR-10",
                "classes": "cat, dog, bird",
                "training photos": "15,000",
                "test photos": "3,000",
            },
            training={
                "network": "mobilenet_v1, width 0.5",
                "preset": "demo: 14 epochs, batch 64, AdamW, cosine from 0.003",
                "seed": "0",
            },
            preprocessing={
                "colour": "rgb",
                "size": "32 × 32, centre crop",
                "range": "pixel / 128 − 1, int8 = pixel − 128",
            },
            board_file='name = "stm32f405"\ntitle = "STM32F405 (Cortex-M4F, 168 MHz)"\n',
        ),
    )


def make_failed_report() -> RunReport:
    """The same, but two inferences differ."""
    report = make_report()
    samples = list(report.samples)
    samples[4] = replace(samples[4], equal=False)
    return replace(
        report,
        bytes_equal=298,
        samples=tuple(samples),
        mismatches=(
            Mismatch(4, bytes([0x80, 0x7F, 0x81]), bytes([0x80, 0x7E, 0x82])),
            Mismatch(17, bytes([0x80, 0x7F, 0x81]), bytes([0x80, 0x7F])),
        ),
    )


def make_bare_report() -> RunReport:
    """A model that was brought along, with random inputs, on the host: nothing optional."""
    return RunReport(
        title="any.tflite",
        board="host",
        board_name="This computer (the firmware as a process)",
        machine="native process",
        runtime="compiled",
        kernels="portable",
        inferences=1,
        bytes_equal=1,
        output_bytes=10,
        flash_bytes=128_000,
        ram_bytes=60_000,
        arena_bytes=54_336,
        model_bytes=98_496,
        macs=12_501_632,
        elf="build/program",
        model="any.tflite",
    )
