"""Package managers as sources: stand-ins on PATH that behave and misbehave."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from edgemcu.console import QUIET
from edgemcu.data import packages
from edgemcu.data.download import RemoteFile
from edgemcu.data.packages import configured_registry, debian_package, npm_pack
from edgemcu.errors import DownloadError

CONTENT = b"a package"
FILE = RemoteFile("thing-1.0.0.tgz", len(CONTENT), "sha256", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def fetch(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir(exist_ok=True)
    return npm_pack("thing", "1.0.0", FILE, folder, QUIET)


def test_npm_brings_the_package(tmp_path: Path, programs: Path) -> None:
    program(
        programs,
        "npm",
        "import os, sys, pathlib\n"
        "assert sys.argv[1:3] == ['pack', 'thing@1.0.0'] and '--ignore-scripts' in sys.argv\n"
        "assert os.environ['npm_config_cache'].startswith(os.getcwd())\n"
        f"pathlib.Path('thing-1.0.0.tgz').write_bytes({CONTENT!r})\n",
    )
    path = fetch(tmp_path)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["thing-1.0.0.tgz"]


def test_without_npm_that_is_the_reason(tmp_path: Path, programs: Path) -> None:
    with pytest.raises(DownloadError, match="npm is not installed"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; print('npm error code E404'); sys.exit(1)", "E404"),
        ("import sys; sys.exit(3)", "npm failed"),
        ("pass", "brought no package"),
        ("open('other.tgz', 'w').write('something else')", "sha256"),
    ],
)
def test_failures_of_npm_are_told(tmp_path: Path, programs: Path, text: str, reason: str) -> None:
    program(programs, "npm", text)
    with pytest.raises(DownloadError, match=reason):
        fetch(tmp_path)
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_stalled_npm_is_ended_with_its_children(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "STALL_S", 0.5)
    pid_file = tmp_path / "pid"
    program(
        programs,
        "npm",
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "child.wait()\n",
    )
    with pytest.raises(DownloadError, match="stalled"):
        fetch(tmp_path)
    if pid_file.exists():
        assert ends_within(int(pid_file.read_text()), seconds=10)


def ends_within(pid: int, seconds: float) -> bool:
    """Whether a process goes away, or waits to be collected by init, before a generous deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_the_registry_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() == "npm_config_registry":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".npmrc").write_text("; a comment\nregistry = http://localhost:1/npm/\n")
    assert configured_registry() == "http://localhost:1/npm/"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://localhost:2")
    assert configured_registry() == "http://localhost:2"


def test_debian_packages_need_apt(tmp_path: Path, programs: Path) -> None:
    with pytest.raises(DownloadError, match="no Debian"):
        debian_package("thing", tmp_path / "work", 10, QUIET)


def test_debian_packages_are_unpacked_elsewhere(tmp_path: Path, programs: Path) -> None:
    program(programs, "apt-get", "open('thing_1_all.deb', 'w').write('deb')\n")
    program(
        programs,
        "dpkg-deb",
        "import pathlib, sys\n"
        "root = pathlib.Path(sys.argv[3]); root.mkdir()\n"
        "(root / 'usr').write_text('unpacked')\n",
    )
    root = debian_package("thing", tmp_path / "work", 10, QUIET)
    assert (root / "usr").read_text() == "unpacked"


def test_an_unknown_debian_package_is_told_in_its_words(tmp_path: Path, programs: Path) -> None:
    program(programs, "dpkg-deb", "")
    program(
        programs,
        "apt-get",
        "import sys; print('E: Unable to locate package thing'); sys.exit(100)",
    )
    with pytest.raises(DownloadError, match="Unable to locate package thing"):
        debian_package("thing", tmp_path / "work", 10, QUIET)
