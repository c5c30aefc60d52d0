"""What can be checked about the documentation without running it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from edgemcu.boards import list_boards
from edgemcu.cli.main import main
from edgemcu.project import ProjectFile
from tests.docs.pages import ROOT, anchors, links, name_of, pages, shell_blocks

# The default first, the emulated ones by core.
BOARDS_IN_ORDER = [
    "esp32s3",
    "esp32s3-psram",
    "esp32s3-n8r2",
    "esp32s3-n16r8",
    "esp32s3-eye",
    "esp32s3-cam",
    "xiao-esp32s3-sense",
    "stm32f405",
    "feather-stm32f405",
    "blackpill-f411ce",
    "nucleo-f446re",
    "disco-f746ng",
    "nucleo-h743zi",
    "nucleo-l4r5zi",
    "b-l475e-iot01a",
    "mps2-an386",
    "mps2-an500",
    "mps3-an547",
    "host",
]

EACH_PAGE = pytest.mark.parametrize("page", pages(), ids=name_of)


@EACH_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            assert link.startswith("https://"), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


def test_every_page_can_be_found_from_the_readme() -> None:
    seen: set[Path] = set()
    front = [ROOT / "README.md"]
    while front:
        page = front.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = (link.partition("#")[0] for link in links(page) if ":" not in link)
        front += [(page.parent / target).resolve() for target in targets if target]
    assert set(pages()) <= seen


@EACH_PAGE
def test_shell_blocks_call_verbs_and_options_that_exist(page: Path) -> None:
    for block in shell_blocks(page):
        for line in re.findall(r"\bedgemcu +([a-z].*)", block.text):
            words = line.split("#")[0].split()
            command = main.commands.get(words[0])
            assert command is not None, f"edgemcu {words[0]}"
            known = {option for parameter in command.params for option in parameter.opts}
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= known | {"--help"}, line


def test_the_readme_lists_every_verb_and_every_board() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| `([a-z0-9-]+)`", readme, re.MULTILINE)
    assert sorted(BOARDS_IN_ORDER) == sorted(board.name for board in list_boards())
    assert first_cells == [*main.list_commands(click.Context(main)), *BOARDS_IN_ORDER]


def _documented_keys() -> dict[str, dict[str, str]]:
    """Per table of project-file.md: key → default as written there."""
    tables: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in (ROOT / "docs" / "project-file.md").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"## `\[(\w+)\]`", line):
            current = tables.setdefault(heading[1], {})
        elif row := re.fullmatch(r"\| `(\w+)` \| (.+?) \| .+ \|", line):
            current[row[1]] = row[2].strip("`")
    return tables


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return f"[{', '.join(map(_shown, default))}]"
    return f'"{default}"' if isinstance(default, str) else str(default)


def test_the_project_file_is_documented_key_by_key() -> None:
    documented = _documented_keys()
    assert set(documented) == set(ProjectFile.model_fields)
    for table, field in ProjectFile.model_fields.items():
        schema = field.annotation
        assert isinstance(schema, type)
        assert issubclass(schema, BaseModel)
        assert set(documented[table]) == set(schema.model_fields), f"[{table}]"
        for key, setting in schema.model_fields.items():
            written = documented[table][key]
            if setting.default is PydanticUndefined:
                assert written == "required", f"{table}.{key}"
            elif setting.default is None:
                assert type(None) in get_args(setting.annotation)
                assert not re.match(r'["\d]', written), f"{table}.{key}"
            else:
                assert written == _shown(setting.default), f"{table}.{key}"
