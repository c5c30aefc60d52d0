"""How to train: presets, which are data, and what a person changes in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from edgemcu.errors import TrainingError
from edgemcu.schema import Table, check, read_toml

PRESETS_FILE = Path(__file__).parent / "presets.toml"


class TrainingRecipe(Table):
    """The settings of one training, all of them known."""

    epochs: int = Field(ge=1, le=10_000)
    min_epoch_photos: int = Field(default=1, ge=1, le=10_000_000)
    batch_size: int = Field(default=64, ge=1, le=4096)
    learning_rate: float = Field(default=3e-3, gt=0, le=10)
    warmup_epochs: float = Field(default=1.0, ge=0, le=1000)
    weight_decay: float = Field(default=2e-2, ge=0, le=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    validation_fraction: float = Field(default=0.04, ge=0.02, le=0.5)
    patience: int | None = Field(default=None, ge=1)
    class_weights: bool = False
    flip: bool = True
    shift: float = Field(default=0.125, ge=0, le=0.5)
    cutout: float = Field(default=0.0, ge=0, le=0.9)
    brightness: float = Field(default=0.0, ge=0, le=0.9)


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        preset: where the settings came from.
        epochs: passes over the training photos, the validation part left out.
        min_epoch_photos: fewer training photos than this are shown several times in an epoch, so
            that a small set is not trained on for a handful of steps.
        batch_size: photos per step.
        learning_rate: AdamW's, at the peak: after the warm-up, before the cosine decay to 0.
        warmup_epochs: over which the learning rate rises linearly from 0.
        weight_decay: decoupled, of kernels only.
        label_smoothing: part of the target that is spread over all classes.
        validation_fraction: part of the training photos, of each class, that is held out to
            choose the best epoch by.
        patience: stop after so many epochs without a better one; None: never.
        class_weights: weigh photos inversely to how common their class is.
        flip: mirror half of the photos left to right.
        shift: move photos by up to this part of their side, each way; edges are mirrored.
        cutout: side of a square that is blanked at a random place, as part of the photo's side.
        brightness: brightness and contrast vary by up to this part.
        seed: of everything random.
        init: "zoo:NAME" or the path of weights to start from; None: from scratch.
    """

    preset: str
    epochs: int
    min_epoch_photos: int
    batch_size: int
    learning_rate: float
    warmup_epochs: float
    weight_decay: float
    label_smoothing: float
    validation_fraction: float
    patience: int | None
    class_weights: bool
    flip: bool
    shift: float
    cutout: float
    brightness: float
    seed: int = 0
    init: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def presets() -> tuple[str, ...]:
    """The names of the training presets."""
    return tuple(_read_presets())


def training_config(
    preset: str = "demo",
    *,
    seed: int = 0,
    init: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> TrainingConfig:
    """A preset's settings with `changes` laid over them.

    Args:
        preset: its name.
        seed: of everything random.
        init: weights to start from; the preset then uses its shorter, gentler variant.
        changes: other values for `TrainingRecipe`'s keys; None leaves the preset's.

    Raises:
        TrainingError: an unknown preset or key, or a value out of range.
    """
    known = _read_presets()
    if preset not in known:
        raise TrainingError(
            f"there is no preset {preset!r}",
            where="training.preset",
            hint=f"known: {', '.join(known)}",
        )
    settings = dict(known[preset])
    gentler = settings.pop("from_init", {})
    if init is not None:
        settings.update(gentler)
    settings.update({key: value for key, value in (changes or {}).items() if value is not None})
    recipe = check(TrainingRecipe, settings, Path("[training]"), TrainingError)
    return TrainingConfig(preset=preset, seed=seed, init=init, **recipe.model_dump())


def _read_presets() -> dict[str, dict[str, Any]]:
    return read_toml(PRESETS_FILE, TrainingError)
