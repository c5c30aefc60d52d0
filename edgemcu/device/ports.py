"""Serial ports: which of them a board is plugged into, and why one cannot be opened."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemcu.board_schema import Board, UsbId
from edgemcu.errors import DeviceError

SYS_USB = Path("/sys/bus/usb/devices")
PROC = Path("/proc")

# Vendor id → the adapter's usual name, Linux' driver for it, and where other systems get theirs.
_DRIVERS = {
    0x10C4: ("CP210x", "cp210x", "Silicon Labs' page of the CP210x VCP drivers"),
    0x1A86: ("CH34x", "ch341", "WCH's page of the CH341SER driver"),
    0x0403: ("FTDI", "ftdi_sio", "FTDI's page of the VCP drivers"),
    0x0483: ("ST-Link", "cdc_acm", "ST's package STSW-LINK009"),
    0x303A: ("USB Serial/JTAG", "cdc_acm", "Espressif's page of the USB drivers"),
}
_URL = re.compile(r"[a-z0-9]+://", re.I)
_GROUPS = ("dialout", "uucp")


@dataclass(frozen=True)
class SerialPort:
    """A port that the system offers.

    Attributes:
        device: its name, as it is opened: /dev/ttyUSB0, COM3.
        description: what the system says about it.
        vid, pid: USB vendor and product id; None for a port that is not on USB.
        serial_number: the USB device's own, by which it is known after it was away.
        what: what the board's data file calls this USB id; None if it does not list it.
    """

    device: str
    description: str = ""
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    what: str | None = None

    @property
    def label(self) -> str:
        """The port for people: name, what it is, USB ids."""
        ids = f" ({self.vid:04x}:{self.pid:04x})" if self.vid is not None else ""
        return f"{self.device}: {self.what or self.description or 'serial port'}{ids}"

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def list_ports(board: Board | None = None) -> list[SerialPort]:
    """The ports of this computer, those on USB first; each named as `board` calls its USB id."""
    from serial.tools.list_ports import comports

    names = {(usb.vid, usb.pid): usb.what for usb in (board.usb if board is not None else ())}
    ports = [
        SerialPort(
            device=port.device,
            description=port.description if port.description != "n/a" else "",
            vid=port.vid,
            pid=port.pid,
            serial_number=port.serial_number,
            what=names.get((port.vid, port.pid)),
        )
        for port in comports()
    ]
    return sorted(ports, key=lambda port: (port.vid is None, port.device))


def find_port(
    board: Board,
    ports: Sequence[SerialPort] | None = None,
    choose: Callable[[Sequence[SerialPort]], SerialPort] | None = None,
) -> SerialPort:
    """The port that `board` is plugged into.

    Args:
        ports: what there is; by default asked from the system.
        choose: picks one when several fit; without it that is an error.

    Raises:
        DeviceError: none fits, or several and nobody to ask.
    """
    offered = list_ports(board) if ports is None else ports
    on_usb = [port for port in offered if port.vid is not None]
    fitting = [port for port in on_usb if port.what is not None]
    # A board file without USB ids says nothing about adapters: any on USB may be the board's.
    candidates = fitting or ([] if board.usb else on_usb)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise _none_fits(board, on_usb)
    if choose is not None:
        return choose(candidates)
    raise DeviceError(
        f"{len(candidates)} ports may be the board's:\n" + _listed(candidates),
        where=board.name,
        hint="say which one: --port NAME, or `port` in the project's [flash] table",
    )


def port_called(name: str, board: Board | None = None) -> SerialPort:
    """The port of that name, with what the system knows of it: nothing of URLs, for example."""
    known = {port.device: port for port in list_ports(board)}
    return known.get(name, SerialPort(name))


def name_now(port: SerialPort) -> str:
    """What `port` is called now: after a reset or another plugging-in it may be something else.

    Raises:
        DeviceError: its USB device is not there.
    """
    if port.vid is None:
        return port.device
    for other in list_ports():
        same = (other.vid, other.serial_number) == (port.vid, port.serial_number)
        if other.device == port.device or (same and port.serial_number):
            return other.device
    raise DeviceError("the port has not come back", where=port.device)


def _listed(ports: Iterable[SerialPort]) -> str:
    return "\n".join(f"    {port.label}" for port in ports)


def _none_fits(board: Board, others: Sequence[SerialPort]) -> DeviceError:
    if others:
        return DeviceError(
            "no port has a USB id that the board's file lists; there are:\n" + _listed(others),
            where=board.name,
            hint="if one of them is the board's, say so: --port NAME",
        )
    orphans = devices_without_port(board.usb)
    if orphans:
        return DeviceError(
            "the board is plugged in, but the system has made no serial port for it: "
            + usb_names(orphans),
            where=board.name,
            hint=driver_hint(orphans),
        )
    hint = "is it plugged in, with a cable that carries data and not only power?"
    if _in_wsl():
        hint += " WSL sees USB devices only after `usbipd attach` on Windows."
    elif sys.platform != "linux":
        hint += f" {driver_hint(board.usb)}"
    return DeviceError("no serial port on USB was found", where=board.name, hint=hint)


def devices_without_port(usb: Sequence[UsbId], root: Path | None = None) -> list[UsbId]:
    """What of `usb` is on the bus of a Linux system without a serial port.

    Empty on other systems, which do not tell.
    """
    wanted = {(known.vid, known.pid): known for known in usb}
    found = []
    for folder in sorted((root or SYS_USB).glob("*")):
        try:
            ids = (_hex(folder / "idVendor"), _hex(folder / "idProduct"))
        except (OSError, ValueError):
            continue
        if ids in wanted and not any(folder.glob("*/tty*")):
            found.append(wanted[ids])
    return found


def usb_names(usb: Sequence[UsbId]) -> str:
    """USB devices for people."""
    return ", ".join(f"{known.what} ({known.vid:04x}:{known.pid:04x})" for known in usb)


def _hex(file: Path) -> int:
    return int(file.read_text(), 16)


def driver_hint(usb: Sequence[UsbId]) -> str:
    """How to get the drivers of these USB ids on this system."""
    known = {vid: _DRIVERS[vid] for vid in dict.fromkeys(u.vid for u in usb) if vid in _DRIVERS}
    if not known:
        return "the adapter's driver may be missing"
    if sys.platform == "linux":
        modules = ", ".join(dict.fromkeys(f"sudo modprobe {d[1]}" for d in known.values()))
        return (
            f"the kernel's driver may be missing: {modules}; "
            "on Ubuntu, brltty may have taken the port: sudo apt-get remove brltty"
        )
    pages = "; ".join(dict.fromkeys(f"{name}: {page}" for name, _, page in known.values()))
    return f"the adapter's driver may be missing ({pages})"


def open_failure(port: str, error: BaseException) -> DeviceError:
    """Why `port` cannot be opened, and what to do about it."""
    code = getattr(error, "errno", None)
    text = str(error)
    if _URL.match(port):
        return DeviceError(
            f"cannot be opened: {text}", where=port, hint="is something listening there?"
        )
    if code == errno.EBUSY or _says(text, "exclusively lock", "Resource busy", "EBUSY"):
        return _busy(port)
    denied = code in (errno.EACCES, errno.EPERM) or isinstance(error, PermissionError)
    if denied or _says(text, "permission denied", "PermissionError", "access is denied"):
        # Windows says that access is denied when another program has the port.
        return _busy(port) if os.name == "nt" or _says(text, "Access is denied") else _denied(port)
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or _says(text, "FileNotFoundError"):
        there = [known.device for known in list_ports() if known.vid is not None]
        return DeviceError(
            "there is no such port",
            where=port,
            hint=f"there are: {', '.join(there)}" if there else "is the board plugged in?",
        )
    return DeviceError(f"cannot be opened: {text}", where=port, hint="is it a serial port?")


def _says(text: str, *parts: str) -> bool:
    return any(part.lower() in text.lower() for part in parts)


def _busy(port: str) -> DeviceError:
    users = holders(port)
    by = f" by {', '.join(users)}" if users else ""
    return DeviceError(
        f"is in use{by}",
        where=port,
        hint="close the other program (a serial terminal, another monitor, an IDE), then try again",
    )


def _denied(port: str) -> DeviceError:
    return DeviceError("you may not use this port", where=port, hint=permission_hint(port))


def permission_hint(port: str) -> str:
    """How this user gets to use `port`."""
    group = _group_of(port)
    if group in _GROUPS:
        return f"sudo usermod -aG {group} $USER, then log out and in again (or: newgrp {group})"
    return (
        f"the port belongs to the group {group!r}: sudo usermod -aG {group} $USER, then log in "
        "again; a udev rule may give it to everybody"
    )


def _group_of(port: str) -> str:
    try:
        return Path(port).group()
    except (OSError, KeyError, NotImplementedError):
        return "uucp" if Path("/etc/arch-release").exists() else "dialout"


def holders(port: str, proc: Path = PROC) -> list[str]:
    """Programs that have `port` open, as far as this user may know ("name (pid)")."""
    try:
        device = Path(port).resolve()
    except OSError:
        return []
    found = []
    for folder in proc.glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            if any(file.resolve() == device for file in (folder / "fd").iterdir()):
                name = (folder / "comm").read_text(errors="replace").strip()
                found.append(f"{name} ({folder.name})")
        except OSError:
            continue
    return sorted(found)


def _in_wsl() -> bool:
    try:
        return "microsoft" in Path("/proc/sys/kernel/osrelease").read_text().lower()
    except OSError:
        return False
