"""What an interrupted training needs to go on as if nothing had happened."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.artefacts import write_bytes

_STATE = "state.json"

Arrays = dict[str, NDArray[Any]]


@dataclass
class Progress:
    """Where a training stands after a whole epoch.

    Attributes:
        epoch: epochs done.
        history: one entry per epoch.
        best_epoch: the one whose weights are kept, from 1; 0 before there is one.
        best_accuracy, best_loss: its, on the validation photos.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = float("inf")


@dataclass(frozen=True)
class Checkpoint:
    """A training's whole state after an epoch: randomness is drawn anew for each epoch."""

    key: str
    progress: Progress
    weights: Arrays
    best: Arrays
    optimizer: list[NDArray[Any]]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the state, whole or not at all."""
    state = {"key": checkpoint.key, "progress": asdict(checkpoint.progress)}
    members: dict[str, Any] = {_STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)}
    members.update({f"weights/{name}": values for name, values in checkpoint.weights.items()})
    members.update({f"best/{name}": values for name, values in checkpoint.best.items()})
    members.update({f"optimizer/{i}": values for i, values in enumerate(checkpoint.optimizer)})
    stream = io.BytesIO()
    np.savez(stream, **members)
    write_bytes(path, stream.getvalue())


def load_checkpoint(path: Path, key: str) -> Checkpoint | None:
    """The state of the training `key`, or None where there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as members:
            state = json.loads(members[_STATE].tobytes())
            if state["key"] != key:
                return None
            count = sum(name.startswith("optimizer/") for name in members.files)
            return Checkpoint(
                key,
                Progress(**state["progress"]),
                _below(members, "weights/"),
                _below(members, "best/"),
                [members[f"optimizer/{index}"] for index in range(count)],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _below(members: Any, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): members[name]
        for name in members.files
        if name.startswith(prefix)
    }
