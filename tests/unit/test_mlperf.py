"""The MLPerf Tiny benchmark's commands, on the line that the wire protocol uses, too."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgemcu.device.emulator import start_process
from edgemcu.device.protocol import DATA, DATA_HEADER, PING, Frame, Kind
from edgemcu.device.session import DeviceSession
from edgemcu.firmware.generate import app_facts
from edgemcu.firmware.runtime import ModelSource
from edgemcu.tflite import parse_model
from tests.support import device_firmware
from tests.support.device_firmware import INPUT_BYTES, TABLE, expected
from tests.support.mlperf_client import MlperfClient
from tests.support.tflite_builder import ModelBuilder


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device_firmware.build("host", tmp_path_factory.mktemp("host"), device_firmware.SANITIZE)


@pytest.fixture
def client(firmware: Path) -> Iterator[MlperfClient]:
    transport = start_process(firmware)
    try:
        client = MlperfClient(transport)
        client.wait_for_start()
        yield client
    finally:
        transport.close()


def scores(outputs: bytes) -> list[str]:
    """As printf's "%0.3f" shows the stand-in's int8 outputs, scale 1/256, zero point -128."""
    return [f"{(value + 128) / 256:.3f}" for value in np.frombuffer(outputs, np.int8).tolist()]


def test_who_it_is(client: MlperfClient) -> None:
    assert client.command("name") == ["m-name-dut-[edgemcu host]"]
    assert client.command("profile") == [
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        "m-model-[unknown]",
    ]
    assert len(client.command("help")) == 10


def test_an_input_its_results_and_its_time(client: MlperfClient) -> None:
    pixels = random.Random(5).randbytes(INPUT_BYTES)
    client.load(pixels)
    results, microseconds = client.infer(1, 0)
    # The first output tensor only, as the benchmark's models have a single one.
    assert results == scores(expected(pixels.translate(TABLE))[:4])
    assert client.command("results") == [f"m-results-[{','.join(results)}]"]
    # As often as one likes, and with the default of ten warm-ups.
    again, more = client.infer(20, 5)
    assert again == results
    assert more > microseconds > 0
    assert client.command("infer 2")[0] == "m-warmup-start-10"
    first, second = (int(client.command("timestamp")[0].removeprefix("m-lap-us-")) for _ in "ab")
    assert first <= second


def test_every_score_is_rounded_as_printf_does_it(client: MlperfClient) -> None:
    seen: set[str] = set()
    for seed in range(60):
        pixels = random.Random(seed).randbytes(INPUT_BYTES)
        client.load(pixels)
        results, _ = client.infer(1, 0)
        assert results == scores(expected(pixels.translate(TABLE))[:4])
        seen.update(results)
    assert len(seen) > 100


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("", "e-[Empty command]"),
        ("  ", "e-[Empty command]"),
        ("hello", "e-[Unknown command: hello]"),
        ("name1", "e-[Unknown command: name1]"),
        ("db", "e-[db takes load N, print, or hex digits]"),
        ("db load", "e-[db takes load N, print, or hex digits]"),
        ("db 00 00", "e-[db takes load N, print, or hex digits]"),
        ("db a b c d e f", "e-[db takes load N, print, or hex digits]"),
        ("db load 0", "e-[The model takes 3000 bytes]"),
        ("db load -1", "e-[The model takes 3000 bytes]"),
        ("db load 3001", "e-[The model takes 3000 bytes]"),
        ("db load 4294970296", "e-[The model takes 3000 bytes]"),
        ("db load 3000x", "e-[The model takes 3000 bytes]"),
        ("db 00", "e-[No bytes are expected: db load comes first]"),
        ("db 0", "e-[Odd number of hex digits]"),
        ("db 0g", "e-[Neither load, print nor hex digits]"),
        ("db print", "e-[There is no input that has not run]"),
        ("infer 1", "e-[The input is not here, or not all of it]"),
        ("infer 0", "e-[infer takes N, at least 1, and a number of warm-ups]"),
        ("infer -1", "e-[infer takes N, at least 1, and a number of warm-ups]"),
        ("infer 9999999999", "e-[infer takes N, at least 1, and a number of warm-ups]"),
        ("infer 1 x", "e-[infer takes N, at least 1, and a number of warm-ups]"),
        ("infer 1 2 3", "e-[infer takes N, at least 1, and a number of warm-ups]"),
        ("results", "e-[There are no results: load an input, then infer]"),
        ("x" * 129, "e-[Command too long]"),
        ("x" * 100_000, "e-[Command too long]"),
    ],
)
def test_commands_that_are_refused(client: MlperfClient, command: str, answer: str) -> None:
    assert client.command(command) == [answer]
    assert client.command("name") == ["m-name-dut-[edgemcu host]"]


def test_lengths_are_checked_where_the_reference_does_not(client: MlperfClient) -> None:
    client.command(f"db load {INPUT_BYTES}")
    for _ in range(INPUT_BYTES // 60):
        assert client.command(f"db {'11' * 60}") == ["m-load-done"] * (_ == INPUT_BYTES // 60 - 1)
    # Everything has arrived: not one byte more is written anywhere.
    assert client.command("db 22") == ["e-[More bytes than the model takes]"]
    # A command with a wrong digit is not taken in part.
    client.command(f"db load {INPUT_BYTES}")
    assert client.command("db 1234zz") == ["e-[Neither load, print nor hex digits]"]
    assert client.command("db print") == ["e-[There is no input that has not run]"]
    client.command("db 0102030405060708090a")
    shown = bytes(range(1, 11)).translate(TABLE).hex("-")
    assert client.command("db print") == [f"m-buffer-{shown[:23]}", f"m-buffer-{shown[24:]}"]


def test_commands_and_frames_share_the_line(firmware: Path) -> None:
    transport = start_process(firmware)
    with DeviceSession(transport) as session:
        session.identify()
        client = MlperfClient(transport)
        data = random.Random(9).randbytes(INPUT_BYTES)
        client.load(data)
        results, _ = client.infer(1, 0)
        result = session.infer(data, Kind.PIXELS)
        assert scores(result.outputs[:4]) == results
        client.load(data)
        # A host's frame takes the tensors: the benchmark's input is gone, and that is said.
        session.infer(bytes(INPUT_BYTES))
        assert client.command(f"db {'00' * 4}") == [
            "e-[No bytes are expected: db load comes first]"
        ]


@pytest.mark.parametrize(
    ("before", "answers"),
    [
        (b"", ["m-name-dut-[edgemcu host]"]),
        (b"noise of a boot loader\n", ["m-name-dut-[edgemcu host]"]),
        (b"\xff\x00", ["m-name-dut-[edgemcu host]"]),
        (b"half a comm@", ["m-name-dut-[edgemcu host]"]),
        (Frame(PING, 1).encode(), ["m-name-dut-[edgemcu host]"]),
        # A frame that was cut off takes the first command with it, not those behind it.
        (Frame(PING, 1).encode()[:-4], []),
        (b"noise", ["e-[Unknown command: noisename]"]),
    ],
)
def test_what_may_stand_before_a_command(firmware: Path, before: bytes, answers: list[str]) -> None:
    done = subprocess.run(
        [firmware], input=before + b"name%name%", capture_output=True, timeout=60, check=True
    )
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    lines = [line for line in lines if line.startswith(("m-", "e-")) and line != "m-ready"]
    assert lines == [*answers, "m-name-dut-[edgemcu host]"]


def test_a_damaged_model_is_not_timed(tmp_path: Path) -> None:
    firmware = device_firmware.build("host", tmp_path, ["-DMODEL_FAILS=-1"])
    transport = start_process(firmware)
    try:
        client = MlperfClient(transport)
        client.wait_for_start()
        for command in (f"db load {INPUT_BYTES}", "infer 1 0"):
            assert client.command(command) == ["e-[The model in flash is damaged]"]
        assert client.command("name") == ["m-name-dut-[edgemcu host]"]
    finally:
        transport.close()


def test_an_input_half_sent_as_frames_is_no_input_of_the_benchmark(firmware: Path) -> None:
    frame = Frame(DATA, 1, DATA_HEADER.pack(0, 0, Kind.TENSOR) + bytes(10)).encode()
    done = subprocess.run(
        [firmware], input=frame + b"infer 1 0%", capture_output=True, timeout=60, check=True
    )
    assert b"e-[The input is not here, or not all of it]" in done.stdout


@pytest.mark.parametrize(
    ("shape", "classes", "name", "flip"),
    [
        ((1, 32, 32, 3), 10, "ic01", True),
        ((1, 96, 96, 3), 2, "vww01", True),
        ((1, 49, 10, 1), 12, "kws01", False),
        ((1, 8, 8, 3), 10, "my-model", False),
    ],
)
def test_the_benchmark_s_own_models_are_known(
    shape: tuple[int, ...], classes: int, name: str, flip: bool
) -> None:
    b = ModelBuilder()
    x = b.input(shape, 1 / 255, -128)
    size = int(np.prod(shape))
    weights = b.constant(np.ones((classes, size), np.int8), 0.01)
    bias = b.constant(np.zeros(classes, np.int32), 0.01 / 255)
    b.output(b.op("FULLY_CONNECTED", [x, weights, bias], (1, classes), 0.1, 0))
    data = b.finish()
    model = ModelSource(parse_model(data, "model"), data, "00" * 32)
    app = app_facts(model, None, "my model.tflite", "title")
    assert (app.mlperf_model, app.mlperf_flip) == (name, flip)
    assert (app.score_zero_point, app.score_scale_q30) == (0, round(float(np.float32(0.1)) * 2**30))


def test_scores_beyond_the_firmware_s_arithmetic_are_none() -> None:
    for scale, printed in ((60_000.0, True), (1e6, False)):
        b = ModelBuilder()
        x = b.input((1, 4), 1e4, 0)
        b.output(b.op("FULLY_CONNECTED", [x, b.constant(np.ones((3, 4), np.int8), 1.0), -1],
                      (1, 3), scale, 0))  # fmt: skip
        data = b.finish()
        app = app_facts(ModelSource(parse_model(data, "m"), data, "00" * 32), None, "m", "title")
        assert (app.score_scale_q30 > 0) == printed
        # The largest number of the firmware's mlperf.c.
        assert app.score_scale_q30 * 255 * 1000 < 2**64
