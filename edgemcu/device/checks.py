"""What a firmware finds when it checks or times itself."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from edgemcu.device.protocol import SESSION, read_fields, read_number
from edgemcu.errors import ProtocolError

TIME_REQUEST = struct.Struct("<II")  # input id, inferences
TIME_ANSWER = struct.Struct("<IIIIIQ")  # session, input id, inferences, least, most, all ticks
TIME_MAX = 10_000  # inferences that one request may ask for

CHECKS = {
    "constants": "the model in flash has the digest that it was generated with",
    "memory": "the input tensors' RAM holds what is written to it",
    "arena": "no more of the arena is in use than was planned",
    "answer": "the outputs for a built-in input are the reference interpreter's",
    "stack": "the stack has never been used up",
}
RESULTS = ("ok", "failed", "skipped")


@dataclass(frozen=True)
class SelfTest:
    """The outcome of a device's self-test.

    Attributes:
        checks: by the names in `CHECKS`: "ok", "failed", or "skipped" where it could not be made.
        answer_crc: CRC-32 of the outputs for the built-in input; 0 if they were not computed.
        arena_used: bytes of the arena, by the runtime's account.
        stack_used: the most bytes of the stack in use since the start; None if unknown.
        serial_lost: received bytes that the device has lost since the start.
    """

    checks: dict[str, str]
    answer_crc: int
    arena_used: int
    stack_used: int | None
    serial_lost: int

    @property
    def passed(self) -> bool:
        """Whether no check has failed."""
        return "failed" not in self.checks.values()

    @classmethod
    def decode(cls, payload: bytes) -> SelfTest:
        """Raises: ProtocolError: a key is missing or its value makes no sense."""
        values = read_fields(payload[SESSION.size :])
        checks = {}
        for name in CHECKS:
            checks[name] = values.get(name, "")
            if checks[name] not in RESULTS:
                raise ProtocolError(f"the self-test says {checks[name][:40]!r} about {name!r}")
        numbers = {}
        for name in ("answer_crc", "arena_used", "stack_used", "serial_lost"):
            numbers[name] = read_number(name, values.get(name, ""))
        return cls(
            checks=checks,
            answer_crc=numbers["answer_crc"],
            arena_used=numbers["arena_used"],
            stack_used=numbers["stack_used"] or None,
            serial_lost=numbers["serial_lost"],
        )

    def to_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in self.__dataclass_fields__}}


@dataclass(frozen=True)
class LoopTiming:
    """Inferences that the device ran one after the other, each timed by its counter.

    Attributes:
        count: how many.
        least, most, total: ticks of the shortest, of the longest, of all together.
        counter_hz: ticks per second; 0 where they follow an emulator's instructions.
    """

    count: int
    least: int
    most: int
    total: int
    counter_hz: int

    def __add__(self, other: LoopTiming) -> LoopTiming:
        return LoopTiming(
            self.count + other.count,
            min(self.least, other.least),
            max(self.most, other.most),
            self.total + other.total,
            self.counter_hz,
        )

    @classmethod
    def decode(cls, payload: bytes, input_id: int, count: int, counter_hz: int) -> LoopTiming:
        """Raises: ProtocolError: it is not about this request, or makes no sense."""
        if len(payload) != TIME_ANSWER.size:
            raise ProtocolError(f"a timing with a payload of {len(payload)} bytes")
        _, told_id, told_count, least, most, total = TIME_ANSWER.unpack(payload)
        if (told_id, told_count) != (input_id, count):
            raise ProtocolError("a timing of other inferences than those that were asked for")
        if not least <= most or not count * least <= total <= count * most:
            raise ProtocolError("a timing that contradicts itself")
        return cls(count, least, most, total, counter_hz)
