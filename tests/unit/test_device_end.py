"""The firmware's end of the wire protocol, built with sanitizers, against hostile lines."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from edgemcu.device.protocol import (
    DATA,
    DATA_HEADER,
    ERROR,
    IDENTIFY,
    PING,
    RUN,
    RUN_HEADER,
    Damage,
    Decoder,
    ErrorAnswer,
    ErrorCode,
    Event,
    Frame,
    Kind,
    crc32,
)
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, MODEL_DIGEST


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"), device_firmware.SANITIZE)


def converse(firmware: Path, data: bytes, timeout: float = 120) -> list[Event]:
    """What the firmware sends for `data`; it must neither be stopped by a sanitizer nor hang."""
    done = subprocess.run([firmware], input=data, capture_output=True, timeout=timeout)
    assert done.stderr.decode(errors="replace") == ""
    assert done.returncode == 0
    return Decoder().feed(done.stdout)


def errors(events: list[Event]) -> list[int]:
    return [
        ErrorAnswer.decode(event.payload).code
        for event in events
        if isinstance(event, Frame) and event.type == ERROR
    ]


MLPERF = (
    b"name%",
    b"db load 3000%",
    b"db load 4294967295%",
    b"db " + b"ab" * 60 + b"%",
    b"db " + b"ab" * 400 + b"%",
    b"db print%",
    b"infer 1 0%",
    b"infer 3 2%",
    b"results%",
    b"%" * 20,
    b"db \xff%",
)


def hostile(numbers: random.Random, size: int) -> bytes:
    """Frames as a host that is broken or malicious would send them, and noise in between."""
    out = bytearray()
    while len(out) < size:
        payload = numbers.choice(
            [
                b"",
                numbers.randbytes(numbers.randrange(40)),
                numbers.randbytes(numbers.choice((8, 9, 10, 1033, 1034, 1035, 3000))),
                DATA_HEADER.pack(
                    numbers.randrange(3),
                    numbers.choice((0, 1, 1024, 2999, 3000, 3001, 1 << 31, (1 << 32) - 1)),
                    numbers.randrange(3),
                )
                + bytes(numbers.choice((0, 1, 1023, 1024))),
                RUN_HEADER.pack(numbers.randrange(3), numbers.getrandbits(32)),
                struct.pack("<II", numbers.randrange(3), numbers.choice((0, 1, 2, 1 << 31))),
                bytes([numbers.randrange(5)]),
            ]
        )
        if numbers.random() < 0.1:
            out += numbers.choice(MLPERF)
        frame_type = numbers.choice("PIRLSTX~" + "D" * 10)
        line = bytearray(Frame(frame_type, numbers.randrange(1 << 16), payload).encode())
        damage = numbers.random()
        if damage < 0.3:
            line[numbers.randrange(len(line))] = numbers.randrange(256)
        elif damage < 0.4:
            del line[numbers.randrange(len(line)) :]
        elif damage < 0.5:
            line += numbers.randbytes(numbers.randrange(200))
        out += line
    return bytes(out)


@pytest.mark.parametrize(
    "size", [100_000, pytest.param(20_000_000, marks=pytest.mark.slow)], ids=["sample", "full"]
)
@pytest.mark.parametrize("kind", ["noise", "frames"])
def test_hostile_bytes_break_nothing(firmware: Path, size: int, kind: str) -> None:
    numbers = random.Random(size)
    data = numbers.randbytes(size) if kind == "noise" else hostile(numbers, size)
    events = converse(firmware, data + b"\n" + Frame(PING, 5, b"still here").encode(), 600)
    last = events[-1]
    assert isinstance(last, Frame) and last.payload[4:] == b"still here"
    assert not [event for event in events if isinstance(event, Damage)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (Frame("Z", 1).encode(), ErrorCode.UNKNOWN),
        (Frame(IDENTIFY, 1, b"abc").encode(), ErrorCode.MALFORMED),
        (Frame(DATA, 1, DATA_HEADER.pack(1, 0, Kind.TENSOR)).encode(), ErrorCode.MALFORMED),
        (Frame(DATA, 1, DATA_HEADER.pack(1, 0, 2) + b"x").encode(), ErrorCode.MALFORMED),
        (Frame(DATA, 1, DATA_HEADER.pack(1, INPUT_BYTES, 0) + b"x").encode(), ErrorCode.MALFORMED),
        (Frame(RUN, 1, RUN_HEADER.pack(1, 0)).encode(), ErrorCode.NO_INPUT),
        (Frame(RUN, 1, b"").encode(), ErrorCode.MALFORMED),
        (Frame("L", 1, b"").encode(), ErrorCode.MALFORMED),
        (Frame("L", 1, b"\3").encode(), ErrorCode.MALFORMED),
        (Frame("L", 1, b"\1\1").encode(), ErrorCode.MALFORMED),
        (Frame("S", 1, b"x").encode(), ErrorCode.MALFORMED),
        (Frame("T", 1, b"").encode(), ErrorCode.MALFORMED),
        (Frame("T", 1, struct.pack("<II", 1, 1)).encode(), ErrorCode.NO_INPUT),
        (Frame("T", 1, struct.pack("<II", 1, 0)).encode(), ErrorCode.MALFORMED),
        (Frame("T", 1, struct.pack("<II", 1, 10001)).encode(), ErrorCode.MALFORMED),
        (Frame("T", 1, struct.pack("<II", 1, 1)).encode().replace(b"\n", b"%"), ErrorCode.DAMAGED),
        (Frame(PING, 1, bytes(1034)).encode(), ErrorCode.TOO_LONG),
        (Frame(PING, 1, bytes(100_000)).encode(), ErrorCode.TOO_LONG),
        (b"@em1 P 0001 AAA= 00000000\n", ErrorCode.DAMAGED),
        (b"@em1 P 0001 A=== 00000000\n", ErrorCode.DAMAGED),
        (b"@em1 P 0001 =AAA 00000000\n", ErrorCode.DAMAGED),
        (b"@em1 P 0001 AA==AAAA 00000000\n", ErrorCode.DAMAGED),
        (b"@em1 P 0001\n", ErrorCode.DAMAGED),
        (b"@em1 \n", ErrorCode.DAMAGED),
        (Frame(PING, 1).encode().replace(b"\n", b" \n"), ErrorCode.DAMAGED),
        (Frame(PING, 1).encode().upper(), None),
        (b"@em2 P 0001  d8207ab6\n", None),
        (b"hello\n", None),
    ],
)
def test_what_is_refused_and_why(firmware: Path, line: bytes, code: ErrorCode | None) -> None:
    assert errors(converse(firmware, line)) == ([] if code is None else [code])


def send_input(numbers: bytes, input_id: int = 1) -> bytes:
    return b"".join(
        Frame(
            DATA,
            1,
            DATA_HEADER.pack(input_id, start, Kind.TENSOR) + numbers[start : start + 1000],
        ).encode()
        for start in range(0, INPUT_BYTES, 1000)
    )


def test_an_input_with_another_crc_is_not_run(firmware: Path) -> None:
    data = bytes(INPUT_BYTES)
    run = Frame(RUN, 2, RUN_HEADER.pack(1, crc32(data) ^ 1)).encode()
    again = Frame(RUN, 3, RUN_HEADER.pack(1, crc32(data))).encode()
    events = converse(firmware, send_input(data) + run + again)
    assert errors(events) == [ErrorCode.WRONG_INPUT, ErrorCode.NO_INPUT]


def test_a_repeated_run_repeats_the_result_and_computes_nothing(firmware: Path) -> None:
    data = random.Random(0).randbytes(INPUT_BYTES)
    run = Frame(RUN, 2, RUN_HEADER.pack(1, crc32(data))).encode()
    late = send_input(bytes(INPUT_BYTES))  # the same id: doubled frames that come much too late
    events = converse(firmware, send_input(data) + run + late + run)
    results = [event for event in events if isinstance(event, Frame) and event.type == "r"]
    assert len(results) == 2 and results[0] == results[1]
    assert results[0].payload.endswith(device_firmware.expected(data))
    assert int.from_bytes(results[0].payload[12:16], "little") == 1


@pytest.mark.parametrize(
    ("status", "code", "line"),
    [
        (-7, ErrorCode.MODEL, "the model failed to initialise: error -7"),
        (
            -1,
            ErrorCode.DAMAGED_MODEL,
            "edgemcu: the model in flash is damaged: the SHA-256 of its constants is "
            f"ff{MODEL_DIGEST[2:]}, not {MODEL_DIGEST}",
        ),
    ],
)
def test_a_model_that_failed_to_start_is_reported(
    tmp_path: Path, status: int, code: ErrorCode, line: str
) -> None:
    firmware = device_firmware.build("host", tmp_path, [f"-DMODEL_FAILS={status}"])
    run = Frame(RUN, 2, RUN_HEADER.pack(1, 0)).encode()
    events = converse(firmware, send_input(bytes(INPUT_BYTES)) + run)
    assert errors(events) == [code] * 4
    assert line in str(events)
