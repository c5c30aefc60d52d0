"""Fitting a network: AdamW, warm-up and cosine decay, best epoch by validation, resumable."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu._version import __version__
from edgemcu.artefacts import sha256_file, sha256_json, write_json
from edgemcu.console import QUIET, Console, ProgressBar
from edgemcu.data.dataset import LabelledImages
from edgemcu.errors import TrainingError
from edgemcu.evaluation import Evaluation, evaluate
from edgemcu.preprocessing import Preprocessing
from edgemcu.training.architectures import LOGITS, NetworkConfig, build_network
from edgemcu.training.augmentation import augment, to_real
from edgemcu.training.backend import load_keras, load_tensorflow
from edgemcu.training.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from edgemcu.training.config import TrainingConfig
from edgemcu.training.sampling import validation_split
from edgemcu.training.weights import (
    ZOO_PREFIX,
    Weights,
    init_path,
    initialize_from,
    load_weights,
    network_arrays,
    save_weights,
    set_network_arrays,
)

WEIGHTS_FILE = "weights.npz"
HISTORY_FILE = "history.json"
PREDICTIONS_FILE = "test_predictions.npy"
CHECKPOINT_FILE = "checkpoint.npz"

Predictor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

_EVALUATION_BATCH = 250


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a training.

    Attributes:
        parameters: weights and biases, batch normalization's included.
        epochs: that were trained.
        best_epoch: whose weights were kept, from 1.
        validation_accuracy: that epoch's.
        test: the float network on the test photos, looked at once.
        seconds: wall-clock time of the training, of its last part if it was interrupted.
        started_from: what `--init` brought, None from scratch.
    """

    parameters: int
    epochs: int
    best_epoch: int
    validation_accuracy: float
    test: Evaluation
    seconds: float
    started_from: str | None

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "test": self.test.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TrainingResult:
        return cls(**{**value, "test": Evaluation.from_json(value["test"])})


def train(
    train: LabelledImages,
    test: LabelledImages,
    preprocessing: Preprocessing,
    network: NetworkConfig,
    config: TrainingConfig,
    *,
    out: Path,
    work: Path,
    console: Console = QUIET,
) -> TrainingResult:
    """Train a network, and look at the test photos once, at the end.

    Args:
        train: uint8 photos of the input's shape; a part of them is held out for validation.
        test: of the same classes.
        preprocessing: the input.
        network: which network.
        config: how.
        out: folder that receives `WEIGHTS_FILE`, `HISTORY_FILE` (one entry per epoch) and
            `PREDICTIONS_FILE` (float32 probabilities, (N, classes), of the test photos).
        work: folder for the checkpoint after each epoch. A training with the same arguments
            goes on from there; it is removed at the end.
        console: hears about progress.

    Raises:
        TrainingError: photos, network, settings or initial weights do not go together, or the
            loss is no longer a number.
        ToolMissingError: TensorFlow is not installed.
        KeyboardInterrupt: after saying where the next call goes on.
    """
    _check_photos(train, test, preprocessing)
    fit = _Fit(train, preprocessing, network, config, work / CHECKPOINT_FILE, console)
    started = time.monotonic()
    progress = fit.run()
    seconds = time.monotonic() - started
    probabilities = fit.predict(test.images)
    save_weights(
        out / WEIGHTS_FILE,
        Weights(network, preprocessing, train.classes, network_arrays(fit.model)),
    )
    write_json(out / HISTORY_FILE, progress.history)
    np.save(out / PREDICTIONS_FILE, probabilities, allow_pickle=False)
    (work / CHECKPOINT_FILE).unlink(missing_ok=True)
    return TrainingResult(
        parameters=int(fit.model.count_params()),
        epochs=progress.epoch,
        best_epoch=progress.best_epoch,
        validation_accuracy=progress.best_accuracy,
        test=evaluate(test.labels, probabilities.argmax(1), test.classes),
        seconds=seconds,
        started_from=fit.started_from,
    )


def learning_rate_at(config: TrainingConfig, epoch: float) -> float:
    """The schedule: linear from 0 over the warm-up, then half a cosine down to 0.

    Args:
        config: gives the peak and the lengths.
        epoch: epochs done, a fraction within one.
    """
    warmup = min(config.warmup_epochs, config.epochs / 2)
    if epoch < warmup:
        return config.learning_rate * epoch / warmup
    done = (epoch - warmup) / (config.epochs - warmup)
    return config.learning_rate * (1 + math.cos(math.pi * min(1.0, done))) / 2


