"""Libraries that a project asks for are looked for before PlatformIO waits for them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgemcu.errors import ToolMissingError
from edgemcu.platformio.dependencies import require_libraries

# Nothing listens on port 1 of this computer: refused at once.
UNREACHABLE = "https://127.0.0.1:1/nobody/nothing.git"


def project(folder: Path, *lib_deps: str) -> Path:
    lines = "".join(f"    {dependency}\n" for dependency in lib_deps)
    (folder / "platformio.ini").write_text(
        f"[env:board]\nplatform = p\nbuild_flags =\n    -O2\nlib_deps =\n{lines}"
        "[env:board-sanitize]\nextends = env:board\n"
    )
    return folder


def test_no_libraries(tmp_path: Path) -> None:
    (tmp_path / "platformio.ini").write_text("[env:board]\nplatform = p\n")
    require_libraries(tmp_path, "board")


def test_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "a library").mkdir()
    absolute = f"symlink://{tmp_path}/a library"
    require_libraries(project(tmp_path, absolute, "file://a%20library"), "board")


@pytest.mark.parametrize("environment", ["board", "board-sanitize"])
def test_a_folder_that_is_not(tmp_path: Path, environment: str) -> None:
    with pytest.raises(ToolMissingError) as error:
        require_libraries(project(tmp_path, "symlink:///no/such/folder"), environment)
    assert error.value.where == "/no/such/folder"
    assert "[tflm] library" in str(error.value)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_repository_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match="cannot be reached"):
        require_libraries(project(tmp_path, f"{UNREACHABLE}#abc"), "board")


def test_a_repository_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match="git is not installed"):
        require_libraries(project(tmp_path, UNREACHABLE), "board")


@pytest.mark.parametrize("prefix", ["", "git+"])
def test_what_is_installed_is_not_asked_for(tmp_path: Path, prefix: str) -> None:
    record = tmp_path / ".pio/libdeps/board/nothing/.piopm"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"spec": {"uri": f"{prefix}{UNREACHABLE}#abc"}}))
    require_libraries(project(tmp_path, f"{UNREACHABLE}#abc"), "board")
    if shutil.which("git"):
        with pytest.raises(ToolMissingError):
            require_libraries(project(tmp_path, f"{UNREACHABLE}#def"), "board")


def test_the_registry_is_left_to_platformio(tmp_path: Path) -> None:
    require_libraries(project(tmp_path, "somebody/Some Library@^1.0.0"), "board")
