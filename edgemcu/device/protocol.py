"""The wire protocol's frames and messages, as bytes in and bytes out: no input, no output.

docs/protocol.md describes it. The constants here are the source: a test holds those of the
firmware (firmware_templates/sketch/protocol.h) against them.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import MISSING, dataclass, field, fields
from enum import IntEnum

from edgemcu.errors import ProtocolError

PREFIX = b"@em1 "
PROTOCOL_VERSION = 1

PING = "P"
PONG = "p"
IDENTIFY = "I"
IDENTITY = "i"
DATA = "D"
ACKNOWLEDGE = "d"
RUN = "R"
RESULT = "r"
LOG = "L"
DONE = "k"
LOG_FRAME = "l"
SELFTEST = "S"
SELFTEST_RESULT = "s"
TIME = "T"
TIMING = "t"
ERROR = "e"


class Kind(IntEnum):
    """What the bytes of an input are."""

    TENSOR = 0
    PIXELS = 1


class LogLevel(IntEnum):
    """What a device writes of each inference."""

    OFF = 0
    TEXT = 1
    FRAME = 2


class ErrorCode(IntEnum):
    """The code of an error frame."""

    DAMAGED = 1
    UNKNOWN = 2
    MALFORMED = 3
    TOO_LONG = 4
    NO_INPUT = 5
    WRONG_INPUT = 6
    MODEL = 7
    DAMAGED_MODEL = 8


FAULT_LINE = "edgemcu fault: "
MESSAGES = "PIDRLST"
MESSAGES_BEFORE = "PIDR"  # of firmware whose identity does not list them yet
LOG_OUTPUT_BYTES = 256

DATA_HEADER = struct.Struct("<IIB")  # input id, offset, kind
RUN_HEADER = struct.Struct("<II")  # input id, CRC-32 of the input
SESSION = struct.Struct("<I")
ACKNOWLEDGE_BODY = struct.Struct("<III")  # session, input id, bytes received
RESULT_HEADER = struct.Struct("<IIIIQ")  # session, input id, CRC-32, number, ticks
# session, number, ticks, counter_hz, digest; bytes and CRC-32 of the text, of all outputs
LOG_HEADER = struct.Struct("<IIQI8sIIII")
ERROR_HEADER = struct.Struct("<IH")  # session, code

_FRAME = re.compile(
    rb"@em1 (?P<type>[!-?A-~]) (?P<sequence>[0-9a-f]{4}) (?P<payload>[A-Za-z0-9+/]*={0,2}) "
    rb"(?P<crc>[0-9a-f]{8})"
)
_CRC_DIGITS = 8


def crc32(data: bytes) -> int:
    """CRC-32 of IEEE 802.3, as in zlib and PNG."""
    return binascii.crc32(data)


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        type: one printable character; capital letters from the host, small ones from the device.
        sequence: 0…65535. The host numbers its frames, an answer repeats its request's number.
        payload: any bytes.
    """

    type: str
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The frame as a line, line feed included."""
        text = b"%s%s %04x %s " % (
            PREFIX,
            self.type.encode("ascii"),
            self.sequence,
            base64.b64encode(self.payload),
        )
        return b"%s%08x\n" % (text, crc32(text))


def line_size(payload_bytes: int) -> int:
    """Bytes on the line of a frame with such a payload, line feed included."""
    return len(PREFIX) + len("T SSSS ") + 4 * -(-payload_bytes // 3) + len(" CCCCCCCC\n")


@dataclass(frozen=True)
class TextLine:
    """A line, or the part of one before a frame, that is for people.

    Attributes:
        text: safe for a terminal.
        raw: as it was received.
        before_frame: a frame follows on the same line, damaged or not.
    """

    text: str
    raw: bytes = field(default=b"", compare=False, repr=False)
    before_frame: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Damage:
    """A line that began as a frame and did not end as one."""

    reason: str
    text: str


Event = Frame | TextLine | Damage


def decode_line(line: bytes) -> list[Event]:
    """What one line holds, its line feed taken off: text, a frame, or text and then a frame."""
    line = line.removesuffix(b"\r")
    # No frame contains an @, so a later one starts another frame on the same line.
    start = line.rfind(PREFIX)
    if start < 0:
        return [TextLine(readable(line), line)]
    text = line[:start]
    events: list[Event] = [TextLine(readable(text), text, True)] if text else []
    frame = line[start:]
    match = _FRAME.fullmatch(frame)
    if match is None:
        return [*events, Damage("not of a frame's form", readable(frame))]
    if crc32(frame[:-_CRC_DIGITS]) != int(match["crc"], 16):
        return [*events, Damage("CRC differs", readable(frame))]
    try:
        payload = base64.b64decode(match["payload"], validate=True)
    except binascii.Error:
        return [*events, Damage("payload is not base64", readable(frame))]
    return [*events, Frame(match["type"].decode("ascii"), int(match["sequence"], 16), payload)]


def readable(line: bytes) -> str:
    """Text that can go to a terminal: whatever came over the line, no control character stays."""
    text = line.decode("utf-8", errors="backslashreplace")
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


class Decoder:
    """Cuts a stream into lines and decodes them; holds at most `max_line` bytes."""

    def __init__(self, max_line: int = 1 << 16) -> None:
        self.max_line = max_line
        self._pending = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[Event]:
        """Take received bytes; return what they completed, in order."""
        events: list[Event] = []
        *ended, rest = data.split(b"\n")
        for part in ended:
            if self._take(part, events):
                events.extend(decode_line(bytes(self._pending)))
            self._pending.clear()
            self._skipping = False
        self._take(rest, events)
        return events

    def _take(self, part: bytes, events: list[Event]) -> bool:
        """Append to the pending line; False if it is beyond the limit and has been given up."""
        if self._skipping:
            return False
        self._pending += part
        if len(self._pending) <= self.max_line:
            return True
        events.append(
            Damage("endless line", readable(bytes(self._pending[: min(200, self.max_line)])))
        )
        self._pending.clear()
        self._skipping = True
        return False

    @property
    def pending(self) -> str:
        """The line that has begun and not ended yet, for people."""
        return readable(bytes(self._pending))


@dataclass(frozen=True)
class Identity:
    """What a firmware says about itself.

    Attributes:
        protocol: version of the messages.
        firmware: version of the edgemcu that generated it.
        board: the board that it was generated for.
        model: SHA-256 of the .tflite file, in hex.
        runtime, kernels: what computes the model.
        model_ok: whether the model initialised.
        input_bytes, output_bytes: of all input and of all output tensors, back to back.
        pixels: whether uint8 pixels are accepted and preprocessed on the device.
        arena_planned, arena_used: bytes, computed ahead of time and in use on the device.
        counter_hz: ticks of the counter per second, as the device's clocks are set; 0 if unknown.
        clock_hz: the processor's clock; 0 if unknown.
        stack_bytes: the size of the stack; 0 if unknown.
        keeps_input: whether inferences can be repeated on the device with the same input.
        max_payload: bytes of the largest payload that the device accepts.
        window: bytes that may be sent behind a frame that is not answered yet.
        messages: the types of request that it answers.
        image: digest of the sources that it was built from; "" of firmware that has none.
    """

    protocol: int
    firmware: str
    board: str
    model: str
    runtime: str
    kernels: str
    model_ok: bool
    input_bytes: int
    output_bytes: int
    pixels: bool
    arena_planned: int
    arena_used: int
    counter_hz: int
    max_payload: int
    window: int
    messages: str = MESSAGES_BEFORE
    image: str = ""
    clock_hz: int = 0
    stack_bytes: int = 0
    keeps_input: bool = False

    @classmethod
    def decode(cls, text: bytes) -> Identity:
        """Parse "key=value" lines; keys that are not known here are left out.

        Raises:
            ProtocolError: a key is missing or its value makes no sense, or the firmware speaks
                another version of the protocol.
        """
        values = read_fields(text)
        if values.get("protocol") != str(PROTOCOL_VERSION):
            raise ProtocolError(
                f"the firmware speaks version {values.get('protocol')!r} of the wire protocol, "
                f"this edgemcu speaks version {PROTOCOL_VERSION}",
                hint="generate and build the firmware again with this version of edgemcu",
            )
        arguments: dict[str, str | int | bool] = {}
        for key in fields(cls):
            value = values.get(key.name)
            if value is None:
                if key.default is not MISSING:
                    continue
                raise ProtocolError(f"the firmware's identity lacks {key.name!r}")
            arguments[key.name] = (
                readable(value.encode()) if key.type == "str" else read_number(key.name, value)
            )
            if key.type == "bool":
                arguments[key.name] = bool(arguments[key.name])
        identity = cls(**arguments)  # type: ignore[arg-type]
        if identity.max_payload <= DATA_HEADER.size or not identity.input_bytes:
            raise ProtocolError("the firmware's identity leaves no room for an input")
        return identity


def read_fields(text: bytes) -> dict[str, str]:
    """The values of "key=value" lines; other lines are left out."""
    lines = text.decode("utf-8", errors="replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def read_number(key: str, text: str) -> int:
    """A u32 in decimal digits.

    Raises:
        ProtocolError: it is none.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or int(text) > 0xFFFF_FFFF:
        raise ProtocolError(f"the firmware gives no number for {key!r}: {text[:40]!r}")
    return int(text)


