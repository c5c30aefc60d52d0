"""Generated projects: the same text every time, only what the board needs, and valid C."""

from __future__ import annotations

import configparser
import json
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from edgemcu.boards import Board, list_boards, load_board
from edgemcu.errors import DoesNotFitError
from edgemcu.firmware.assemble import IMAGE_HEADER, assemble, image_digest
from edgemcu.firmware.esp_idf import COMPONENT_TEMPLATES
from edgemcu.firmware.fit import Needs, check_fit
from edgemcu.firmware.parts import templates
from edgemcu.firmware.templates import TEMPLATE_SUFFIX, source
from edgemcu.project import Source
from edgemcu.shipped import shipped
from tests.support.firmware import APP, stand_in, write_stand_in

GOLDEN = Path(__file__).parent.parent / "golden"
BOARDS = [board.name for board in list_boards()]
# The others are compiled in test_esp_idf.py, against an SDK's declarations.
STANDALONE = [board.name for board in list_boards() if board.platformio.framework is None]
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]


def project(name: str) -> dict[str, str]:
    return assemble(load_board(name), stand_in(), APP)


@pytest.mark.parametrize("name", BOARDS)
def test_golden(name: str, update_golden: bool) -> None:
    """What is rendered; what is copied is in the repository already."""
    copied = {
        path
        for path, template in templates(load_board(name)).items()
        if not template.endswith(TEMPLATE_SUFFIX)
    }
    text = "".join(
        f"======== {path}\n{text}"
        for path, text in project(name).items()
        # A digest of all the rest would change with every line of the sketch.
        if path not in copied and path != IMAGE_HEADER and not path.startswith("lib/")
    )
    golden = GOLDEN / f"{name}.txt"
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text(), "if this is intended: pytest --update-golden"


@pytest.mark.parametrize("name", BOARDS)
def test_two_runs_give_the_same_bytes(name: str) -> None:
    assert list(project(name).items()) == list(project(name).items())


def test_the_image_is_named_by_all_that_is_compiled() -> None:
    files = project("stm32f405")
    image = image_digest(files)
    assert f'#define EDGEMCU_IMAGE "{image}"' in files[IMAGE_HEADER]
    for name in files:
        other = {**files, name: files[name] + "\n"}
        same = name in (IMAGE_HEADER, "README.md", ".gitignore") or name.startswith("renode/")
        assert (image_digest(other) == image) is same, name
    assert image_digest(dict(reversed(files.items()))) == image


@pytest.mark.parametrize("name", BOARDS)
def test_text_is_tidy(name: str) -> None:
    copied = {
        path for path, template in templates(load_board(name)).items() if "sketch" in template
    }
    for path, text in project(name).items():
        if path in copied or path.startswith("lib/"):
            continue
        assert text.endswith("\n") and not text.endswith("\n\n"), path
        assert "\n\n\n" not in text or path.endswith(".py"), path
        assert "\t" not in text and "\r" not in text, path
        assert all(line == line.rstrip() for line in text.splitlines()), path
        assert "{{" not in text and "{%" not in text, path


def test_only_what_the_board_needs() -> None:
    host, stm32, mps2 = (set(project(name)) for name in ("host", "stm32f405", "mps2-an386"))
    assert not {"src/startup.c", "src/ring.h", "include/board.h"} & host
    assert "src/clock.c" in stm32 - mps2
    assert "platform/platform.json" in mps2 - stm32
    assert not any(path.startswith(("linker/", "boards/", "platform/")) for path in host)


