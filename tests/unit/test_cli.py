"""The command line: help with examples, results on stdout, errors that say what to do next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgemcu import __version__
from edgemcu.cli.main import ORDER, main

VERBS_WITH_JSON = sorted(set(ORDER) - {"completion"})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("verb", ORDER)
def test_each_verb_explains_itself_with_an_example(verb: str) -> None:
    result = run(verb, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"edgemcu {verb}" in result.output


@pytest.mark.parametrize("verb", VERBS_WITH_JSON)
def test_each_verb_speaks_json(verb: str) -> None:
    assert "--json" in run(verb, "--help").output


def test_every_verb_is_listed_in_the_order_of_use() -> None:
    listed = [
        line.split()[0]
        for line in run("--help").output.split("Commands:")[1].splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    ]
    assert listed[: len(ORDER)] == list(ORDER)
    assert set(ORDER) == set(main.commands)


def test_version() -> None:
    assert __version__ in run("--version").output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    assert "_EDGEMCU_COMPLETE" in run("completion", shell).output


def test_boards_as_json_hold_the_limits() -> None:
    boards = {
        board["name"]: board for board in json.loads(run("boards", "--json").stdout)["boards"]
    }
    assert boards["stm32f405"]["ram_bytes"] == 128 * 1024
    assert boards["host"]["flash_bytes"] is None


def test_boards_as_a_table() -> None:
    result = run("boards")
    assert "netduinoplus2" in result.stdout
    assert "\x1b[" not in result.stdout


def test_a_projects_own_broken_board_is_explained(tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "mine.toml").write_text('name = "mine"\n')
    result = run("boards", "--project", str(tmp_path))
    assert result.exit_code == 1
    assert "mine.toml" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("dataset",),
        ("train",),
        ("quantize",),
        ("run",),
        ("generate",),
        ("build",),
    ],
)
def test_without_a_project_a_hint(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--project", str(tmp_path))
    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert "hint: create one with `edgemcu init DIRECTORY`" in result.stderr
    assert result.stdout == ""


def test_an_error_as_json_is_one_document(tmp_path: Path) -> None:
    result = run("inspect", str(tmp_path / "none.tflite"), "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "ModelError"
    assert "none.tflite" in error["where"]


def test_what_an_error_quotes_cannot_steer_the_terminal(tmp_path: Path) -> None:
    project = tmp_path / "edgemcu.toml"
    project.write_text('[dataset]\nsource = "cifar10"\n"\\u001b]0;title\\u0007" = 1\n')
    result = CliRunner().invoke(main, ["build", "--project", str(project)], color=True)
    assert result.exit_code == 1
    assert "dataset.\\x1b]0;title\\x07: unknown key" in result.stderr
    assert "\x1b]0" not in result.stderr


@pytest.mark.parametrize("port", ["socket://host", "socket://[", "socket://h:99999", "loop://"])
def test_what_is_no_port_is_an_error(port: str) -> None:
    result = run("monitor", "--port", port)
    assert result.exit_code == 1
    assert f"error: --port: {port!r} is no target" in result.stderr


def test_an_unknown_board_is_guessed(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"")
    result = run("run", "--model", str(model), "--board", "stm32f45", "--out", str(tmp_path / "o"))
    assert result.exit_code == 1
    assert "did you mean 'stm32f405'?" in result.stderr


def test_generate_before_there_is_a_model_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "edgemcu.toml").write_text('[dataset]\nsource = "cifar10"\n')
    result = run("generate", "--project", str(tmp_path))
    assert result.exit_code == 1
    assert "edgemcu quantize" in result.stderr


def test_images_and_inputs_exclude_each_other(tmp_path: Path) -> None:
    result = run("run", "--model", "x.tflite", "--images", "3", "--inputs", "random:3")
    assert result.exit_code == 1
    assert "exclude each other" in result.stderr


def test_a_model_that_was_brought_along_is_not_trained(tmp_path: Path) -> None:
    result = run("run", "--model", "x.tflite", "--epochs", "3")
    assert result.exit_code == 1
    assert "not trained here" in result.stderr


def test_init_without_photos_or_a_terminal_is_a_usage_error(tmp_path: Path) -> None:
    result = run("init", str(tmp_path / "new"))
    assert result.exit_code == 2
    assert "--photos" in result.output
    assert not (tmp_path / "new").exists()


def test_init_writes_a_project_that_loads(tmp_path: Path) -> None:
    from edgemcu.project import load_project

    result = run("init", str(tmp_path / "pets"), "--photos", "cifar10", "--classes", "cat, dog")
    assert result.exit_code == 0, result.output
    assert load_project(tmp_path / "pets").file.dataset.classes == ("cat", "dog")


@pytest.mark.parametrize("problem", [KeyboardInterrupt])
def test_ctrl_c_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, problem: type[BaseException]
) -> None:
    def interrupted() -> None:
        raise problem

    monkeypatch.setattr("edgemcu.steps.doctor.diagnose", interrupted)
    result = run("doctor")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
