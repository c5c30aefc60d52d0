"""tools/setup.sh, with stand-ins for Python, apt and the tools: what it installs, and when."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "gcc", "g++", "clang", "npm")
NEEDED = (
    *("sh", "env", "cat", "cksum", "dirname", "id", "mktemp", "mkdir", "mv", "rm", "sed", "cp"),
    *("chmod", "touch", "printf"),
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")

# Makes environments that hold itself, and writes down what it is asked for.
PYTHON = """\
echo "python $*" >> "$LOG"
case "$*" in
*ensurepip*) [ -z "${NO_ENSUREPIP-}" ] ;;
"-m venv"*) mkdir -p .venv/bin; cp "$SELF" .venv/bin/python ;;
"-m virtualenv"* | "-m pip --version") [ -z "${NO_ENSUREPIP-}" ] ;;
*"pip install"*) [ -z "${PIP_FAILS-}" ] ;;
--version) echo "Python 3.11.2" ;;
esac
"""


class Checkout:
    """A folder with setup.sh and a PATH of nothing but stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a checkout"
        self.bin = folder / "bin"
        self.log = folder / "log"
        self.bin.mkdir()
        (self.folder / "tools").mkdir(parents=True)
        (self.folder / "edgemcu").mkdir()
        shutil.copy(ROOT / "tools" / "setup.sh", self.folder / "tools")
        (self.folder / "pyproject.toml").write_text("[project]\n")
        (self.folder / "edgemcu" / "_version.py").write_text("")
        for name in NEEDED:
            if (real := shutil.which(name)) is not None:
                (self.bin / name).symlink_to(real)
        for name in TOOLS:
            self.program(name, "exit 0")
        self.program("arm-none-eabi-gcc", "echo /usr/lib/nano.specs")
        self.program("python3", PYTHON)

    def program(self, name: str, script: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def setup(self, level: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            ["/bin/sh", str(self.folder / "tools" / "setup.sh"), level],
            env={
                "PATH": str(self.bin),
                "LOG": str(self.log),
                "SELF": str(self.bin / "python3"),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> str:
        return self.log.read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_installs_once(checkout: Checkout) -> None:
    first = checkout.setup()
    assert first.returncode == 0, first.stderr
    assert "--editable .[train]" in checkout.calls
    second = checkout.setup()
    assert second.returncode == 0
    assert second.stderr == ""
    assert "pip" not in checkout.calls


def test_dev_holds_all_that_run_does_but_not_the_other_way(checkout: Checkout) -> None:
    checkout.setup("run")
    checkout.setup("dev")
    assert "--editable .[train,dev]" in checkout.calls
    checkout.setup("run")
    assert "pip" not in checkout.calls


def test_a_distribution_without_tools_for_xtensa_is_no_failure(checkout: Checkout) -> None:
    """Only `dev` asks for them, once, and goes on without."""
    checkout.program(
        "apt-get", 'echo "apt-get $*" >> "$LOG"; case "$*" in *xtensa*) exit 100 ;; esac'
    )
    checkout.program("id", "echo 0")
    assert checkout.setup("run").returncode == 0
    assert "apt-get" not in checkout.calls
    done = checkout.setup("dev")
    assert done.returncode == 0, done.stderr
    assert "clang-22 llvm-22 qemu-system-misc binutils-xtensa-lx106" in checkout.calls
    assert "the tests that need them will be skipped" in done.stderr
    checkout.setup("dev")
    assert "apt-get" not in checkout.calls


def test_installs_again_when_the_requirements_change(checkout: Checkout) -> None:
    checkout.setup()
    (checkout.folder / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    checkout.setup()
    assert "pip install" in checkout.calls
    assert "-m venv" not in checkout.calls


def test_makes_the_environment_anew_when_the_checkout_was_moved(checkout: Checkout) -> None:
    checkout.setup()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    assert checkout.setup().returncode == 0
    assert "-m venv --clear .venv" in checkout.calls


def test_a_failed_installation_is_not_taken_for_done(checkout: Checkout) -> None:
    assert checkout.setup(PIP_FAILS="1").returncode == 1
    assert checkout.setup().returncode == 0
    assert "pip install" in checkout.calls


def test_without_permission_it_says_the_line_and_stops(checkout: Checkout) -> None:
    checkout.remove("arm-none-eabi-gcc", "qemu-system-arm")
    checkout.program("apt-get", 'echo "apt-get $*" >> "$LOG"')
    done = checkout.setup(EDGEMCU_APT="no", NO_ENSUREPIP="1")
    assert done.returncode == 1
    line = next(line for line in done.stderr.splitlines() if "apt-get install" in line)
    assert line.endswith("gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm python3-venv")
    assert "apt-get" not in checkout.calls
    assert not (checkout.folder / ".venv").exists()


def test_with_permission_it_installs_what_is_missing(checkout: Checkout) -> None:
    checkout.remove("qemu-system-arm")
    made = f'printf "#!/bin/sh\\n" > "{checkout.bin}/qemu-system-arm"'
    made += f'; chmod +x "{checkout.bin}/qemu-system-arm"'
    checkout.program(
        "apt-get", f'echo "apt-get $*" >> "$LOG"; case "$*" in *install*) {made};; esac'
    )
    checkout.program("id", "echo 0")
    done = checkout.setup()
    assert done.returncode == 0, done.stderr
    assert "install --no-install-recommends qemu-system-arm" in checkout.calls


def test_apt_that_brings_too_little_is_noticed(checkout: Checkout) -> None:
    checkout.remove("qemu-system-arm")
    checkout.program("apt-get", "exit 0")
    checkout.program("id", "echo 0")
    done = checkout.setup()
    assert done.returncode == 1
    assert "still missing after apt: qemu-system-arm" in done.stderr


def test_a_compiler_without_its_library_is_noticed(checkout: Checkout) -> None:
    checkout.program("arm-none-eabi-gcc", "echo nano.specs")
    done = checkout.setup(EDGEMCU_APT="no")
    assert done.returncode == 1
    assert "libnewlib-arm-none-eabi" in done.stderr
    assert "gcc-arm-none-eabi" not in done.stderr


def test_an_old_python_is_refused(checkout: Checkout) -> None:
    checkout.program("python3", "exit 1")
    done = checkout.setup()
    assert done.returncode == 1
    assert "Python 3.10 or later" in done.stderr


def test_npm_is_asked_for_only_where_photos_cannot_be_had_without(checkout: Checkout) -> None:
    checkout.remove("npm")
    assert checkout.setup().returncode == 0
    unreachable = PYTHON + '\ncase "$*" in *can_get_photos*) exit 1;; esac\n'
    checkout.program("python3", unreachable)
    shutil.copy(checkout.bin / "python3", checkout.folder / ".venv" / "bin" / "python")
    done = checkout.setup(EDGEMCU_APT="no")
    assert done.returncode == 1
    assert "npm" in done.stderr


def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    scripts = [ROOT / "tools" / "setup.sh", ROOT / ".ci" / "run"]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
