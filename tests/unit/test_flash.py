"""Flashing: an ESP32-S3's ROM loader that is faked, with faults."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgemcu.board_schema import Board
from edgemcu.boards import load_board
from edgemcu.cli.flash import ask_which
from edgemcu.console import ProgressBar, QuietConsole
from edgemcu.device.ports import SerialPort
from edgemcu.errors import DeviceError, EmulatorError, FlashError, ToolMissingError
from edgemcu.platformio.image import Image, find_image
from edgemcu.steps.flash import FlashResult, flash_firmware, flash_limits
from edgemcu.steps.flash_board import Done, Expected, FlashLimits, Job, Ready
from edgemcu.steps.generate import generate_firmware
from edgemcu.steps.request import FirmwareRequest, firmware_request
from tests.support.esp_image import identity_text, write_build
from tests.support.fake_esp import FakeBoard, Faults
from tests.support.tiny_classifier import tiny_classifier

MODEL, IMAGE = "ab" * 32, "0123456789abcdef"
QUICK = FlashLimits(pause_s=0.01, present_s=0.2, ready_s=3.0)
RECOVER = "Hold BOOT, press and release RESET"


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("esp32s3")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    write_build(folder, identity_text("esp32s3", MODEL, IMAGE))
    return folder


class Listening(QuietConsole):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[float] = []

    def info(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(f"warning: {text}")

    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> Iterator[ProgressBar]:
        steps = self.steps

        class Bar:
            def advance(self, amount: float = 1, note: str = "") -> None:
                steps.append(amount)

        yield Bar()


def a_job(board: Board, fake: FakeBoard, folder: Path, **changes: object) -> Job:
    job = Job(
        board=board,
        expected=Expected("esp32s3", MODEL, IMAGE),
        port=SerialPort(fake.port),
        protocol="esptool",
        baud=None,
        limits=QUICK,
        folder=folder,
        console=Listening(),
    )
    return replace(job, **changes)  # type: ignore[arg-type]


def ready(board: Board, build: Path) -> Ready:
    return Ready(find_image(board, build), Expected("esp32s3", MODEL, IMAGE), None, None)


def assert_flash_holds(fake: FakeBoard, image: Image) -> None:
    """Every byte of every part, and nothing but erased flash elsewhere."""
    rest = bytearray(fake.flash)
    for part in image.parts:
        data = part.file.read_bytes()
        assert fake.flash[part.address : part.address + len(data)] == data, part.file.name
        rest[part.address : part.address + len(data)] = b"\xff" * len(data)
    assert rest.strip(b"\xff") == b""


# ---- ESP32-S3 ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_flashed_is_what_was_built_and_answers(
    board: Board, build: Path, tmp_path: Path
) -> None:
    with FakeBoard() as fake:
        job = a_job(board, fake, tmp_path)
        assert job.present() is None
        made = ready(board, build)
        done = job.write(made)
        identity = job.answer(done)
        assert_flash_holds(fake, made.image)
        assert [part.address for part in made.image.parts] == [0x0, 0x8000, 0x10000]
    assert (done.way, done.attempts, done.resets) == ("esptool", 1, False)
    assert (identity.model, identity.image) == (MODEL, IMAGE)
    console = job.console
    assert isinstance(console, Listening)
    assert sum(console.steps) == made.image.bytes
    assert any("flashing with esptool itself" in text for text in console.said)
    assert any("press RESET" in text for text in console.said)
    assert "Hash of data verified" in (tmp_path / "flash.log").read_text()


@pytest.mark.slow
def test_reset_lines_over_rfc2217(board: Board, tmp_path: Path) -> None:
    """The chip gets into its boot loader, and out of it again, by DTR and RTS alone."""
    build = tmp_path / "build"
    write_build(build, identity_text("esp32s3", MODEL, IMAGE), weights=2000)
    with FakeBoard(rfc2217=True) as fake:
        job = a_job(board, fake, tmp_path)
        made = ready(board, build)
        done = job.write(made)
        assert fake.modes == ["run", "download", "run"]
        identity = job.answer(done)
        assert_flash_holds(fake, made.image)
    assert done.resets
    assert identity.image == IMAGE


def test_an_image_that_is_there_is_known_by_its_answer(
    board: Board, build: Path, tmp_path: Path
) -> None:
    with FakeBoard() as fake:
        image = find_image(board, build)
        fake.write({part.address: part.file.read_bytes() for part in image.parts})
        job = a_job(board, fake, tmp_path)
        identity = job.present()
        assert identity is not None and identity.image == IMAGE
        for other in (
            Expected("esp32s3", MODEL, "another"),
            Expected("esp32s3", "cd" * 32, IMAGE),
            Expected("other", MODEL, IMAGE),
        ):
            assert replace(job, expected=other).present() is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "why"),
    [
        (Faults(no_sync=1), "the chip's boot loader does not answer"),
        (Faults(bad_bits=1), "what the flash holds is not what was written"),
        (Faults(stalls=1), "the chip stopped answering while it was being written"),
    ],
    ids=["no sync", "bad MD5", "time-out in mid-write"],
)
def test_a_fault_is_overcome_by_another_attempt(
    faults: Faults, why: str, board: Board, build: Path, tmp_path: Path
) -> None:
    with FakeBoard(faults=faults) as fake:
        job = a_job(board, fake, tmp_path)
        made = ready(board, build)
        done = job.write(made)
        assert done.attempts == 2
        assert_flash_holds(fake, made.image)
        assert job.answer(done).image == IMAGE
    console = job.console
    assert isinstance(console, Listening)
    assert f"warning: attempt 1 of 3 failed: {why}" in console.said


@pytest.mark.slow
def test_a_cable_pulled_in_mid_transfer(board: Board, build: Path, tmp_path: Path) -> None:
    # esptool itself connects again once; the second time it must be another attempt.
    with FakeBoard(faults=Faults(drops=2)) as fake:
        job = a_job(board, fake, tmp_path)
        made = ready(board, build)
        done = job.write(made)
        assert fake.faults.drops == 0
        assert_flash_holds(fake, made.image)
        assert job.answer(done).image == IMAGE


@pytest.mark.slow
def test_giving_up_says_how_to_recover(board: Board, build: Path, tmp_path: Path) -> None:
    with FakeBoard(faults=Faults(no_sync=-1)) as fake:
        job = a_job(board, fake, tmp_path, limits=replace(QUICK, attempts=2))
        with pytest.raises(FlashError) as error:
            job.write(ready(board, build))
    assert "gave up after 2 attempts: the chip's boot loader does not answer" in str(error.value)
    assert RECOVER in str(error.value)
    assert str(tmp_path / "flash.log") in str(error.value)
    assert "No serial data received" in (tmp_path / "flash.log").read_text()


@pytest.mark.slow
def test_an_upload_that_hangs_is_ended(board: Board, build: Path, tmp_path: Path) -> None:
    with FakeBoard(faults=Faults(no_sync=-1)) as fake:
        limits = replace(QUICK, attempts=1, upload_s=1.0)
        with pytest.raises(FlashError, match="did not end within 1 s"):
            a_job(board, fake, tmp_path, limits=limits).write(ready(board, build))


@pytest.mark.slow
def test_another_firmware_than_was_built_is_no_success(
    board: Board, build: Path, tmp_path: Path
) -> None:
    """As after flashing an image that an earlier build has left."""
    with FakeBoard() as fake:
        job = a_job(board, fake, tmp_path, expected=Expected("esp32s3", MODEL, "newer"))
        done = job.write(ready(board, build))
        with pytest.raises(FlashError, match=f"image is {IMAGE}, not newer"):
            job.answer(done)


def test_a_board_that_stays_silent(board: Board, build: Path, tmp_path: Path) -> None:
    with FakeBoard() as fake:
        job = a_job(board, fake, tmp_path, limits=replace(QUICK, ready_s=0.5))
        with pytest.raises(FlashError, match="was written, but does not answer") as error:
            job.answer(Done("esptool", 1, None))
    assert "press RESET" in str(error.value)


def test_an_interrupted_upload_says_what_the_board_may_hold(
    board: Board, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgemcu.steps.flash_board.upload", interrupted)
    with FakeBoard() as fake:
        job = a_job(board, fake, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            job.write(ready(board, build))
    console = job.console
    assert isinstance(console, Listening)
    assert any("half an image" in text and RECOVER in text for text in console.said)


def test_a_port_that_is_not_there_is_said_before_anything_else(
    board: Board, tmp_path: Path
) -> None:
    with FakeBoard() as fake:
        job = a_job(board, fake, tmp_path, port=SerialPort("/dev/ttyNONE"))
        with pytest.raises(DeviceError, match="no such port"):
            job.present()


# ---- The whole step ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def request_and_image(tmp_path_factory: pytest.TempPathFactory) -> tuple[FirmwareRequest, Path]:
    """A project for an ESP32-S3, and what a build of it elsewhere has left."""
    folder = tmp_path_factory.mktemp("step")
    model = folder / "tiny.tflite"
    model.write_bytes(tiny_classifier())
    request = firmware_request(folder, model=model, board="esp32s3", out=folder / "out")
    project = generate_firmware(request)
    image = folder / "artefact"
    identity = identity_text("esp32s3", project.model_digest, project.image)
    write_build(image, identity, table=(project.path / "partitions.csv").read_text())
    return request, image


@pytest.mark.slow
def test_flash_writes_once(request_and_image: tuple[FirmwareRequest, Path]) -> None:
    request, image = request_and_image
    with FakeBoard() as fake:

        def flash(**options: object) -> FlashResult:
            return flash_firmware(
                request,
                port=fake.port,
                image=image,
                limits=QUICK,
                **options,  # type: ignore[arg-type]
            )

        first = flash()
        assert (first.written, first.identified, first.way) == (True, True, "esptool")
        again = flash()
        assert (again.written, again.identified, again.attempts) == (False, True, 0)
        facts = json.loads(json.dumps(first.to_json()))
        assert facts["identity"]["image"] == facts["image"] == first.image
        assert_flash_holds(fake, find_image(load_board("esp32s3"), image))


def test_flash_needs_a_port_before_it_builds(
    request_and_image: tuple[FirmwareRequest, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    with pytest.raises(DeviceError, match="no serial port") as error:
        flash_firmware(request_and_image[0])
    assert "--no-verify" not in str(error.value)
    # A debug probe writes without it.
    request = replace(request_and_image[0], board="stm32f405")
    with pytest.raises(DeviceError, match="no serial port") as error:
        flash_firmware(request)
    assert "--no-verify" in str(error.value)


@pytest.mark.slow
def test_an_earlier_image_is_flashed_where_nothing_can_be_built(
    request_and_image: tuple[FirmwareRequest, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    request, image = request_and_image

    def cannot_build(*args: object, **options: object) -> None:
        raise ToolMissingError("there is no compiler")

    monkeypatch.setattr("edgemcu.steps.flash.build_firmware", cannot_build)
    with FakeBoard() as fake, pytest.raises(ToolMissingError, match="no compiler"):
        flash_firmware(request, port=fake.port, limits=QUICK)
    built = request.folder / "project" / ".pio" / "build" / "esp32s3"
    shutil.copytree(image, built)
    console = Listening()
    with FakeBoard() as fake:
        result = flash_firmware(request, port=fake.port, limits=QUICK, console=console)
    assert result.identified and result.way == "esptool"
    assert any("what an earlier build has left" in text for text in console.said)


def test_a_board_that_is_not_emulated_is_not_built_first(
    request_and_image: tuple[FirmwareRequest, Path],
) -> None:
    with pytest.raises(EmulatorError, match="QEMU does not emulate this board"):
        flash_firmware(request_and_image[0], emulator="qemu")


def test_limits_come_from_the_project_and_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "edgemcu.toml").write_text(
        '[dataset]\nsource = "cifar10"\n[flash]\nattempts = 7\ntimeout_s = 60\n'
    )
    request = firmware_request(tmp_path)
    assert flash_limits(request) == FlashLimits(attempts=7, upload_s=60)
    assert flash_limits(request, attempts=2).attempts == 2
    assert flash_limits(request, timeout_s=5).upload_s == 5


# ---- The verb ----------------------------------------------------------------------------------


def flash_command(request: FirmwareRequest, image: Path, port: str, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "edgemcu", "flash", "--model", str(request.model)),
        *("--board", "esp32s3", "--out", str(request.folder), "--image", str(image)),
        *("--port", port, *more),
    ]


@pytest.mark.slow
def test_the_verb_and_its_json(request_and_image: tuple[FirmwareRequest, Path]) -> None:
    with FakeBoard() as fake:
        command = flash_command(*request_and_image, fake.port, "--json", "-q")
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["written"], document["identified"], document["way"]) == (True, True, "esptool")
    assert "press RESET" in done.stderr


@pytest.mark.slow
def test_an_interrupted_verb_ends_the_tool_and_says_how_to_recover(
    request_and_image: tuple[FirmwareRequest, Path],
) -> None:
    with FakeBoard(faults=Faults(stalls=-1)) as fake:
        process = subprocess.Popen(
            flash_command(*request_and_image, fake.port),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ends = time.monotonic() + 60
        # In the middle of a transfer, and not sooner.
        while not fake.stalled and time.monotonic() < ends:
            time.sleep(0.01)
        assert fake.stalled
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "may hold half an image" in said and RECOVER in said
    assert "Traceback" not in said


def test_one_of_several_ports_is_asked_for() -> None:
    ports = [SerialPort("/dev/ttyUSB0", vid=1, pid=2), SerialPort("/dev/ttyACM0", vid=3, pid=4)]

    @click.command()
    def ask() -> None:
        click.echo(ask_which(ports).device)

    result = CliRunner().invoke(ask, input="7\n2\n")
    assert result.exit_code == 0
    assert result.stdout.strip().endswith("/dev/ttyACM0")
    assert "2  /dev/ttyACM0: serial port (0003:0004)" in result.stderr
