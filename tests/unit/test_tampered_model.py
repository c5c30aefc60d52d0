"""A firmware whose model was changed in flash says so at boot and computes nothing."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import start_process
from edgemcu.device.log import LogReader, LogRecord, LogText
from edgemcu.device.session import DeviceSession
from edgemcu.errors import DeviceError
from edgemcu.firmware.pictures import FlashPhotos
from tests.support.device_firmware import SANITIZE
from tests.support.generated import build_generated
from tests.support.tampering import constants_of, flipped
from tests.support.tiny_classifier import tiny_classifier


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("host")
    return build_generated(tiny_classifier(), "host", folder, SANITIZE)[0]


def test_the_digest_is_that_of_the_constants(firmware: Path) -> None:
    """What the device computed over its memory is what was put into the header."""
    lines: list[str] = []
    with open_board(load_board("host"), firmware, on_line=lines.append) as session:
        assert session.identity.model_ok
        session.infer(bytes(session.identity.input_bytes))
    assert not [line for line in lines if "damaged" in line]


@pytest.mark.parametrize("seed", range(8))
def test_any_flipped_bit_is_noticed(firmware: Path, seed: int, tmp_path: Path) -> None:
    numbers = random.Random(seed)
    arrays = constants_of(firmware.parent)
    assert len(arrays) >= 3
    _, memory = arrays[seed % len(arrays)]
    tampered = flipped(firmware, memory, numbers.randrange(8 * len(memory)), tmp_path)
    lines: list[str] = []
    with DeviceSession(start_process(tampered), on_line=lines.append) as session:
        identity = session.identify()
        assert not identity.model_ok
        with pytest.raises(DeviceError, match="did not check out"):
            session.infer(bytes(identity.input_bytes))
    (line,) = [line for line in lines if "damaged" in line]
    digests = re.fullmatch(
        "edgemcu: the model in flash is damaged: the SHA-256 of its constants is "
        "([0-9a-f]{64}), not ([0-9a-f]{64})",
        line,
    )
    assert digests is not None and digests[1] != digests[2]
    with pytest.raises(DeviceError, match="in flash is damaged"):
        open_board(load_board("host"), tampered)


def test_the_device_itself_refuses(firmware: Path, tmp_path: Path) -> None:
    """Whatever a host sends: not only edgemcu's own, which does not even ask."""
    _, memory = constants_of(firmware.parent)[-1]
    tampered = flipped(firmware, memory, 3, tmp_path)
    with DeviceSession(start_process(tampered)) as session:
        identity = session.identify()
        object.__setattr__(identity, "model_ok", True)
        with pytest.raises(DeviceError, match="the model in flash is damaged"):
            session.infer(bytes(identity.input_bytes))


def test_a_device_with_pictures_of_its_own_shows_none(tmp_path: Path) -> None:
    pixels = tuple(random.Random(seed).randbytes(8 * 8 * 3) for seed in range(3))
    photos = FlashPhotos((8, 8, 3), pixels, (0, 1, 2), ("a", "b", "c"))
    sound, _ = build_generated(tiny_classifier(), "host", tmp_path / "x", SANITIZE, photos)
    _, memory = constants_of(sound.parent)[0]
    tampered = flipped(sound, memory, 9, tmp_path)
    for firmware, wanted in ((sound, 6), (tampered, 0)):
        transport = start_process(firmware)
        reader, events = LogReader(), []
        try:
            deadline = time.monotonic() + (20.0 if wanted else 1.0)
            while time.monotonic() < deadline:
                events += reader.feed(transport.read(0.1))
                records = [event for event in events if isinstance(event, LogRecord)]
                if wanted and len(records) >= wanted:
                    break
            # It still answers.
            with DeviceSession(transport) as session:
                assert session.identify().model_ok is bool(wanted)
        finally:
            transport.close()
        assert bool(records) is bool(wanted)
        damaged = [e for e in events if isinstance(e, LogText) and "damaged" in e.text]
        assert len(damaged) == (0 if wanted else 1)
        # Each photo gives the same outputs whenever its turn comes.
        for first, second in zip(records, records[3:], strict=False):
            assert first.outputs == second.outputs
