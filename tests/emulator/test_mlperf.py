"""The MLPerf Tiny benchmark's commands to an emulated microcontroller."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgemcu.boards import load_board
from edgemcu.device.emulator import QEMU, QemuMachine
from edgemcu.reference import run_reference
from tests.support.generated import build_generated
from tests.support.mlperf_client import MlperfClient
from tests.support.tiny_classifier import tiny_classifier

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]


def test_scores_and_virtual_time(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    # Without metadata: the benchmark's bytes are the model's own.
    path.write_bytes(tiny_classifier(classes=None))
    elf, model = build_generated(path.read_bytes(), "stm32f405", tmp_path / "project")
    inputs = np.random.default_rng(0).integers(0, 256, (4, model.graph.input_bytes), np.uint8)
    emulator = load_board("stm32f405").emulator
    assert emulator is not None and emulator.kind == "qemu"
    line = QemuMachine(emulator.machine, emulator.icount_shift, emulator.serial).boot(elf)
    expected = run_reference(path, inputs).view(np.int8)
    try:
        client = MlperfClient(line)
        client.wait_for_start()
        assert client.command("profile")[1] == "m-model-[model]"
        for row, outputs in zip(inputs, expected, strict=True):
            client.load(row.tobytes())
            scores, once = client.infer(1, 0)
            assert scores == [f"{(value + 128) / 256:.3f}" for value in outputs.tolist()]
        again, often = client.infer(50, 3)
        _, as_often = client.infer(50, 3)
    finally:
        line.close()
    assert again == scores
    # Microseconds of virtual time follow the instructions, which are the same in every series.
    assert abs(often - as_often) <= 2
    assert 0.8 * 50 * once < often <= 50 * (once + 1)
