"""Finding a board's serial port, and saying why one cannot be used."""

from __future__ import annotations

import errno
import os
import pty
import socket
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgemcu.boards import Board, load_board
from edgemcu.device import ports
from edgemcu.device.ports import SerialPort, find_port, list_ports
from edgemcu.device.transport import SerialTransport
from edgemcu.errors import DeviceError

ADAPTER = {"vid": 0x10C4, "pid": 0xEA60}


@pytest.fixture
def board() -> Board:
    return load_board("stm32f405")


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """What the system lists; empty at first."""
    found: list[SimpleNamespace] = []
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    monkeypatch.setattr(ports, "SYS_USB", Path("/nowhere"))
    return found


def a_port(device: str, vid: int | None, pid: int | None, text: str = "n/a") -> SimpleNamespace:
    return SimpleNamespace(device=device, description=text, vid=vid, pid=pid, serial_number="1")


def test_ports_are_named_as_the_board_calls_them(
    board: Board, plugged: list[SimpleNamespace]
) -> None:
    plugged += [
        a_port("/dev/ttyS0", None, None),
        a_port("/dev/ttyUSB1", 0x10C4, 0xEA60, "CP2102N"),
        a_port("/dev/ttyACM0", 0x1234, 0x5678, "Somebody's thing"),
    ]
    found = list_ports(board)
    assert [port.device for port in found] == ["/dev/ttyACM0", "/dev/ttyUSB1", "/dev/ttyS0"]
    assert found[1].label == "/dev/ttyUSB1: Silicon Labs CP210x adapter (10c4:ea60)"
    assert found[0].label == "/dev/ttyACM0: Somebody's thing (1234:5678)"
    assert found[2].label == "/dev/ttyS0: serial port"
    assert find_port(board) == found[1]


def test_one_of_several_is_asked_for_or_an_error(
    board: Board, plugged: list[SimpleNamespace]
) -> None:
    plugged += [
        a_port("/dev/ttyUSB1", 0x10C4, 0xEA60),
        a_port("/dev/ttyUSB0", 0x0403, 0x6001),
        a_port("/dev/ttyUSB2", 0x9999, 0x0001),
    ]

    def second(offered: Sequence[SerialPort]) -> SerialPort:
        assert [port.device for port in offered] == ["/dev/ttyUSB0", "/dev/ttyUSB1"]
        return offered[1]

    assert find_port(board, choose=second).device == "/dev/ttyUSB1"
    with pytest.raises(DeviceError, match="2 ports may be the board's") as error:
        find_port(board)
    assert "/dev/ttyUSB0: FTDI FT232R adapter (0403:6001)" in str(error.value)
    assert "--port" in str(error.value)


def test_an_unlisted_adapter_is_not_taken_but_named(
    board: Board, plugged: list[SimpleNamespace]
) -> None:
    plugged.append(a_port("/dev/ttyUSB2", 0x9999, 0x0001, "Thing"))
    with pytest.raises(DeviceError, match="/dev/ttyUSB2: Thing") as error:
        find_port(board)
    assert "--port NAME" in str(error.value)
    # A board whose file lists no ids takes what there is, if that is one.
    anything = board.model_copy(update={"serial": board.serial.model_copy(update={"usb": ()})})
    assert find_port(anything).device == "/dev/ttyUSB2"


def test_nothing_plugged_in(
    board: Board, plugged: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeviceError, match="no serial port on USB") as error:
        find_port(board)
    assert "carries data" in str(error.value)
    monkeypatch.setattr(ports, "_in_wsl", lambda: True)
    with pytest.raises(DeviceError, match="usbipd attach"):
        find_port(board)


def test_a_device_without_driver_is_noticed(
    board: Board,
    plugged: list[SimpleNamespace],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = tmp_path / "1-1"
    (device / "1-1:1.0").mkdir(parents=True)
    (device / "idVendor").write_text("10c4\n")
    (device / "idProduct").write_text("ea60\n")
    (tmp_path / "usb1").mkdir()
    orphans = ports.devices_without_port(board.usb, tmp_path)
    assert ports.usb_names(orphans) == "Silicon Labs CP210x adapter (10c4:ea60)"
    (device / "1-1:1.0" / "ttyUSB0").mkdir()
    assert ports.devices_without_port(board.usb, tmp_path) == []

    monkeypatch.setattr(ports, "devices_without_port", lambda usb: orphans)
    monkeypatch.setattr(ports.sys, "platform", "linux")
    with pytest.raises(DeviceError, match="made no serial port") as error:
        find_port(board)
    assert "sudo modprobe cp210x;" in str(error.value)
    monkeypatch.setattr(ports.sys, "platform", "darwin")
    assert "CP210x VCP drivers" in ports.driver_hint(board.usb)
    assert ports.driver_hint(()) == "the adapter's driver may be missing"


def test_a_port_is_found_again_under_another_name(plugged: list[SimpleNamespace]) -> None:
    plugged.append(a_port("/dev/ttyACM0", 0x303A, 0x1001))
    port = ports.port_called("/dev/ttyACM0")
    assert ports.name_now(port) == "/dev/ttyACM0"
    plugged[:] = [a_port("/dev/ttyACM1", 0x303A, 0x1001), a_port("/dev/ttyACM2", 0x1234, 1)]
    assert ports.name_now(port) == "/dev/ttyACM1"
    plugged.pop(0)
    with pytest.raises(DeviceError, match="has not come back"):
        ports.name_now(port)
    # Of a URL the system knows nothing.
    assert ports.name_now(ports.port_called("socket://there:4000")) == "socket://there:4000"


# ---- Ports that cannot be opened ---------------------------------------------------------------


def test_a_port_that_is_not_there(plugged: list[SimpleNamespace]) -> None:
    with pytest.raises(DeviceError, match="no such port") as error:
        SerialTransport("/dev/ttyNONE", 115_200)
    assert "plugged in?" in str(error.value)
    plugged.append(a_port("/dev/ttyUSB7", **ADAPTER))
    with pytest.raises(DeviceError, match="there are: /dev/ttyUSB7"):
        SerialTransport("/dev/ttyNONE", 115_200)


def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    first = SerialTransport(name, 115_200)
    try:
        with pytest.raises(DeviceError, match="is in use") as error:
            SerialTransport(name, 115_200)
        assert "close the other program" in str(error.value)
    finally:
        first.close()
        os.close(ours)
        os.close(theirs)
    assert "is in use" in str(ports.open_failure("/dev/null", OSError(errno.EBUSY, "busy")))


def test_who_has_a_port_is_found(tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch()
    program = tmp_path / "proc" / "4711"
    (program / "fd").mkdir(parents=True)
    (program / "fd" / "3").symlink_to(device)
    (program / "comm").write_text("picocom\n")
    (tmp_path / "proc" / "4712").mkdir()
    assert ports.holders(str(device), tmp_path / "proc") == ["picocom (4711)"]


@pytest.mark.parametrize("group", ["dialout", "uucp", "plugdev"])
def test_a_port_without_permission(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_group_of", lambda port: group)
    denied = ports.open_failure("/dev/ttyUSB0", PermissionError(errno.EACCES, "Permission denied"))
    assert "you may not use this port" in str(denied)
    assert f"sudo usermod -aG {group} $USER" in str(denied)


def test_no_listener_at_a_url() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(DeviceError, match="is something listening there"):
        SerialTransport(f"socket://127.0.0.1:{port}", 115_200)


def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DeviceError, match="is it a serial port"):
        SerialTransport(str(file), 115_200)
