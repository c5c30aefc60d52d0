"""A firmware whose model was changed in flash says so at boot and computes nothing."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.connect import open_board
from edgemcu.device.emulator import start_process
from edgemcu.device.session import DeviceSession
from edgemcu.errors import DeviceError
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