def make_predictor(model: Any, preprocessing: Preprocessing) -> Predictor:
    """A function from uint8 photos, (N, H, W, C), to a Keras model's float32 outputs for them."""
    tf = load_tensorflow()
    shape = (None, *preprocessing.shape)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])  # type: ignore[untyped-decorator]
    def forward(batch: Any) -> Any:
        return model(batch, training=False)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        starts = range(0, len(images), _EVALUATION_BATCH)
        batches = (images[start : start + _EVALUATION_BATCH] for start in starts)
        return np.concatenate([forward(to_real(batch, preprocessing)).numpy() for batch in batches])

    return predict


class _Fit:
    """One training in progress."""

    def __init__(
        self,
        photos: LabelledImages,
        preprocessing: Preprocessing,
        network: NetworkConfig,
        config: TrainingConfig,
        checkpoint: Path,
        console: Console,
    ) -> None:
        self.config = config
        self.preprocessing = preprocessing
        self.console = console
        self.checkpoint = checkpoint
        self.photos = photos
        self.classes = photos.classes
        self.rows, self.held_out = validation_split(
            photos.labels, photos.classes, config.validation_fraction, config.seed
        )
        self.batch = min(config.batch_size, len(self.rows))
        self.passes = -(-config.min_epoch_photos // len(self.rows))
        self.steps = self.passes * len(self.rows) // self.batch
        self.model = build_network(
            network,
            preprocessing,
            len(photos.classes),
            seed=config.seed,
            momentum=_norm_momentum(self.steps),
        )
        self.started_from: str | None = None
        init_digest = None
        if config.init is not None:
            path = init_path(config.init)
            taken = initialize_from(
                self.model, photos.classes, load_weights(path), where=config.init
            )
            name = config.init if config.init.startswith(ZOO_PREFIX) else path.name
            self.started_from = f"{name}, {taken}"
            init_digest = sha256_file(path)
        self.key = sha256_json(
            {
                "edgemcu": __version__,
                "config": config.to_json(),
                "network": network.to_json(),
                "preprocessing": preprocessing.to_json(),
                "photos": _digest(photos.images),
                "labels": _digest(photos.labels),
                "classes": list(photos.classes),
                "init": init_digest,
            }
        )
        self.optimizer, self.step = self._compile()
        self.predict = make_predictor(self.model, preprocessing)

    def run(self) -> Progress:
        """Train to the end, leaving the best epoch's weights in the model."""
        progress, best = self._resume()
        stale = progress.epoch - progress.best_epoch
        total = self.config.epochs * self.steps
        with self.console.progress("training", total=total, unit="steps") as bar:
            bar.advance(progress.epoch * self.steps)
            try:
                while progress.epoch < self.config.epochs and not self._out_of_patience(stale):
                    if self._epoch(progress, bar):
                        best = network_arrays(self.model)
                    stale = progress.epoch - progress.best_epoch
                    self._save(progress, best)
            except KeyboardInterrupt:
                self.console.warn(
                    f"stopped in epoch {progress.epoch + 1} of {self.config.epochs}; "
                    f"the next `edgemcu train` goes on after epoch {progress.epoch}"
                )
                raise
        set_network_arrays(self.model, best)
        return progress

    def _out_of_patience(self, stale: int) -> bool:
        return self.config.patience is not None and stale >= self.config.patience

    def _epoch(self, progress: Progress, bar: ProgressBar) -> bool:
        """Train one epoch and validate; whether it is the best so far."""
        epoch = progress.epoch
        random = np.random.default_rng([self.config.seed, epoch])
        order = np.concatenate([random.permutation(self.rows) for _ in range(self.passes)])
        loss = 0.0
        correct = 0
        note = ""
        if progress.history:
            note = f"  validation {progress.history[-1]['validation_accuracy']:.1%}"
        for step in range(self.steps):
            rows = order[step * self.batch : (step + 1) * self.batch]
            batch = augment(self.photos.images[rows], self.config, self.preprocessing, random)
            self.optimizer.learning_rate.assign(
                learning_rate_at(self.config, epoch + step / self.steps)
            )
            step_loss, step_correct = self.step(batch, self.photos.labels[rows])
            loss += float(step_loss)
            correct += int(step_correct)
            done = f"epoch {epoch + 1}/{self.config.epochs}  loss {loss / (step + 1):.3f}"
            bar.advance(1, note=done + note)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is no longer a number after epoch {epoch + 1}",
                hint="lower the learning rate: training.learning_rate in edgemcu.toml",
            )
        validation_loss, validation_accuracy = self._validate()
        progress.epoch += 1
        progress.history.append(
            {
                "epoch": progress.epoch,
                "learning_rate": learning_rate_at(self.config, epoch + 0.5),
                "loss": loss / self.steps,
                "accuracy": correct / (self.steps * self.batch),
                "validation_loss": validation_loss,
                "validation_accuracy": validation_accuracy,
            }
        )
        rank = (validation_accuracy, -validation_loss)
        better = rank > (progress.best_accuracy, -progress.best_loss)
        if better:
            progress.best_epoch = progress.epoch
            progress.best_accuracy, progress.best_loss = validation_accuracy, validation_loss
        return better

    def _validate(self) -> tuple[float, float]:
        labels = self.photos.labels[self.held_out]
        probabilities = self.predict(self.photos.images[self.held_out])
        of_truth = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)
        accuracy = float(np.mean(probabilities.argmax(1) == labels))
        return float(-np.log(of_truth).mean()), accuracy

    def _compile(self) -> tuple[Any, Callable[..., Any]]:
        tf, keras = load_tensorflow(), load_keras()
        variables = self.model.trainable_variables
        optimizer = keras.optimizers.AdamW(
            self.config.learning_rate, weight_decay=self.config.weight_decay, beta_2=0.99
        )
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        optimizer.build(variables)
        logits_model = keras.Model(self.model.input, self.model.get_layer(LOGITS).output)
        count = len(self.classes)
        smoothing = self.config.label_smoothing
        class_weights = tf.constant(self._class_weights(), tf.float32)
        images = tf.TensorSpec((self.batch, *self.preprocessing.shape), tf.float32)
        truth = tf.TensorSpec((self.batch,), tf.int64)

        @tf.function(input_signature=[images, truth])  # type: ignore[untyped-decorator]
        def step(batch: Any, labels: Any) -> tuple[Any, Any]:
            target = tf.one_hot(labels, count) * (1 - smoothing) + smoothing / count
            with tf.GradientTape() as tape:
                logits = logits_model(batch, training=True)
                losses = tf.nn.softmax_cross_entropy_with_logits(target, logits)
                loss = tf.reduce_mean(losses * tf.gather(class_weights, labels))
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables))  # noqa: B905
            hits = tf.equal(tf.argmax(logits, 1), labels)
            return loss, tf.reduce_sum(tf.cast(hits, tf.int32))

        return optimizer, step

    def _class_weights(self) -> NDArray[np.float64]:
        counts = np.bincount(self.photos.labels[self.rows], minlength=len(self.classes))
        if not self.config.class_weights:
            return np.ones(len(self.classes))
        weights: NDArray[np.float64] = counts.sum() / (len(counts) * counts)
        return weights

    def _resume(self) -> tuple[Progress, dict[str, NDArray[Any]]]:
        saved = load_checkpoint(self.checkpoint, self.key)
        if saved is None:
            return Progress(), {}
        set_network_arrays(self.model, saved.weights)
        for variable, values in zip(self.optimizer.variables, saved.optimizer, strict=True):
            variable.assign(values)
        self.console.info(f"going on after epoch {saved.progress.epoch} of {self.config.epochs}")
        return saved.progress, saved.best

    def _save(self, progress: Progress, best: dict[str, NDArray[Any]]) -> None:
        optimizer = [np.asarray(variable) for variable in self.optimizer.variables]
        weights = network_arrays(self.model)
        save_checkpoint(self.checkpoint, Checkpoint(self.key, progress, weights, best, optimizer))


def _norm_momentum(steps: int) -> float:
    """Batch normalization's: its statistics must catch up within an epoch of `steps`."""
    return min(0.95, max(0.5, 1 - 3 / steps))


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _check_photos(
    train: LabelledImages, test: LabelledImages, preprocessing: Preprocessing
) -> None:
    if train.classes != test.classes:
        raise TrainingError("the training and the test photos have different classes")
    if len(test) == 0:
        raise TrainingError("there are no test photos")
    for name, photos in (("training", train), ("test", test)):
        if photos.images.shape[1:] != preprocessing.shape or photos.images.dtype != np.uint8:
            raise TrainingError(
                f"the {name} photos are {photos.images.dtype} of shape {photos.images.shape[1:]}, "
                f"and the network takes uint8 of shape {preprocessing.shape}"
            )
