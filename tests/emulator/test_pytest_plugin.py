"""The pytest plugin in a repository that has nothing but a model, photos, and a few tests."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgemcu.device.emulator import QEMU
from edgemcu.steps.build import build_firmware
from edgemcu.steps.request import firmware_request
from tests.emulator.test_verify import CLASSES, make_project
from tests.support.photos import picture, save
from tests.support.serve import serve
from tests.support.tiny_classifier import tiny_classifier
from tests.unit.test_architecture import NOT_FOR_HELP

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.slow, pytest.mark.emulator]

TESTS = """
from pathlib import Path
import pytest

PHOTOS = Path(__file__).parent / "photos"

@pytest.mark.parametrize("photo", ["cat/4.png", "dog/6.png"])
def test_it_answers(edgemcu_device, photo):
    assert edgemcu_device.classify(PHOTOS / photo).label in ("cat", "dog", "bird")

def test_nothing_got_worse(edgemcu_device):
    assert edgemcu_device.verify(images=5).passed

def test_it_fits(edgemcu_firmware):
    assert edgemcu_firmware.flash_bytes < 256 * 1024
"""


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """This checkout's plugin and no other, whatever is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    return make_project(pytester.path)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    options = ("-p", "edgemcu.pytest_plugin", "-p", "no:cacheprovider", "-ra")
    return pytester.runpytest_inprocess(*options, *arguments)


def test_pip_install_makes_it_available() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\nedgemcu = "edgemcu.pytest_plugin"' in text
    installed = importlib.metadata.entry_points(group="pytest11", name="edgemcu")
    if not installed:
        pytest.skip("edgemcu was installed before it had a plugin: run `make setup-dev`")
    assert {point.value for point in installed} == {"edgemcu.pytest_plugin"}


