"""Draw the memory plans of docs/compiled-runtime.md from the plans themselves.

    python tools/draw_memory_plans.py [FOLDER]

Writes memory-plan-NETWORK.svg for the benchmark's networks, portable kernels, and
memory-plan-NETWORK-TARGET.svg for others.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import edgemcu.report
from edgemcu.artefacts import write_text
from edgemcu.bench.networks import benchmark_network
from edgemcu.compiler import compile_model
from edgemcu.report.model import ArenaBuffer
from edgemcu.report.svg import memory_plan
from edgemcu.tflite import parse_model

PLANS = (
    ("mobilenet-v1-0.25-96", "portable"),
    ("mobilenet-v1-0.25-96", "cortex-m4"),
    ("resnet8", "portable"),
)
DOCS = Path(__file__).parent.parent / "docs"

# Colours of the report's light theme, and nothing but: a picture stands on its own.
STYLE = """\
<style>
text {{ font-family: system-ui, sans-serif; }}
svg {{ background: #fff; {variables} }}
{rules}
</style>"""


def file_name(name: str, target: str) -> str:
    suffix = "" if target == "portable" else f"-{target}"
    return f"memory-plan-{name}{suffix}.svg"


def picture(name: str, target: str) -> str:
    """One SVG file."""
    graph = parse_model(benchmark_network(name), name)
    compiled = compile_model(graph, target=target, model_digest="0" * 64)
    last = len(compiled.layers) - 1
    buffers = [
        ArenaBuffer(
            place.name,
            place.offset,
            place.bytes,
            max(0, place.first - 1),
            min(last, place.last - 1),
        )
        for place in compiled.activations
    ]
    drawn = str(memory_plan(buffers, compiled.arena_bytes, len(compiled.layers)))
    head, rest = drawn.split(">", 1)
    style = STYLE.format(variables=_variables(), rules="\n".join(_rules()))
    return f'{head} xmlns="http://www.w3.org/2000/svg">\n{style}\n{rest}\n'


def _css() -> str:
    return (Path(edgemcu.report.__file__).parent / "page.css").read_text(encoding="utf-8")


def _variables() -> str:
    """The first definition of each colour: the light theme's."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"(--[a-z0-9-]+):\s*([^;]+);", _css()):
        found.setdefault(name, value)
    return " ".join(f"{name}: {value};" for name, value in found.items())


def _rules() -> list[str]:
    return [rule for rule in re.findall(r"svg \.[^{}]+\{[^}]*\}", _css()) if "@" not in rule]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=DOCS)
    folder = parser.parse_args().folder
    for name, target in PLANS:
        write_text(folder / file_name(name, target), picture(name, target))


if __name__ == "__main__":
    main()
