"""A firmware that classifies test photos from its flash, with nobody at the other end."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from edgemcu.boards import Board, load_board
from edgemcu.data import LabelledImages
from edgemcu.device.emulator import QEMU, QemuMachine, start_process
from edgemcu.device.log import LogReader, LogRecord, LogText
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession
from edgemcu.device.transport import Transport
from edgemcu.firmware import generate_project
from edgemcu.firmware.pictures import Pictures
from edgemcu.platformio.build import build_project
from edgemcu.preprocessing import quantize_pixels
from edgemcu.reference import run_reference
from edgemcu.tflite import ModelMetadata, read_metadata, read_model
from tests.support.tiny_classifier import CLASSES, tiny_classifier

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

COUNT = 3
TIMEOUT_S = 60
NEEDS = {
    "host": ("gcc",),
    "stm32f405": ("arm-none-eabi-gcc", QEMU),
    "mps3-an547": ("arm-none-eabi-gcc", QEMU),
}


def photos(count: int, metadata: ModelMetadata) -> LabelledImages:
    shape = (count, *metadata.preprocessing.shape)
    images = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    ids = tuple(f"{index}.png" for index in range(count))
    return LabelledImages(images, np.arange(count) % len(CLASSES), metadata.classes, ids)


def model_metadata(model: Path) -> ModelMetadata:
    metadata = read_metadata(read_model(model), "")
    assert metadata is not None
    return metadata


def expected_outputs(model: Path, count: int) -> list[bytes]:
    """The reference interpreter's outputs for the first `count` of `photos`."""
    graph, metadata = read_model(model), model_metadata(model)
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert quantization is not None
    tensors = quantize_pixels(
        photos(count, metadata).images.reshape(count, -1),
        metadata.preprocessing,
        quantization.scale,
        quantization.zero_point,
    )
    return [row.tobytes() for row in run_reference(model, tensors.view(np.uint8))]


def boot(board: Board, elf: Path) -> Transport:
    emulator = board.emulator
    if emulator is None or emulator.kind != "qemu":
        return start_process(elf)
    arguments = (emulator.icount_shift, emulator.serial, emulator.arguments)
    return QemuMachine(emulator.machine, *arguments).boot(elf)


@pytest.mark.parametrize("name", NEEDS)
def test_photos_in_flash_are_classified_and_a_host_is_still_served(
    name: str, tmp_path: Path
) -> None:
    for program in NEEDS[name]:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    board, model = load_board(name), tmp_path / "tiny.tflite"
    model.write_bytes(tiny_classifier())
    pictures = Pictures("flash", COUNT, photos)
    project = generate_project(model, board, "compiled", tmp_path / "out", pictures=pictures)
    elf = build_project(project.path, board).elf

    expected = expected_outputs(model, COUNT)
    chosen = photos(COUNT, model_metadata(model))

    transport, reader = boot(board, elf), LogReader()
    lines: list[str] = []
    records: list[LogRecord] = []
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while len(records) < COUNT + 1 and time.monotonic() < deadline:
            for event in reader.feed(transport.read(1.0)):
                if isinstance(event, LogRecord):
                    records.append(event)
                elif isinstance(event, LogText):
                    lines.append(event.text)
        assert [record.outputs for record in records] == [*expected, expected[0]]
        assert [record.number for record in records] == [1, 2, 3, 4]
        shown = [line for line in lines if line.startswith("photo of ")]
        assert shown == [f"photo of {CLASSES[i % COUNT]}:" for i in range(COUNT + 1)]

        session = DeviceSession(transport)
        for index in (2, 0, 1):
            pixels = chosen.images[index].tobytes()
            assert session.infer(pixels, Kind.PIXELS).outputs == expected[index]
        # With the log off the photos are classified without a word.
        session.log_level(0)
        quiet = transport.read(3.0)
        assert b"photo of" not in quiet and b" l " not in quiet
    finally:
        transport.close()


# Machines of newer versions of QEMU, and the board whose firmware they run. What the first of
# them receives gets stuck, so that photos in flash are all that can be tried there: one of them,
# since with the clock that this machine has the pause before it takes half a minute.
NEWER = {"b-l475e-iot01a": "b-l475e-iot01a", "olimex-stm32-h405": "stm32f405"}


@pytest.mark.parametrize("machine", NEWER)
def test_on_a_machine_of_a_newer_qemu(machine: str, tmp_path: Path) -> None:
    for program in NEEDS["stm32f405"]:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    said = subprocess.run([QEMU, "-machine", "help"], capture_output=True, text=True).stdout
    if not re.search(rf"^{machine} ", said, re.MULTILINE):
        pytest.skip(f"this version of QEMU has no {machine}")
    board, model = load_board(NEWER[machine]), tmp_path / "tiny.tflite"
    model.write_bytes(tiny_classifier())
    pictures = Pictures("flash", COUNT, photos)
    project = generate_project(model, board, "compiled", tmp_path / "out", pictures=pictures)
    transport = QemuMachine(machine, 3).boot(build_project(project.path, board).elf)
    reader, outputs = LogReader(), list[bytes]()
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not outputs and time.monotonic() < deadline:
            events = reader.feed(transport.read(1.0))
            outputs += [event.outputs for event in events if isinstance(event, LogRecord)]
    finally:
        transport.close()
    assert outputs[:1] == expected_outputs(model, 1)
