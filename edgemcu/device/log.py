"""What a firmware says unasked, read from any byte stream: no session, nothing is sent.

Each inference stands on one line, first for people and then, in a frame, for programs:

    cat 0.93  41.20 ms  #128  @em1 l 0000 BASE64 CCCCCCCC

The frame carries a CRC of itself and of the text before it, so that neither is taken for what it
is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgemcu.device.protocol import (
    FAULT_LINE,
    IDENTITY,
    LOG_FRAME,
    LOG_HEADER,
    LOG_OUTPUT_BYTES,
    SESSION,
    Damage,
    Decoder,
    Frame,
    Identity,
    TextLine,
    crc32,
    readable,
)
from edgemcu.errors import ProtocolError

_CLASSIFIED = re.compile(r"(?:(?P<label>.+) (?P<score>-?\d+\.\d\d)  )?[\d.]+ (?:ms|ticks)  #\d+")


@dataclass(frozen=True)
class LogRecord:
    """One inference that the device has logged, checked by CRC.

    Attributes:
        number: inferences since the device started, this one included.
        text: what people read; "" where it arrived damaged (a LogDamage precedes the record then).
        ticks: of the device's counter, for the inference alone.
        model: the first 16 hexadecimal digits of the model's SHA-256.
        outputs: all output tensors, back to back; of more than 256 bytes the first 256.
        output_bytes: of all output tensors.
        label, score: the class with the highest score, as in `text`; None where the model's outputs
            have no names.
        milliseconds: None where the ticks follow an emulator's instructions.
    """

    number: int
    text: str
    ticks: int
    model: str
    outputs: bytes
    output_bytes: int
    label: str | None
    score: float | None
    milliseconds: float | None


@dataclass(frozen=True)
class LogText:
    """Any other line: the start message, an SDK's boot log, log lines without a frame."""

    text: str


@dataclass(frozen=True)
class LogFault:
    """The firmware reports a crash; the rest of its report follows as text."""

    text: str


@dataclass(frozen=True)
class LogStart:
    """The device has started, or a host has asked who it is."""

    identity: Identity


@dataclass(frozen=True)
class LogDamage:
    """Something arrived other than it was sent."""

    reason: str
    text: str


LogEvent = LogRecord | LogText | LogFault | LogStart | LogDamage


class LogReader:
    """Turns received bytes into log events; may begin anywhere in the stream.

    Args:
        max_line: bytes of the longest line; of longer ones only the damage is reported.
    """

    def __init__(self, max_line: int = 1 << 16) -> None:
        self._decoder = Decoder(max_line)

    def feed(self, data: bytes) -> list[LogEvent]:
        """Take received bytes; return what they completed, in order. Never raises."""
        events: list[LogEvent] = []
        before = b""  # on the line that the next frame ends
        for event in self._decoder.feed(data):
            if isinstance(event, TextLine):
                if event.before_frame:
                    before = event.raw
                else:
                    events += _text(event.raw)
                continue
            if isinstance(event, Damage):
                events += [*_text(before), LogDamage(event.reason, event.text)]
            else:
                events += _frame(event, before)
            before = b""
        return events

    @property
    def pending(self) -> str:
        """The line that has begun and not ended yet, for people."""
        return self._decoder.pending


def _text(raw: bytes) -> list[LogEvent]:
    text = readable(raw).rstrip()
    if not text:
        return []
    return [LogFault(text) if text.startswith(FAULT_LINE) else LogText(text)]


def _frame(frame: Frame, before: bytes) -> list[LogEvent]:
    try:
        if frame.type == LOG_FRAME:
            return _record(frame.payload, before)
        if frame.type == IDENTITY:
            identity = Identity.decode(frame.payload[SESSION.size :])
            return [*_text(before), LogStart(identity)]
    except ProtocolError as error:
        return [*_text(before), LogDamage(error.message, "")]
    # An answer in somebody else's session.
    return _text(before)


def _record(payload: bytes, before: bytes) -> list[LogEvent]:
    """Raises: ProtocolError: the payload contradicts itself."""
    if len(payload) < LOG_HEADER.size:
        raise ProtocolError(f"a log frame with a payload of {len(payload)} bytes")
    _, number, ticks, hz, model, text_bytes, text_crc, output_bytes, outputs_crc = (
        LOG_HEADER.unpack_from(payload)
    )
    outputs = payload[LOG_HEADER.size :]
    if len(outputs) != min(output_bytes, LOG_OUTPUT_BYTES) or (
        len(outputs) == output_bytes and crc32(outputs) != outputs_crc
    ):
        raise ProtocolError("a log frame whose outputs are not those that it was made of")
    events: list[LogEvent] = []
    cut = max(0, len(before) - text_bytes)
    raw = before[cut:]
    if len(raw) == text_bytes and crc32(raw) == text_crc:
        events += _text(before[:cut])
        text = readable(raw).strip()
    else:
        events.append(LogDamage(f"the line of inference {number}", readable(before)))
        text = ""
    words = _CLASSIFIED.fullmatch(text)
    label = words["label"] if words else None
    score = float(words["score"]) if words and label is not None else None
    milliseconds = 1000 * ticks / hz if hz else None
    record = LogRecord(
        *(number, text, ticks, model.hex(), outputs, output_bytes, label, score, milliseconds)
    )
    return [*events, record]