def test_every_driver_file_is_used_by_a_board_and_every_other_file_too() -> None:
    used = {
        name
        for board in list_boards()
        for origin in get_args(Source)
        for name in templates(board, origin).values()
    }
    used |= {"project/README.md.jinja", "project/edgemcu_image.h.jinja", *COMPONENT_TEMPLATES}
    used |= {"project/esp-idf/src.cmake.jinja"}
    folder = shipped("firmware_templates")
    there = {
        path.relative_to(folder).as_posix()
        for part in ("project", "sketch")
        for path in (folder / part).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there == used


@pytest.mark.parametrize("name", BOARDS)
def test_platformio_ini_names_what_the_board_says(name: str) -> None:
    board, files = load_board(name), project(name)
    ini = configparser.ConfigParser(interpolation=None, strict=True)
    ini.read_string(files["platformio.ini"])
    section = ini[f"env:{name}"]
    assert section["platform"] == board.platformio.platform
    if board.platformio.board is not None and board.platformio.board.id is not None:
        assert section["board"] == board.platformio.board.id
        assert not any(path.startswith("boards/") for path in files)
    elif board.platformio.board is not None:
        manifest = json.loads(files[f"boards/{name}.json"])
        assert manifest["upload"]["maximum_size"] == board.flash_bytes
        assert f"{board.name}.ld" in section["board_build.ldscript"]
    for variant in board.platformio.variants:
        assert ini[f"env:{name}-{variant}"]["extends"] == f"env:{name}"


def compilers(board: Board) -> list[list[str]]:
    if board.hosted:
        return [[name] for name in ("gcc", "clang") if shutil.which(name)]
    gcc = shutil.which(board.core.compiler)
    if gcc is None:
        return []
    found = [[gcc, *board.core.flags]]
    if shutil.which("clang"):
        target = ["--target=arm-none-eabi", *board.core.flags]
        found.append(["clang", *target, "-isystem", newlib(gcc)])
    return found


def newlib(gcc: str) -> str:
    """Where the cross compiler's C library has its headers."""
    said = subprocess.run(
        [gcc, "-E", "-v", "-x", "c", "/dev/null"], capture_output=True, text=True, check=True
    ).stderr
    folders = [line.strip() for line in said.splitlines() if line.startswith(" /")]
    return next(folder for folder in folders if Path(folder, "string.h").is_file())


@pytest.mark.parametrize("name", STANDALONE)
def test_the_sketch_compiles_without_a_warning(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    write_stand_in(board, tmp_path)
    if not (commands := compilers(board)):
        pytest.skip(f"{board.core.compiler} is not installed")
    files = sorted(tmp_path.glob("src/*.c"))
    include = [f"-I{tmp_path / folder}" for folder in ("include", "src", "lib/edgemcu_model")]
    for command in commands:
        done = subprocess.run([*command, *WARNINGS, *include, *files], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def own_board(tmp_path: Path, old: str, new: str, name: str = "stm32f405") -> Board:
    text = (shipped("boards") / f"{name}.toml").read_text()
    assert old in text
    (tmp_path / "boards").mkdir()
    (tmp_path / f"boards/{name}.toml").write_text(text.replace(old, new))
    return load_board(name, tmp_path)


# The oscillator's factors, and those of a crystal for the same clock.
CRYSTALS = {
    "stm32f405": ("16_000_000\nm = 8", "8_000_000\nm = 4"),
    "disco-f746ng": ("16_000_000\nm = 8\nn = 216", "25_000_000\nm = 25\nn = 432"),
    "nucleo-h743zi": ("64_000_000\nm = 8", "8_000_000\nm = 1"),
    "nucleo-l4r5zi": ("16_000_000\nm = 2", "8_000_000\nm = 1"),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_crystal_is_waited_for_where_there_is_one(name: str, tmp_path: Path) -> None:
    oscillator, crystal = (f"source_hz = {factors}" for factors in CRYSTALS[name])
    hsi, hse = (f'source = "{source}"\n' for source in ("hsi", "hse"))
    board = own_board(tmp_path, hsi + oscillator, hse + crystal, name)
    assert board.clock_hz == load_board(name).clock_hz
    folder = write_stand_in(board, tmp_path / "project")
    assert "CR_HSERDY" in (folder / "src/clock.c").read_text()
    assert "CR_HSERDY" not in project(name)["src/clock.c"]
    for command in compilers(board):
        include = [f"-I{folder / 'include'}", f"-I{folder / 'src'}"]
        subprocess.run([*command, *WARNINGS, *include, folder / "src/clock.c"], check=True)


def test_weights_and_activations_can_lie_in_memories_of_their_own(tmp_path: Path) -> None:
    board = own_board(
        tmp_path,
        'holds = ["data", "arena", "stack"]\n',
        'holds = ["data", "stack"]\n\n[[memory]]\nname = "ccm"\norigin = 0x10000000\n'
        'size = "64 KiB"\nholds = ["arena"]\n',
    )
    script = assemble(board, stand_in(), APP)["linker/stm32f405.ld"]
    assert "} > CCM" in script
    assert "linker_arena_start" in assemble(board, stand_in(), APP)["src/startup.c"]


# ---- What cannot fit -------------------------------------------------------------------------


def test_a_model_that_fits_is_let_through() -> None:
    check_fit(Needs(arena=100_000, weights=900_000), load_board("stm32f405"))
    check_fit(Needs(arena=10**9, weights=10**9), load_board("host"))


def test_too_much_ram_is_refused_with_numbers_and_alternatives() -> None:
    with pytest.raises(DoesNotFitError) as error:
        check_fit(Needs(arena=200_000, weights=1000), load_board("stm32f405"), list_boards())
    message = str(error.value)
    assert "ram needs at least 213312 bytes" in message
    assert "131072" in message
    fitting = message.split("it would fit on: ")[1].split(";")[0].split(", ")
    assert {"host", "mps2-an386", "mps2-an500", "mps3-an547"} <= set(fitting)
    assert "stm32f405" not in fitting


def test_too_much_flash_is_refused() -> None:
    with pytest.raises(DoesNotFitError, match="flash needs at least 2012288 bytes"):
        check_fit(Needs(arena=1000, weights=2_000_000), load_board("stm32f405"))


def test_a_memory_without_room_left_is_no_negative_number() -> None:
    with pytest.raises(DoesNotFitError, match="0 bytes of weights"):
        check_fit(Needs(arena=10**7, weights=10**7, code=1 << 20), load_board("stm32f405"))


def test_copied_files_are_byte_for_byte() -> None:
    assert project("host")["src/frame.c"] == source("sketch/frame.c")


@pytest.mark.parametrize("name", BOARDS)
def test_platformio_finds_nothing_wrong_with_its_configuration(name: str, tmp_path: Path) -> None:
    """What `pio project config --lint` says, asked in this process."""
    from platformio.project.config import ProjectConfig

    (tmp_path / "platformio.ini").write_text(project(name)["platformio.ini"])
    said = ProjectConfig.lint(str(tmp_path / "platformio.ini"))
    assert said == {"errors": [], "warnings": []}


def test_that_check_of_the_configuration_can_fail(tmp_path: Path) -> None:
    from platformio.project.config import ProjectConfig

    text = project("stm32f405")["platformio.ini"].replace("monitor_speed", "monitor_sped")
    (tmp_path / "platformio.ini").write_text(text)
    assert ProjectConfig.lint(str(tmp_path / "platformio.ini"))["warnings"]
