"""The wire protocol's codec, against its description and against the firmware's end."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgemcu.device import protocol
from edgemcu.device.protocol import (
    Acknowledgement,
    Damage,
    Decoder,
    ErrorAnswer,
    ErrorCode,
    Frame,
    Identity,
    Kind,
    LogLevel,
    Result,
    TextLine,
    decode_line,
    line_size,
)
from edgemcu.errors import ProtocolError
from edgemcu.shipped import shipped
from tests.support import device_firmware

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
VECTOR = re.compile(
    r"^([<>]) (@em1 \S \S{4} \S* \S{8}|[me]-\S.*?|[^@]\S*.*?%)(?: {2,}.*)?$", re.MULTILINE
)
VECTORS = VECTOR.findall(PAGE.read_text())
FRAME_VECTORS = [line for _, line in VECTORS if line.startswith("@")]

FRAMES = st.builds(
    Frame,
    st.sampled_from("PIDRpidre"),
    st.integers(0, 0xFFFF),
    st.binary(max_size=100),
)
IDENTITY = (
    "protocol=1\nfirmware=0.1.0\nboard=b\nmodel=00\nruntime=compiled\nkernels=portable\n"
    "model_ok=1\ninput_bytes=3072\noutput_bytes=3\npixels=0\narena_planned=9\narena_used=8\n"
    "counter_hz=0\nmax_payload=1033\nwindow=4096\n"
)


@given(FRAMES)
def test_a_frame_survives_its_line(frame: Frame) -> None:
    line = frame.encode()
    assert line.isascii() and line.endswith(b"\n") and line.count(b"\n") == 1
    assert len(line) == line_size(len(frame.payload))
    assert decode_line(line[:-1]) == [frame]
    assert decode_line(line[:-1] + b"\r") == [frame]


@given(FRAMES, st.data())
def test_a_changed_byte_is_noticed(frame: Frame, data: st.DataObject) -> None:
    line = bytearray(frame.encode())
    position = data.draw(st.integers(0, len(line) - 1))
    line[position] ^= data.draw(st.integers(1, 255))
    assert frame not in Decoder().feed(bytes(line))


@given(FRAMES, st.text(st.characters(codec="ascii", exclude_characters="@\n\r"), max_size=20))
def test_text_before_a_frame_is_kept(frame: Frame, text: str) -> None:
    events = decode_line(text.encode() + frame.encode()[:-1])
    assert events[-1] == frame
    assert len(events) == (2 if text else 1)


@given(FRAMES, FRAMES, st.integers(0, 50))
def test_a_frame_that_was_cut_off_does_not_hide_the_next(
    first: Frame, second: Frame, cut: int
) -> None:
    events = Decoder().feed(first.encode()[:cut] + second.encode())
    assert events[-1] == second


@given(st.lists(st.binary(max_size=300)))
def test_any_bytes_are_decoded_however_they_are_cut(parts: list[bytes]) -> None:
    decoder, whole = Decoder(max_line=100), Decoder(max_line=100)
    events = [event for part in parts for event in decoder.feed(part)]
    assert events == whole.feed(b"".join(parts))
    assert len(decoder.pending) <= 100 * len("\\xff")


def test_an_endless_line_is_given_up_once_and_the_next_is_read() -> None:
    decoder = Decoder(max_line=1000)
    events = []
    for _ in range(100):
        events += decoder.feed(b"x" * 100)
    events += decoder.feed(b"\n" + Frame("P", 1).encode())
    assert [type(event) for event in events] == [Damage, Frame]


def test_control_characters_do_not_reach_the_terminal() -> None:
    (line,) = decode_line(b"\x1b[31mred\xff\ttab")
    assert line == TextLine("\\x1b[31mred\\xff\ttab")


def test_identity() -> None:
    identity = Identity.decode((IDENTITY + "later=addition\n").encode())
    assert identity.input_bytes == 3072
    assert identity.model_ok is True and identity.pixels is False
    assert identity.board == "b"


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("protocol=1", "protocol=2", "version '2'"),
        ("window=4096\n", "", "window"),
        ("input_bytes=3072", "input_bytes=-1", "input_bytes"),
        ("input_bytes=3072", "input_bytes=99999999999", "input_bytes"),
        ("input_bytes=3072", "input_bytes=٣", "input_bytes"),
        ("input_bytes=3072", "input_bytes=0", "no room"),
        ("max_payload=1033", "max_payload=9", "no room"),
    ],
)
def test_an_identity_that_makes_no_sense_is_refused(before: str, after: str, named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        Identity.decode(IDENTITY.replace(before, after).encode())


@given(st.binary(max_size=60))
def test_no_payload_does_more_than_a_protocol_error(payload: bytes) -> None:
    for decode in (
        Identity.decode,
        Acknowledgement.decode,
        Result.decode,
        ErrorAnswer.decode,
        protocol.session_of,
    ):
        try:
            decode(payload)
        except ProtocolError as error:
            assert str(error)


def test_the_page_has_vectors() -> None:
    assert len(FRAME_VECTORS) >= 27
    assert len(VECTORS) - len(FRAME_VECTORS) >= 13


@pytest.mark.parametrize("line", FRAME_VECTORS)
def test_vectors_decode_and_encode(line: str) -> None:
    (event,) = decode_line(line.encode())
    if line.endswith(" 00000000"):
        assert isinstance(event, Damage)
    else:
        assert isinstance(event, Frame)
        assert event.encode() == line.encode() + b"\n"


def test_the_firmware_answers_as_the_page_says(tmp_path: Path) -> None:
    firmware = device_firmware.build("host", tmp_path, device_firmware.SANITIZE)
    requests = "".join(
        f"{line}\n" if line.startswith("@") else line
        for direction, line in VECTORS
        if direction == ">"
    )
    done = subprocess.run([firmware], input=requests, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    answers = [line for line in done.stdout.splitlines() if line.startswith(("@em1 ", "m-", "e-"))]
    assert [line for line in answers if not line.startswith("@em1 i ")] == [
        line for direction, line in VECTORS if direction == "<"
    ]


def test_the_firmware_has_the_same_constants() -> None:
    header = (shipped("firmware_templates") / "sketch" / "protocol.h").read_text()
    defined = dict(re.findall(r"^#define PROTOCOL_(\w+) +(\S+|\".*\")(?: */\*.*)?$", header, re.M))
    types = (
        *("PING", "PONG", "IDENTIFY", "IDENTITY", "DATA", "ACKNOWLEDGE", "RUN", "RESULT"),
        *("LOG", "DONE", "LOG_FRAME", "ERROR", "SELFTEST", "SELFTEST_RESULT", "TIME", "TIMING"),
    )
    assert {name: value for name, value in defined.items() if name not in ("CHUNK_BYTES",)} == {
        "PREFIX": f'"{protocol.PREFIX.decode()}"',
        "FAULT_LINE": f'"{protocol.FAULT_LINE}"',
        "VERSION": str(protocol.PROTOCOL_VERSION),
        "MESSAGES": f'"{protocol.MESSAGES}"',
        "LOG_OUTPUT_BYTES": str(protocol.LOG_OUTPUT_BYTES),
        "REFUSED": "(-100)",
        **{name: f"'{getattr(protocol, name)}'" for name in types},
        **{f"KIND_{kind.name}": str(kind.value) for kind in Kind},
        **{f"LEVEL_{level.name}": str(level.value) for level in LogLevel},
        **{f"ERROR_{code.name}": str(code.value) for code in ErrorCode},
    }
