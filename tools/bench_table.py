"""Markdown tables of docs/compiled-runtime.md, from what `edgemcu bench --json` printed.

edgemcu bench --json > bench.json
python tools/bench_table.py bench.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def figures(row: Row) -> list[str]:
    """One row: instructions, cycles, and bytes."""
    cycles = row["cycles"]
    return [
        row["model"],
        row["kernels"],
        f"{row['macs']:,}",
        f"{row['instructions']:,}",
        f"{row['instructions_per_mac']:.2f}",
        "–" if cycles is None else f"{cycles:,}",
        "–" if cycles is None else f"{row['cycles_per_mac']:.2f}",
        f"{row['arena_bytes']:,}",
        f"{row['stack_bytes']:,}",
        "–" if row["code_bytes"] is None else f"{row['code_bytes']:,}",
        f"{row['weights_bytes']:,}",
        "yes" if row["bytes_equal"] else "no",
    ]


HEAD = (
    *("model", "kernels", "MACs", "instructions", "per MAC", "cycles", "per MAC"),
    *("activations", "stack", "code", "constants", "exact"),
)


def table(rows: list[Row]) -> str:
    lines = [f"| {' | '.join(HEAD)} |", f"|---|---|{'---:|' * (len(HEAD) - 3)}---|"]
    lines += [f"| {' | '.join(figures(row))} |" for row in rows if row["reason"] is None]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    for path in parser.parse_args().results:
        result = json.loads(path.read_text(encoding="utf-8"))
        by_board: dict[str, list[Row]] = {}
        for row in result["rows"]:
            by_board.setdefault(row["board"], []).append(row)
        for board, rows in by_board.items():
            print(f"{board}\n\n{table(rows)}\n")
        print("; ".join(f"{name}: {value}" for name, value in result["machine"].items()))


if __name__ == "__main__":
    main()
