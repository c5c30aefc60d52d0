"""A bar chart of what was measured."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgemcu.artefacts import write_bytes
from edgemcu.errors import ModelError

_FORMATS = {".svg": "svg", ".png": "png"}


def plot_bars(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Cycles per multiply-accumulate (instructions, where no cycles are modelled) of each row.

    Args:
        rows: JSON of `BenchRow`s; those without figures are left out.
        path: ends with .svg or .png.

    Raises:
        ModelError: it ends with something else, or there is nothing to draw.
    """
    if path.suffix not in _FORMATS:
        raise ModelError("a plot is an .svg or a .png", where=str(path))
    drawn = [row for row in rows if row["instructions"] is not None]
    if not drawn:
        raise ModelError("nothing was measured, so there is nothing to draw", where=str(path))
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    unit = "cycles" if all(row["cycles"] is not None for row in drawn) else "instructions"
    models = list(dict.fromkeys(row["model"] for row in drawn))
    series = list(dict.fromkeys(_series(row) for row in drawn))
    figure = Figure(figsize=(1.5 + 2.2 * len(models), 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(series)
    for number, name in enumerate(series):
        found = {row["model"]: row[f"{unit}_per_mac"] for row in drawn if _series(row) == name}
        places = [i + (number - (len(series) - 1) / 2) * width for i in range(len(models))]
        heights = [found.get(model, 0.0) for model in models]
        bars = axes.bar(places, heights, width * 0.92, label=name)
        axes.bar_label(bars, fmt="{:.2f}", fontsize=8)
    axes.set_xticks(range(len(models)), models)
    axes.set_ylabel(f"{'modelled ' if unit == 'cycles' else ''}{unit} per MAC")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    stream = io.BytesIO()
    # Without the date, the same figures give the same file.
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with rc_context({"svg.hashsalt": "edgemcu"}):
        figure.savefig(stream, format=_FORMATS[path.suffix], dpi=150, metadata=metadata)
    write_bytes(path, stream.getvalue())


def _series(row: Mapping[str, Any]) -> str:
    return f"{row['board']}, {row['runtime']}, {row['kernels']}"
