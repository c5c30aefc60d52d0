"""The arena's size against TensorFlow Lite Micro's own account of it, and its planner by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgemcu.firmware.cmsis_nn import Extension, extension
from edgemcu.firmware.tflm_arena import Buffer, compute_arena, plan
from edgemcu.firmware.tflm_kernels import OPERATORS, Kernels
from edgemcu.firmware.tflm_sizes import AAPCS, ILP32, LP64, Abi
from edgemcu.tflite.file import open_model
from tests.support.random_models import RandomModel
from tests.support.tflm_networks import NETWORKS

# network, target, kernels, CMSIS-NN's instructions, (arena_used_bytes(), smallest arena that
# AllocateTensors succeeds with, None where that was not looked for), measured in tflite-micro at
# TFLM_COMMIT: on Arm in QEMU (mps2-an386, mps3-an547), on a computer natively.
MEASURED: list[tuple[str, Abi, Kernels, Extension, int, int | None]] = [
    ("classifier", AAPCS, "reference", "none", 1060, 1504),
    ("residual", AAPCS, "reference", "none", 4324, 4336),
    ("branches", AAPCS, "reference", "none", 4388, 4400),
    ("dense", AAPCS, "reference", "none", 916, 1536),
    ("classifier", AAPCS, "cmsis-nn", "dsp", 1220, 1632),
    ("residual", AAPCS, "cmsis-nn", "dsp", 4388, 4400),
    ("branches", AAPCS, "cmsis-nn", "dsp", 4452, 4464),
    ("dense", AAPCS, "cmsis-nn", "dsp", 1076, 1696),
    ("classifier", AAPCS, "cmsis-nn", "mve", 1252, None),
    ("residual", AAPCS, "cmsis-nn", "mve", 15860, None),
    ("branches", AAPCS, "cmsis-nn", "mve", 4436, None),
    ("dense", AAPCS, "cmsis-nn", "mve", 1364, None),
    ("classifier", LP64, "reference", "none", 1600, 2128),
    ("residual", LP64, "reference", "none", 5088, 5088),
    ("branches", LP64, "reference", "none", 5392, 5392),
    ("dense", LP64, "reference", "none", 1616, 2320),
    # Espressif's esp-tflite-micro 1.3.8 on a computer: its kernels for ESP-NN, and the sizes of
    # scratch buffers that the ESP32-S3's functions return.
    ("classifier", LP64, "esp-nn", "none", 1904, None),
    ("residual", LP64, "esp-nn", "none", 6496, None),
    ("branches", LP64, "esp-nn", "none", 5424, None),
    ("dense", LP64, "esp-nn", "none", 1616, None),
]


@pytest.mark.parametrize(("network", "abi", "kernels", "core", "used", "least"), MEASURED)
def test_as_measured(
    network: str, abi: Abi, kernels: Kernels, core: Extension, used: int, least: int | None
) -> None:
    model = open_model(NETWORKS[network](), network)
    arena = compute_arena(model, abi, kernels, core)
    assert arena.used == used
    assert least in (arena.needed, None)
    assert arena.used == arena.activations + arena.persistent
    assert arena.bytes - arena.needed == 256 + 16 * len(model.operators)
    assert arena.bytes % 16 == 0


def test_the_networks_measured_use_every_operator() -> None:
    models = (open_model(make(), name) for name, make in NETWORKS.items())
    assert {op.name for model in models for op in model.operators} == set(OPERATORS)


@pytest.mark.parametrize("seed", range(40))
def test_figures_of_random_models_are_consistent(seed: int) -> None:
    random = RandomModel(np.random.default_rng(seed))
    for _ in range(8):
        random.step()
    model = open_model(random.finish(), "random")
    arm, other, computer = (compute_arena(model, abi) for abi in (AAPCS, ILP32, LP64))
    assert arm.activations == other.activations == computer.activations
    assert arm.persistent <= other.persistent < computer.persistent
    for arena in (arm, other, computer):
        assert arena.used <= arena.needed < arena.bytes
        assert arena.needed % 16 == 0
    for core in ("none", "dsp", "mve"):
        optimised = compute_arena(model, AAPCS, "cmsis-nn", core)
        assert optimised.used >= arm.used


def test_cmsis_nn_by_core() -> None:
    assert [extension(core) for core in ("cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m55")] == [
        "none",
        "dsp",
        "dsp",
        "mve",
    ]
    assert extension("native") == "none"


# ---- Planner ---------------------------------------------------------------------------------


def test_nothing_takes_nothing() -> None:
    assert plan([]) == 0


def test_what_does_not_live_together_shares_memory() -> None:
    assert plan([Buffer(64, 0, 1), Buffer(48, 2, 3)]) == 64


def test_what_lives_together_does_not() -> None:
    assert plan([Buffer(64, 0, 1), Buffer(48, 1, 2)]) == 112


def test_of_equal_sizes_the_later_comes_first() -> None:
    # 1 at 0; 0 at 64 beside it; 2 lives with 1 only, and fits below neither: at 64.
    assert plan([Buffer(64, 0, 1), Buffer(64, 1, 2), Buffer(48, 2, 3)]) == 128
    # 2 at 0; 0 does not meet it: at 0; 1 meets both: at 64.
    assert plan([Buffer(64, 0, 1), Buffer(48, 1, 2), Buffer(64, 2, 3)]) == 112


def test_the_first_gap_that_is_large_enough() -> None:
    fixed = [
        Buffer(96, 0, 5),  # at 0
        Buffer(80, 0, 1),  # at 96
        Buffer(72, 1, 5),  # at 176: at time 4 there are 80 bytes free below it
    ]
    assert plan(fixed) == 248
    assert plan([*fixed, Buffer(64, 4, 4)]) == 248, "at 96, in the gap"
    assert plan([*fixed, Buffer(64, 4, 4), Buffer(48, 4, 4)]) == 296, "16 bytes are left there"
    assert plan([*fixed, Buffer(64, 4, 4), Buffer(16, 4, 4)]) == 248, "just enough"
