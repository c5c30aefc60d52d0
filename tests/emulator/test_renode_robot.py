"""The generated Robot test, on the firmware that it is for: in QEMU, since Renode is not here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgemcu.boards import load_board
from edgemcu.device.emulator import QEMU
from edgemcu.platformio.build import build_project
from tests.support.device_firmware import MODEL_DIGEST
from tests.support.firmware import APP, write_stand_in

robot_api = pytest.importorskip("robot.api", reason="Robot Framework is not installed")

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]


@pytest.mark.parametrize("sound", [True, False], ids=["sound", "damaged"])
def test_it_passes_where_it_should(sound: bool, tmp_path: Path) -> None:
    board = load_board("stm32f405")
    project = write_stand_in(board, tmp_path / "project")
    build_project(project, board)
    file = project / f"renode/{board.name}.robot"
    text = file.read_text().replace("timeout=60", f"timeout={60 if sound else 2}")
    assert APP.model_digest in text
    if sound:
        # The stand-in says that it is another model than the project's.
        text = text.replace(APP.model_digest, MODEL_DIGEST)
    file.write_text(text)
    suite = robot_api.TestSuite.from_file_system(file)
    suite.resource.imports.library("tests.support.renode.keywords")
    suite.teardown = None
    for test in suite.tests:
        test.teardown.config(name="Close")
    result = suite.run(output=None, log=None, report=None, stdout=None, console="none")
    status = {test.name: test.passed for test in result.suite.tests}
    assert len(status) == 4
    assert [name for name, passed in status.items() if not passed] == (
        [] if sound else ["Should Say Which Model It Holds"]
    )
