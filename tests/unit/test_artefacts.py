"""Nothing is written in place, and a step is skipped only if inputs and artefacts are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgemcu.artefacts import MANIFEST, StepFolder, write_bytes, write_if_changed

INPUTS = {"dataset": "abc", "seed": 1}


@pytest.fixture
def step(tmp_path: Path) -> StepFolder:
    folder = StepFolder(tmp_path / "build" / "step", "step")
    with folder.rewriting(INPUTS) as staged:
        (staged.path / "sub").mkdir()
        (staged.path / "sub" / "model.bin").write_bytes(b"first")
        staged.result = {"accuracy": 0.5}
    return folder


def test_the_same_inputs_give_the_recorded_result(step: StepFolder) -> None:
    assert step.result(INPUTS) == {"accuracy": 0.5}


def test_other_inputs_do_not(step: StepFolder) -> None:
    assert step.result({**INPUTS, "seed": 2}) is None


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_touched_artefact_is_noticed(step: StepFolder, damage: str) -> None:
    artefact = step.path / "sub" / "model.bin"
    artefact.unlink() if damage == "remove" else artefact.write_bytes(b"other")
    assert step.result(INPUTS) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"step": "step"}', "nonsense"])
def test_a_broken_manifest_means_do_it_again(step: StepFolder, text: str) -> None:
    (step.path / MANIFEST).write_text(text)
    assert step.result(INPUTS) is None


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_step_leaves_the_old_artefacts(
    step: StepFolder, problem: type[BaseException]
) -> None:
    with pytest.raises(problem), step.rewriting({"seed": 3}) as staged:
        (staged.path / "half").write_bytes(b"half")
        raise problem
    assert step.result(INPUTS) == {"accuracy": 0.5}
    assert [path.name for path in step.path.parent.iterdir()] == ["step"]


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    write_bytes(target, b"old")

    def fail(self: Path, other: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_unchanged_files_keep_their_time(tmp_path: Path) -> None:
    target = tmp_path / "file"
    assert write_if_changed(target, b"same")
    before = target.stat().st_mtime_ns
    assert not write_if_changed(target, b"same")
    assert target.stat().st_mtime_ns == before
    assert write_if_changed(target, b"other")
