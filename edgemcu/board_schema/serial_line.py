"""What all serial lines have in common."""

from __future__ import annotations

from pydantic import Field, field_validator

from edgemcu.board_schema.values import Line
from edgemcu.schema import Table


class UsbId(Table):
    """One of [serial]'s `usb`: an adapter, or the chip itself, as it shows up on a computer.

    Attributes:
        vid, pid: USB vendor and product id.
        what: which connector or chip that is, for people.
    """

    vid: int = Field(strict=True, ge=1, le=0xFFFF)
    pid: int = Field(strict=True, ge=0, le=0xFFFF)
    what: Line


class SerialLine(Table):
    """[serial]: what all lines have in common."""

    baud: int = Field(default=115_200, strict=True, ge=1200, le=10_000_000)
    usb: tuple[UsbId, ...] = ()

    @field_validator("usb")
    @classmethod
    def _distinct(cls, usb: tuple[UsbId, ...]) -> tuple[UsbId, ...]:
        if len({(known.vid, known.pid) for known in usb}) != len(usb):
            raise ValueError("two entries have the same vid and pid")
        return usb