@dataclass(frozen=True)
class Acknowledgement:
    """How much of an input has arrived."""

    session: int
    input_id: int
    received: int

    @classmethod
    def decode(cls, payload: bytes) -> Acknowledgement:
        """Raises: ProtocolError: another size."""
        return cls(*_unpack(ACKNOWLEDGE_BODY, payload, exact=True))


@dataclass(frozen=True)
class Result:
    """The outputs of one input, which its id and its CRC-32 name.

    Attributes:
        number: inferences since the device started, this one included.
        ticks: of the device's counter, for the inference alone.
        outputs: all output tensors, back to back.
    """

    session: int
    input_id: int
    input_crc: int
    number: int
    ticks: int
    outputs: bytes

    @classmethod
    def decode(cls, payload: bytes) -> Result:
        """Raises: ProtocolError: shorter than its header."""
        header = _unpack(RESULT_HEADER, payload, exact=False)
        return cls(*header, payload[RESULT_HEADER.size :])  # type: ignore[call-arg, arg-type]


@dataclass(frozen=True)
class ErrorAnswer:
    """Why a request was refused."""

    session: int
    code: int
    text: str

    @classmethod
    def decode(cls, payload: bytes) -> ErrorAnswer:
        """Raises: ProtocolError: shorter than its header."""
        session, code = _unpack(ERROR_HEADER, payload, exact=False)
        return cls(session, code, readable(payload[ERROR_HEADER.size :]))


def session_of(payload: bytes) -> int:
    """The session that an answer belongs to: the first number in every answer's payload.

    Raises:
        ProtocolError: the payload is too short to name one.
    """
    (session,) = _unpack(SESSION, payload, exact=False)
    return session


def _unpack(layout: struct.Struct, payload: bytes, *, exact: bool) -> tuple[int, ...]:
    if len(payload) < layout.size or (exact and len(payload) != layout.size):
        raise ProtocolError(f"an answer with a payload of {len(payload)} bytes, not {layout.size}")
    return layout.unpack_from(payload)