def test_a_repository_that_does_not_use_it_pays_nothing() -> None:
    script = (
        "import sys\nbefore = set(sys.modules)\nimport edgemcu.pytest_plugin\n"
        f"print(sorted({sorted(NOT_FOR_HELP)} & (set(sys.modules) - before)))"
    )
    script = script.replace(str(sorted(NOT_FOR_HELP)), f"set({sorted(NOT_FOR_HELP)})")
    done = subprocess.run(
        [sys.executable, "-c", f"import pytest\n{script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_an_empty_repository(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass\ndef test_it(edgemcu_device): pass")
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*no edgemcu.toml in *: name a project with --edgemcu-project*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_repository_with_a_model_alone(pytester: pytest.Pytester) -> None:
    (pytester.path / "pets.tflite").write_bytes(tiny_classifier(classes=CLASSES))
    save(pytester.path / "some.jpg", picture(1))
    pytester.makepyfile(
        "def test_it(edgemcu_device):\n"
        "    assert edgemcu_device.classify('some.jpg').label in ('cat', 'dog', 'bird')\n"
        "    assert edgemcu_device.verify(inputs='random:3').passed\n"
    )
    for options in (("--edgemcu-model", "pets.tflite"), ("-o", "edgemcu_model=pets.tflite")):
        run(pytester, "--edgemcu-on", "host", *options).assert_outcomes(passed=1)


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_on_two_targets(pytester: pytest.Pytester, project: Path) -> None:
    pytester.makepyfile(test_firmware=TESTS)
    result = run(pytester, "-v", "--edgemcu-on", "host,qemu", "--edgemcu-on", "host")
    result.assert_outcomes(passed=8)
    for target in ("host", "qemu"):
        result.stdout.fnmatch_lines([f"*test_nothing_got_worse?{target}? PASSED*"])


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_without_options_it_is_the_boards_emulator(
    pytester: pytest.Pytester, project: Path
) -> None:
    pytester.makepyfile(
        "def test_it(edgemcu_device):\n"
        "    assert edgemcu_device.target == 'qemu'\n"
        "    assert edgemcu_device.identity.board == 'stm32f405'\n"
        "    assert edgemcu_device.verify().figures.instructions.p50 > 1000\n"
    )
    run(pytester, "-v").assert_outcomes(passed=1)


def test_settings_in_the_repository(pytester: pytest.Pytester) -> None:
    make_project(pytester.path / "firmware")
    pytester.makeini(
        "[pytest]\nedgemcu_on = host\nedgemcu_project = firmware\nedgemcu_board = mps2-an500\n"
    )
    pytester.makepyfile(
        "def test_it(edgemcu_device, edgemcu_request):\n"
        "    assert edgemcu_device.target == 'host'\n"
        "    assert edgemcu_request.board == 'mps2-an500'\n"
    )
    run(pytester).assert_outcomes(passed=1)
    run(pytester, "--edgemcu-project", "firmware").assert_outcomes(passed=1)
    result = run(pytester, "--edgemcu-board", "no-such-board")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*there is no board 'no-such-board'*"])


def test_a_missing_emulator_is_skipped_with_its_reason_or_required(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    pytester.makepyfile("def test_it(edgemcu_device): pass")
    result = run(pytester, "--edgemcu-on", "qemu")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*SKIPPED*edgemcu on qemu:*qemu-system-arm*apt-get install*"])
    required = run(pytester, "--edgemcu-on", "qemu", "--edgemcu-require")
    required.assert_outcomes(errors=1)
    required.stdout.fnmatch_lines(["*qemu-system-arm was not found*"])


def test_nonsense_as_a_target(pytester: pytest.Pytester, project: Path) -> None:
    pytester.makepyfile("def test_it(edgemcu_device): pass")
    result = run(pytester, "--edgemcu-on", "qemuu")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*'qemuu' is no target*", "a target is host, qemu*"])


def test_a_port_that_pytest_would_take_for_a_folder(
    pytester: pytest.Pytester, project: Path, tmp_path: Path
) -> None:
    port = tmp_path / "ttyACM0"
    port.touch()
    pytester.makepyfile("def test_it(edgemcu_device): pass")
    result = run(pytester, "--edgemcu-on", str(port))
    result.stderr.fnmatch_lines([f"*write --edgemcu-on={port}"])
    result = run(pytester, f"--edgemcu-on={port}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{port}*cannot be opened*"])


def test_a_failure_shows_checks_and_the_last_output(
    pytester: pytest.Pytester, project: Path
) -> None:
    text = (project / "edgemcu.toml").read_text()
    (project / "edgemcu.toml").write_text(text + "min_accuracy = 1.0\n")
    pytester.makepyfile("def test_it(edgemcu_device): assert edgemcu_device.verify().passed")
    result = run(pytester, "--edgemcu-on", "host")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*verification of host on host FAILED: accuracy: *limit 100.0 %*",
            "*last output of the device (host on host)*",
            "edgemcu * on host*",
            f"*[{''.join(name[0] for name in CLASSES)}]* ms  #8*",
        ]
    )


def test_a_device_that_fails_is_there_again_for_the_next_test(
    pytester: pytest.Pytester, project: Path
) -> None:
    pytester.makepyfile(
        "from pathlib import Path\n"
        "import os, pytest\n"
        "from edgemcu.errors import DeviceError, DatasetError\n"
        "PHOTO = Path(__file__).parent / 'photos' / 'cat' / '4.png'\n"
        "def test_it_is_killed(edgemcu_device):\n"
        "    first = edgemcu_device.classify(PHOTO)\n"
        "    edgemcu_device.session._link.transport._process.close()\n"
        "    with pytest.raises(DeviceError):\n"
        "        edgemcu_device.classify(PHOTO)\n"
        "    assert edgemcu_device.classify(str(PHOTO), top=1).outputs == first.outputs\n"
        "def test_it_is_back(edgemcu_device):\n"
        "    with pytest.raises(DatasetError):\n"
        "        edgemcu_device.classify('nowhere.png')\n"
        "    assert edgemcu_device.verify(inputs='random:3').passed\n"
        "    assert edgemcu_device.infer(bytes(192)).sequence == 5\n"
    )
    run(pytester, "--edgemcu-on", "host").assert_outcomes(passed=2)


def test_a_board_at_a_port(pytester: pytest.Pytester, project: Path) -> None:
    program = build_firmware(firmware_request(project).on_board("host")).build.elf
    pytester.makepyfile(test_firmware=TESTS)
    with serve(program) as port:
        result = run(pytester, "--edgemcu-board", "host", "--edgemcu-on", port)
    result.assert_outcomes(passed=4)
