"""The TFLM firmware, built from TensorFlow Lite Micro's own sources, gives the reference's bytes.

Those sources are in no package registry, so these tests run where EDGEMCU_TFLM_LIBRARY names them:
a folder that is a PlatformIO library (docs/tflm.md).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgemcu.boards import Board, load_board
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import QEMU
from edgemcu.errors import DeviceError
from edgemcu.firmware import generate_project
from edgemcu.firmware.cmsis_nn import extension
from edgemcu.firmware.tflm import board_abi
from edgemcu.firmware.tflm_arena import compute_arena
from edgemcu.platformio.build import build_project
from edgemcu.reference import run_reference
from edgemcu.steps.request import TFLM_LIBRARY_VARIABLE
from edgemcu.tflite import parse_model
from edgemcu.tflite.file import open_model
from tests.support.tampering import flipped
from tests.support.tflm_networks import NETWORKS

LIBRARY = os.environ.get(TFLM_LIBRARY_VARIABLE, "")
INFERENCES = 10

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.skipif(
        not LIBRARY,
        reason=f"{TFLM_LIBRARY_VARIABLE} is not set; TensorFlow Lite Micro is in no registry",
    ),
]

CROSS = ("arm-none-eabi-g++", QEMU)
NEEDS = {
    "host": ("gcc", "g++"),
    "mps2-an386": CROSS,
    "mps2-an500": CROSS,
    "mps3-an547": CROSS,
    "stm32f405": CROSS,
}


@pytest.fixture(scope="module", params=NEEDS)
def board(request: pytest.FixtureRequest) -> Board:
    for program in NEEDS[request.param]:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    return load_board(request.param)


@pytest.fixture(scope="module")
def folder(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that the tests of a board share, so that TFLM is compiled once."""
    return tmp_path_factory.mktemp(board.name)


@pytest.mark.parametrize("network", NETWORKS)
def test_bytes_and_arena(network: str, board: Board, folder: Path, tmp_path: Path) -> None:
    model = tmp_path / f"{network}.tflite"
    model.write_bytes(NETWORKS[network]())
    library = LIBRARY if "://" in LIBRARY else f"symlink://{Path(LIBRARY).resolve()}"
    project = generate_project(model, board, "tflm", folder, library=library)
    elf = build_project(project.path, board).elf

    graph = parse_model(model.read_bytes(), network)
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (INFERENCES, graph.input_bytes), dtype=np.uint8)
    with open_board(board, elf, model_digest=project.model_digest) as session:
        identity = session.identity
        outputs = [session.infer(row.tobytes()).outputs for row in inputs]

    assert identity.runtime == "tflm"
    assert identity.kernels == project.kernels
    assert identity.arena_planned == project.arena_bytes
    kernels = "cmsis-nn" if project.kernels == "cmsis-nn" else "reference"
    arena = compute_arena(
        open_model(model.read_bytes(), network),
        board_abi(board),
        kernels,
        extension(board.core.name),
    )
    assert identity.arena_used <= arena.bytes
    # Another version of TFLM may differ by its headroom at most.
    assert abs(identity.arena_used - arena.used) <= arena.bytes - arena.needed
    assert [np.frombuffer(output, np.uint8).tolist() for output in outputs] == run_reference(
        model, inputs
    ).tolist()


def test_a_flipped_bit_of_the_model_is_noticed(board: Board, folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(next(iter(NETWORKS.values()))())
    library = LIBRARY if "://" in LIBRARY else f"symlink://{Path(LIBRARY).resolve()}"
    project = generate_project(model, board, "tflm", folder, library=library)
    elf = build_project(project.path, board).elf
    for bit in (5, 8 * len(model.read_bytes()) // 2, 8 * len(model.read_bytes()) - 1):
        tampered = flipped(elf, model.read_bytes(), bit, tmp_path)
        with pytest.raises(DeviceError, match="the model in flash is damaged: the SHA-256 of"):
            open_board(board, tampered)
