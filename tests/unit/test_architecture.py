"""The shape of the code base: layers, cycles, what is imported when, and the size of modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import edgemcu

PACKAGE = Path(edgemcu.__file__).parent

# Lower layers first. A part is a module or a folder right below edgemcu/; it may import from its
# own layer and from lower ones, and no two parts may import each other in a circle.
LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "_version errors console artefacts shipped schema",
        "preprocessing photo resize graph tflite tflite_edit evaluation inputs",
        "board_schema boards device",
        "platformio data project",
        "compiler training quantization reference reference_model reference_worker",
        "firmware bench",
        "report",
        "steps",
        "cli __main__ pytest_plugin",
    )
)

# Take seconds or hundreds of megabytes: imported where they are used, never with a module.
HEAVY = {"ai_edge_litert", "keras", "matplotlib", "platformio", "scipy", "tensorflow", "torch"}

# Not needed to print help.
NOT_FOR_HELP = HEAVY | {"jinja2", "numpy", "PIL", "pydantic", "rich", "serial"}

MAX_LINES = 450


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(module: Path) -> str:
    relative = module.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def imports(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Absolute names of all that is imported anywhere below `node`, with line numbers."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute here"
            base = child.module or ""
            if base == "edgemcu":
                yield from ((f"edgemcu.{alias.name}", child.lineno) for alias in child.names)
            else:
                yield base, child.lineno


def parts_imported_by(module: Path) -> Iterator[tuple[str, int]]:
    for name, line in imports(tree_of(module)):
        parts = name.split(".")
        if parts[0] == "edgemcu" and len(parts) > 1:
            yield parts[1], line


LEVEL = {part: level for level, layer in enumerate(LAYERS) for part in layer}


def test_every_part_has_its_layer() -> None:
    parts = {part_of(module) for module in modules()} - {"__init__"}
    assert parts <= set(LEVEL), f"give a layer to {sorted(parts - set(LEVEL))}"


def test_lower_layers_never_import_higher_ones() -> None:
    wrong = [
        f"{module.relative_to(PACKAGE)}:{line}: {part_of(module)} imports {imported}"
        for module in modules()
        if part_of(module) != "__init__"
        for imported, line in parts_imported_by(module)
        if LEVEL.get(imported, 0) > LEVEL.get(part_of(module), 0)
    ]
    assert not wrong, "\n".join(wrong)


def test_parts_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module in modules():
        part = part_of(module)
        found = {imported for imported, _ in parts_imported_by(module)} - {part, "__init__"}
        graph.setdefault(part, set()).update(found)
    while leaves := [part for part, needs in graph.items() if not needs & set(graph)]:
        for part in leaves:
            del graph[part]
    assert not graph, f"circle among {sorted(graph)}"


def imported_by(script: str, names: set[str], *arguments: str) -> str:
    """Run `script` in a fresh interpreter; which of `names` it imported, as a printed list."""
    script += f"\nprint('IMPORTED', sorted({names!r} & set(sys.modules)))\n"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rsplit("IMPORTED ", 1)[1].strip()


def test_steps_import_nothing_heavy() -> None:
    names = [
        module.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
        for folder in ("steps", "cli")
        for module in sorted((PACKAGE / folder).glob("*.py"))
    ]
    script = f"import sys\nfrom importlib import import_module\nfor n in {names}: import_module(n)"
    assert imported_by(script, HEAVY) == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from edgemcu.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
    )
    assert imported_by(script, NOT_FOR_HELP, *arguments) == "[]"


def test_steps_speak_through_the_console() -> None:
    # The reference worker is a process of its own: its output is its interface.
    own_process = {"cli", "reference_worker"}
    wrong = [
        f"{module.relative_to(PACKAGE)}:{node.lineno}"
        for module in modules()
        if part_of(module) not in own_process
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id == "print"
    ]
    assert not wrong, f"print() in {wrong}"


def test_modules_stay_small() -> None:
    long = {
        str(module.relative_to(PACKAGE)): lines
        for module in modules()
        if (lines := len(module.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert not long, f"longer than {MAX_LINES} lines: {long}"
