"""`edgemcu boards`: the list, one board in detail, and the check of data files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgemcu.boards import list_boards, load_board
from edgemcu.cli.main import main
from edgemcu.firmware.fit import Needs, check_fit
from edgemcu.shipped import shipped
from edgemcu.steps.boards import check_boards, describe_boards

GCC = shutil.which("arm-none-eabi-gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="arm-none-eabi-gcc is not installed")


def own(folder: Path, old: str, new: str, name: str = "stm32f405") -> Path:
    text = (shipped("boards") / f"{name}.toml").read_text()
    assert old in text
    file = folder / f"{name}.toml"
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.slow
def test_all_boards_that_ship_are_right() -> None:
    result = check_boards()
    assert [board.problem for board in result.boards] == [None] * len(list_boards())
    assert result.exit_code == 0
    for board in result.boards:
        assert board.generated > 20
        assert board.compiled is None or board.compiled > 10
        assert (board.compiled is None) == bool(board.not_compiled)
    if GCC is not None:
        compiled = {board.name for board in result.boards if board.compiled}
        cores = {board.name for board in list_boards() if board.core.name.startswith("cortex")}
        assert cores <= compiled


def test_a_file_against_the_schema_is_named(tmp_path: Path) -> None:
    file = own(tmp_path, "irq = 37", "irq = 99")
    result = check_boards([file])
    assert result.exit_code == 1
    assert "serial.irq" in (result.boards[0].problem or "")


@needs_gcc
def test_a_board_whose_project_does_not_compile_is_wrong(tmp_path: Path) -> None:
    file = own(tmp_path, '"-mfpu=fpv4-sp-d16"', '"-mfoo=1"')
    problem = check_boards([file]).boards[0].problem
    assert problem is not None
    assert "does not compile" in problem and "-mfoo=1" in problem


@needs_gcc
def test_a_flash_that_is_too_small_is_wrong(tmp_path: Path) -> None:
    problem = check_boards([own(tmp_path, '"1 MiB"', '"4 KiB"')]).boards[0].problem
    assert problem is not None and "overflowed" in problem


def test_an_unknown_set_of_kernels_is_wrong(tmp_path: Path) -> None:
    file = own(tmp_path, 'compiled = "cortex-m4"', 'compiled = "cortex-m9"')
    problem = check_boards([file]).boards[0].problem
    assert problem is not None and "cortex-m9" in problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = check_boards([tmp_path / "no.toml"])
    assert result.exit_code == 1 and result.boards[0].problem


def test_what_a_board_can_hold_fits_it_and_a_byte_more_does_not() -> None:
    for entry in describe_boards().boards:
        if entry.board.hosted:
            continue
        weights, arena = entry.weights_bytes, entry.arena_bytes
        assert weights is not None and arena is not None
        check_fit(Needs(arena=0, weights=weights), entry.board)
        check_fit(Needs(arena=arena, weights=0), entry.board)
        for more in (Needs(arena=0, weights=weights + 1), Needs(arena=arena + 1, weights=0)):
            with pytest.raises(Exception, match="too large"):
                check_fit(more, entry.board)


def test_the_command_lists_describes_and_checks(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listing = run(main, ["boards"])
    assert listing.exit_code == 0
    assert all(board.name in listing.output for board in list_boards())
    detail = run(main, ["boards", "nucleo-h743zi"])
    assert detail.exit_code == 0
    assert "0483:374b" in detail.output and "0x24000000, arena" in detail.output
    facts = json.loads(run(main, ["boards", "nucleo-h743zi", "--json"]).output)
    assert facts["boards"][0]["room"]["arena_bytes"] == 512 << 10
    file = own(tmp_path, "irq = 37", "irq = 99")
    checked = run(main, ["boards", "--check", str(file), "--json", "--quiet"])
    assert checked.exit_code == 1
    assert json.loads(checked.output)["ok"] is False
    assert run(main, ["boards", "a", "b"]).exit_code == 2


def test_a_project_s_own_board_is_checked_by_name(tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    file = own(tmp_path, 'name = "stm32f405"', 'name = "mine"')
    file.rename(tmp_path / "boards/mine.toml")
    result = check_boards(["mine"], project_directory=tmp_path)
    assert result.boards[0].problem is None
    assert load_board("mine", tmp_path).name == "mine"


def test_a_board_s_file_is_printed_to_begin_another_with() -> None:
    run = CliRunner().invoke
    printed = run(main, ["boards", "stm32f405", "--toml"])
    assert printed.output == (shipped("boards") / "stm32f405.toml").read_text()
    assert run(main, ["boards", "--toml"]).exit_code == 2
