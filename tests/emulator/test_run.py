"""`edgemcu run`, from a model to compared bytes, and what it says when something is off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from edgemcu.boards import list_boards
from edgemcu.cli.main import main
from edgemcu.device.connect import open_board
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession
from edgemcu.device.streaming import stream
from edgemcu.errors import BuildError, DeviceError, EmulatorError, InputsError
from edgemcu.steps import run as run_step
from edgemcu.steps.build import build_firmware
from edgemcu.steps.request import FirmwareRequest
from edgemcu.steps.run import run_firmware
from tests.support.tiny_classifier import tiny_classifier

pytestmark = [pytest.mark.slow, pytest.mark.emulator]

# What the JSON of `run` promises.
KEYS = {
    *("board", "runtime", "inferences", "bytes_equal", "instructions_per_inference"),
    *("flash_bytes", "ram_bytes", "arena_bytes", "model_bytes", "macs", "elf"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.tflite"
    path.write_bytes(tiny_classifier())
    return path


def request_for(model: Path, board: str, folder: Path) -> FirmwareRequest:
    return FirmwareRequest(None, model, False, board, "compiled", folder)


@pytest.fixture(scope="module")
def host(model: Path, tmp_path_factory: pytest.TempPathFactory) -> FirmwareRequest:
    request = request_for(model, "host", tmp_path_factory.mktemp("host"))
    build_firmware(request)
    return request


@pytest.mark.parametrize("board", [board.name for board in list_boards() if board.emulator])
def test_every_byte_is_equal_on_every_board(model: Path, board: str, tmp_path: Path) -> None:
    arguments = ["run", "--model", str(model), "--board", board, "--inputs", "random:20"]
    outcome = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path), "--json"])
    assert outcome.exit_code == 0, outcome.output
    report = json.loads(outcome.stdout)
    assert set(report) >= KEYS
    assert report["bytes_equal"] == report["inferences"] == 20
    assert report["arena_used_bytes"] <= report["arena_bytes"]
    assert Path(report["elf"]).is_file()
    assert (report["instructions_per_inference"] is None) == (board == "host")
    assert "PROVEN" in Path(report["report_html"]).read_text()


def test_instructions_are_the_same_run_after_run(model: Path, tmp_path: Path) -> None:
    request = request_for(model, "stm32f405", tmp_path)
    first = run_firmware(request, inputs="random:9")
    second = run_firmware(request, inputs="random:9", force=True)
    assert not second.unchanged
    counted = [run.report.instructions_per_inference for run in (first, second)]
    assert counted[0] is not None and counted[1] is not None
    # A tick of the counter is 8 ns of virtual time: one instruction.
    assert abs(counted[0] - counted[1]) <= 2


def test_a_run_without_changes_is_read_back(host: FirmwareRequest) -> None:
    first = run_firmware(host, inputs="random:4", force=True)
    again = run_firmware(host, inputs="random:4")
    assert not first.unchanged
    assert again.unchanged
    assert again.report == first.report
    assert not run_firmware(host, inputs="random:5").unchanged


def test_inputs_from_a_file(host: FirmwareRequest, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-128, 128, (7, 8, 8, 3)).astype(np.int8)
    np.save(tmp_path / "x.npy", values)
    report = run_firmware(host, inputs=str(tmp_path / "x.npy")).report
    assert (report.inferences, report.bytes_equal) == (7, 7)


def test_one_wrong_byte_is_noticed(host: FirmwareRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = run_step.run_reference

    def off_by_one(*args: object, **options: object) -> NDArray[np.uint8]:
        outputs = honest(*args, **options)  # type: ignore[arg-type]
        outputs[2, 1] ^= 1
        return outputs

    monkeypatch.setattr(run_step, "run_reference", off_by_one)
    result = run_firmware(host, inputs="random:6", force=True)
    assert result.exit_code == 1
    assert (result.report.inferences, result.report.bytes_equal) == (6, 5)
    assert [mismatch.inference for mismatch in result.report.mismatches] == [2]
    assert result.report.mismatches[0].differing == 1
    assert "NOT EQUAL" in result.page.read_text()


def test_the_worker_that_fails_is_the_one_that_is_reported(host: FirmwareRequest) -> None:
    built = build_firmware(host)
    board = next(board for board in list_boards() if board.name == "host")
    opened: list[DeviceSession] = []

    def connect() -> DeviceSession:
        session = open_board(board, built.build.elf)
        opened.append(session)
        if len(opened) == 2:
            session.close()
            raise DeviceError("the second one does not start")
        return session

    with pytest.raises(DeviceError, match="second one"):
        stream(connect, np.zeros((100_000, 192), np.uint8), Kind.TENSOR, workers=2)


def test_a_board_without_an_emulator_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = next(board for board in list_boards() if board.name == "stm32f405")
    bare = board.model_copy(update={"emulator": None})
    monkeypatch.setattr(run_step, "load_board", lambda *_: bare)
    with pytest.raises(EmulatorError, match="cannot be emulated"):
        run_firmware(request_for(model, "stm32f405", tmp_path))


def test_pictures_need_a_project(host: FirmwareRequest) -> None:
    with pytest.raises(InputsError, match="no test photos"):
        run_firmware(host, images=3)


def test_an_interrupted_run_leaves_the_last_outcome(
    host: FirmwareRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_firmware(host, inputs="random:4", force=True)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_step, "run_reference", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_firmware(host, inputs="random:4", force=True)
    monkeypatch.undo()
    after = run_firmware(host, inputs="random:4")
    assert after.unchanged
    assert after.report == before.report


def test_a_failing_build_keeps_the_last_outcome(
    host: FirmwareRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_firmware(host, inputs="random:4", force=True)

    def fails(*_: object, **__: object) -> None:
        raise BuildError("no")

    monkeypatch.setattr(run_step, "build_firmware", fails)
    with pytest.raises(BuildError):
        run_firmware(host, inputs="random:4", force=True)
    assert before.page.is_file()
