"""Bounds-checked reading of FlatBuffers that nobody vouches for.

Format: https://flatbuffers.dev/internals. A table starts with a signed offset back to its vtable;
the vtable is uint16 (its own bytes, the table's bytes, then one offset per field, 0 for an absent
one). Vectors are a uint32 count and the elements. Every position is checked against the data before
it is followed, so no file can make the reader look outside it; vectors are views, never copies.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import ModelError

DAMAGED = "The file is damaged, or was not written by a TensorFlow Lite converter."

_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")
_INT32 = struct.Struct("<i")
_SCALARS = {code: struct.Struct(f"<{code}") for code in "bBhHiIqQf?"}


class FlatBuffer:
    """The bytes of one file.

    Attributes:
        data: the whole file.
        source: what errors name as their place.
    """

    def __init__(self, data: bytes, source: str) -> None:
        self.data = data
        self.size = len(data)
        self.source = source

    def damaged(self, what: str, reason: str) -> ModelError:
        return ModelError(f"{what}: {reason}", where=self.source, hint=DAMAGED)

    def require(self, position: int, size: int, what: str) -> None:
        """Raise ModelError unless `size` bytes at `position` lie within the file."""
        if position < 0 or position + size > self.size:
            raise self.damaged(
                what, f"points to byte {position}, outside the file's {self.size} bytes"
            )

    def uint32(self, position: int, what: str) -> int:
        self.require(position, 4, what)
        value: int = _UINT32.unpack_from(self.data, position)[0]
        return value

    def root(self, what: str) -> Table:
        return Table(self, self.uint32(0, what), what)


class Table:
    """One table; a field is named by its slot, its number in the schema.

    Absent fields give their default, as the format asks.
    """

    __slots__ = ("_end", "_fields", "_vtable", "buffer", "position", "what")

    def __init__(self, buffer: FlatBuffer, position: int, what: str) -> None:
        self.buffer = buffer
        self.position = position
        self.what = what
        buffer.require(position, 4, what)
        self._vtable = position - _INT32.unpack_from(buffer.data, position)[0]
        buffer.require(self._vtable, 4, f"{what}'s field list")
        vtable_bytes = _UINT16.unpack_from(buffer.data, self._vtable)[0]
        table_bytes = _UINT16.unpack_from(buffer.data, self._vtable + 2)[0]
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise buffer.damaged(what, "its field list has an impossible size")
        buffer.require(self._vtable, vtable_bytes, f"{what}'s field list")
        buffer.require(position, table_bytes, what)
        self._fields = vtable_bytes // 2 - 2
        self._end = table_bytes

    def _field(self, slot: int, size: int) -> int | None:
        """Position of a field's value, or None where the table leaves it out."""
        if slot >= self._fields:
            return None
        offset: int = _UINT16.unpack_from(self.buffer.data, self._vtable + 4 + 2 * slot)[0]
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._end:
            raise self.buffer.damaged(self.what, f"field {slot} lies outside its table")
        return self.position + offset

    def _follow(self, slot: int) -> int | None:
        """The position that an offset field points to, or None where it is absent."""
        field = self._field(slot, 4)
        if field is None:
            return None
        return field + int(_UINT32.unpack_from(self.buffer.data, field)[0])

    def _vector(self, slot: int, element_bytes: int, what: str) -> tuple[int, int]:
        """(position of the first element, count), (0, 0) where absent."""
        start = self._follow(slot)
        if start is None:
            return 0, 0
        count = self.buffer.uint32(start, what)
        self.buffer.require(start + 4, count * element_bytes, what)
        return start + 4, count

    def present(self, slot: int) -> bool:
        return self._field(slot, 1) is not None

    def scalar(self, slot: int, code: str, default: Any = 0) -> Any:
        """A number, by its `struct` format character."""
        reader = _SCALARS[code]
        field = self._field(slot, reader.size)
        return default if field is None else reader.unpack_from(self.buffer.data, field)[0]

    def table(self, slot: int, what: str) -> Table | None:
        position = self._follow(slot)
        return None if position is None else Table(self.buffer, position, what)

    def tables(self, slot: int, what: str, limit: int) -> list[Table]:
        """A vector of tables, at most `limit` long; they are named `what` 0, `what` 1, …"""
        start, count = self._vector(slot, 4, f"the list of {what}s")
        if count > limit:
            raise self.buffer.damaged(
                f"the list of {what}s", f"has {count} entries, more than {limit}"
            )
        data = self.buffer.data
        return [
            Table(
                self.buffer,
                start + 4 * i + int(_UINT32.unpack_from(data, start + 4 * i)[0]),
                f"{what} {i}",
            )
            for i in range(count)
        ]

    def numbers(self, slot: int, dtype: str) -> NDArray[Any]:
        """A vector of numbers as a read-only view, empty where absent."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self._vector(slot, kind.itemsize, f"{self.what}, field {slot}")
        return np.frombuffer(self.buffer.data, kind, count, start)

    def bytes(self, slot: int) -> memoryview:
        """A vector of bytes as a read-only view, empty where absent."""
        start, count = self._vector(slot, 1, f"{self.what}, field {slot}")
        return memoryview(self.buffer.data)[start : start + count]

    def string(self, slot: int, limit: int = 1024) -> str:
        """Text, cut at `limit` bytes, with whatever is not printable replaced."""
        text = bytes(self.bytes(slot)[:limit]).decode("utf-8", "replace")
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
