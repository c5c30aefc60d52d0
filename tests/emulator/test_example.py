"""examples/firmware-ci, in a copy, as its README and its workflow use it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from edgemcu.cli.main import main
from edgemcu.device.emulator import QEMU

pytestmark = [pytest.mark.slow, pytest.mark.emulator]

EXAMPLE = Path(__file__).parents[2] / "examples" / "firmware-ci"
WORKFLOW = EXAMPLE / ".github" / "workflows" / "firmware.yml"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    left_out = shutil.ignore_patterns("build", "train", "__pycache__")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "repository", ignore=left_out))


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_its_tests_pass_on_this_computer_and_in_the_emulator(repository: Path) -> None:
    plugin = ("-p", "edgemcu.pytest_plugin", "--edgemcu-require")
    done = run(repository, "pytest", *plugin, "-p", "no:cacheprovider", "-q")
    assert "8 passed" in done.stdout
    # What was built and computed for the tests serves the command line, too.
    document = json.loads(run(repository, "edgemcu", "verify", "--json").stdout)
    assert document["passed"] and document["figures"]["accuracy"] > 0.9
    assert document["target"] == "qemu"


def test_a_baseline_as_the_readme_has_it(repository: Path) -> None:
    host = ("edgemcu", "verify", "--on", "host")
    run(repository, *host, "--save-baseline")
    again = json.loads(run(repository, *host, "--json").stdout)
    assert again["comparison"]["baseline"].endswith("edgemcu-baseline.json")
    assert again["comparison"]["answers"] == []


def test_the_photos_are_drawn_by_the_script(repository: Path) -> None:
    committed = sorted((EXAMPLE / "photos" / "test").rglob("*.jpg"))
    assert len(committed) == 36
    run(repository, "make_photos", "test", "12")
    run(repository, "make_photos", "train", "2")
    drawn = sorted((repository / "photos").rglob("*.jpg"))
    assert len(drawn) == 36 + 6
    assert (EXAMPLE / "model.tflite").stat().st_size < 100_000


def test_the_workflow_calls_verbs_and_options_that_exist() -> None:
    text = WORKFLOW.read_text()
    calls = re.findall(r"\bedgemcu +([a-z]+)((?: +--?[^\n&|]*)?)", text)
    assert len(calls) >= 4
    for verb, rest in calls:
        command = main.commands[verb]
        known = {option for parameter in command.params for option in parameter.opts}
        words = shlex.split(rest.replace("${{", "").replace("}}", ""))
        options = {word for word in words if word.startswith("--")}
        assert isinstance(command, click.Command)
        assert options <= known, f"{verb}: {options - known}"
    assert "--edgemcu-require" in text, "in CI a missing emulator must not be a skip"
    assert "\t" not in text
