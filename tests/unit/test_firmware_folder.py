"""A generated project's folder: incremental, tidy, and careful with what people changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgemcu.errors import ProjectError
from edgemcu.firmware import folder as folder_module
from edgemcu.firmware.folder import RECORD, write_project


def test_only_changes_are_written(tmp_path: Path) -> None:
    out = tmp_path / "project"
    assert write_project(out, {"src/a.c": "1", "b.h": "2"}) == 2
    before = (out / "src/a.c").stat().st_mtime_ns
    assert write_project(out, {"src/a.c": "1", "b.h": "3"}) == 1
    assert (out / "src/a.c").stat().st_mtime_ns == before
    assert (out / "b.h").read_text() == "3"


def test_stale_files_and_empty_folders_go_and_others_stay(tmp_path: Path) -> None:
    write_project(tmp_path, {"src/deep/a.c": "1", "b.h": "2"})
    (tmp_path / ".pio").mkdir()
    (tmp_path / ".pio/object").write_text("x")
    assert write_project(tmp_path, {"b.h": "2"}) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [RECORD, ".pio", "b.h"]


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ProjectError, match="not made by edgemcu"):
        write_project(tmp_path, {"a": "1"})
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_edits_are_refused_and_force_overwrites(tmp_path: Path) -> None:
    write_project(tmp_path, {"a.c": "1", "b.c": "2"})
    (tmp_path / "a.c").write_text("mine")
    with pytest.raises(ProjectError, match=r"edited by hand: a\.c"):
        write_project(tmp_path, {"a.c": "new", "b.c": "new"})
    assert (tmp_path / "b.c").read_text() == "2"
    write_project(tmp_path, {"a.c": "new", "b.c": "new"}, force=True)
    assert (tmp_path / "a.c").read_text() == "new"


def test_an_edited_file_that_would_go_is_refused_too(tmp_path: Path) -> None:
    write_project(tmp_path, {"a.c": "1", "b.c": "2"})
    (tmp_path / "a.c").write_text("mine")
    with pytest.raises(ProjectError, match="edited"):
        write_project(tmp_path, {"b.c": "2"})
    assert (tmp_path / "a.c").read_text() == "mine"


def test_an_interrupted_write_is_not_taken_for_an_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, {"a.c": "1", "b.c": "1"})
    real, calls = folder_module.write_if_changed, []

    def interrupted(path: Path, data: bytes) -> bool:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(path, data)

    monkeypatch.setattr(folder_module, "write_if_changed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_project(tmp_path, {"a.c": "2", "b.c": "2"})
    monkeypatch.undo()
    write_project(tmp_path, {"a.c": "3", "b.c": "3"})
    assert [(tmp_path / n).read_text() for n in ("a.c", "b.c")] == ["3", "3"]


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_damaged_record_touches_nothing_outside(tmp_path: Path, name: str) -> None:
    out, outside = tmp_path / "project", tmp_path / "outside"
    write_project(out, {"a.c": "1"})
    outside.write_text("x")
    record = json.loads((out / RECORD).read_text())
    record["files"][name] = [folder_module.sha256_bytes(b"x")]
    (out / RECORD).write_text(json.dumps(record))
    write_project(out, {"a.c": "2"})
    assert outside.read_text() == "x"
