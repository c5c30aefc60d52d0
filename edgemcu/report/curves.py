"""Training curves as a PNG file, for people who would rather look than read."""

from __future__ import annotations

import io
from collections.abc import Sequence

from edgemcu.report.model import Epoch

TRAINING, VALIDATION, KEPT = "#8a949e", "#1f77b4", "#444444"


def draw_curves(history: Sequence[Epoch], best_epoch: int, title: str) -> bytes:
    """Accuracy and loss over the epochs, the one whose weights were kept marked; a PNG file."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    epochs = [epoch.epoch for epoch in history]
    # Without pyplot there is no global state, and no display is looked for.
    figure = Figure(figsize=(9, 3.4), dpi=110, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    accuracy, loss = figure.subplots(1, 2)
    for axes, name, training, validation in (
        (
            accuracy,
            "accuracy",
            [epoch.accuracy for epoch in history],
            [epoch.validation_accuracy for epoch in history],
        ),
        (
            loss,
            "loss",
            [epoch.loss for epoch in history],
            [epoch.validation_loss for epoch in history],
        ),
    ):
        axes.plot(epochs, training, ".--", color=TRAINING, label="training (augmented)")
        axes.plot(epochs, validation, ".-", color=VALIDATION, label="validation")
        axes.axvline(best_epoch, color=KEPT, linewidth=0.8, linestyle=":", label="kept")
        axes.set_xlabel("epoch")
        axes.set_title(name, loc="left", fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    accuracy.legend(frameon=False, fontsize=8)
    stream = io.BytesIO()
    # Metadata would make the bytes depend on matplotlib's version alone; leave it out.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
