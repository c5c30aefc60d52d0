from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.session import Limits
from edgemcu.device.target import Target, default_target, open_target, parse_target
from edgemcu.errors import DeviceError, EmulatorError, ToolMissingError
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, MODEL_DIGEST, expected
from tests.support.serve import serve
from tests.support.serve_rfc2217 import serve_rfc2217

QUICK = Limits(ready_s=0.5, answer_s=0.1, inference_s=0.5, attempts=3)
HOST = load_board("host")
STM32 = load_board("stm32f405")


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"))


@pytest.fixture
def served(firmware: Path) -> Iterator[str]:
    with serve(firmware) as url:
        yield url


@pytest.mark.parametrize("word", ["host", "qemu", "renode"])
def test_targets_without_a_port(word: str) -> None:
    target = parse_target(word, STM32)
    assert (target.kind, target.port, str(target)) == (word, None, word)
    assert target.emulated


@pytest.mark.parametrize(
    "port",
    ["/dev/ttyACM0", "COM3", "com12", r"\\.\COM10", "socket://localhost:7000", "rfc2217://[::1]:1"],
)
def test_ports(port: str) -> None:
    target = parse_target(port, STM32)
    assert target == Target("port", port, 115_200)
    assert str(target) == port
    assert not target.emulated
    assert parse_target(port, STM32, baud=9600).baud == 9600


@pytest.mark.parametrize(
    "nonsense",
    [
        *("", "qemuu", "HOST", "ttyACM0", "COM", "COM3x", "socket://", "socket://host"),
        *("socket://host:0", "socket://host:99999", "socket://:80", "ftp://host:1", "loop://"),
        "socket://[::1:80",
    ],
)
def test_nonsense_is_refused_with_what_is_possible(nonsense: str) -> None:
    with pytest.raises(DeviceError, match=r"is no target(.|\n)*rfc2217://HOST:PORT"):
        parse_target(nonsense, STM32)


def test_a_boards_speed_is_the_ports() -> None:
    fast = STM32.model_copy(update={"serial": STM32.serial.model_copy(update={"baud": 921_600})})
    assert parse_target("/dev/ttyUSB0", fast).baud == 921_600


def test_where_boards_run_by_default() -> None:
    assert default_target(HOST) == Target("host")
    assert default_target(STM32) == Target("qemu")
    with pytest.raises(EmulatorError, match="cannot be emulated"):
        default_target(HOST.model_copy(update={"emulator": None}))


def test_a_port_needs_no_firmware_file(served: str) -> None:
    target = parse_target(served, HOST)
    with open_target(HOST, None, target, model_digest=MODEL_DIGEST) as session:
        data = bytes(INPUT_BYTES)
        assert session.infer(data).outputs == expected(data)
        assert session.identity.model == MODEL_DIGEST


def test_a_port_over_rfc2217(firmware: Path) -> None:
    with serve_rfc2217(firmware) as port:
        target = parse_target(port, STM32, baud=921_600)
        with open_target(HOST, None, target, model_digest=MODEL_DIGEST) as session:
            # All values of a byte: the protocol's escape, 0xff, must not get lost in theirs.
            data = (bytes(range(256)) * 12)[:INPUT_BYTES]
            assert session.infer(data).outputs == expected(data)


def test_another_model_at_a_port_is_refused(served: str) -> None:
    with pytest.raises(DeviceError, match=r"not ffff(.|\n)*flash it again"):
        open_target(HOST, None, parse_target(served, HOST), model_digest="f" * 64)


def test_another_board_at_a_port_is_refused(served: str) -> None:
    with pytest.raises(DeviceError, match=r"is for board 'host', not 'stm32f405'"):
        open_target(STM32, None, parse_target(served, STM32))


def test_silence_at_a_port_ends_within_the_limits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target("port", f"socket://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(DeviceError, match=r"not identified itself within 0\.5 s"):
            open_target(HOST, None, target, limits=QUICK)


def test_targets_that_do_not_suit_the_board(firmware: Path) -> None:
    with pytest.raises(EmulatorError, match="does not run as a process"):
        open_target(STM32, firmware, Target("host"))
    with pytest.raises(EmulatorError, match="QEMU does not emulate"):
        open_target(HOST, firmware, Target("qemu"))
    with pytest.raises(EmulatorError, match="no firmware to start"):
        open_target(HOST, None, Target("host"))


def test_ports_that_are_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    addresses = f"socket://127.0.0.1:{free}", f"rfc2217://127.0.0.1:{free}"
    # Nothing that a name server could be asked for.
    impossible = "socket://a..b:1", f"socket://{'a' * 64}:1", f"rfc2217://{'a' * 64}:1"
    for port in ("/dev/no-such-port", *addresses, *impossible):
        with pytest.raises(DeviceError):
            open_target(STM32, None, parse_target(port, STM32), limits=QUICK)


def test_renode_that_is_not_installed(firmware: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match="Renode was not found"):
        open_target(STM32, firmware, Target("renode"))
