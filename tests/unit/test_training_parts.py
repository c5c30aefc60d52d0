"""The parts of the training that need no TensorFlow: settings, sampling, augmentation, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgemcu.errors import TrainingError
from edgemcu.preprocessing import Preprocessing
from edgemcu.training.architectures import NetworkConfig, mobilenet_halvings, scaled_channels
from edgemcu.training.augmentation import augment, to_real
from edgemcu.training.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from edgemcu.training.config import presets, training_config
from edgemcu.training.loop import learning_rate_at
from edgemcu.training.sampling import stratified_sample, validation_split
from edgemcu.training.weights import Weights, init_path, load_weights, save_weights, zoo_names

SPEC = Preprocessing(8, 8)


def _images(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 8, 8, 3), np.uint8)


def test_every_preset_is_complete() -> None:
    assert {"demo", "quick", "long"} <= set(presets())
    for preset in presets():
        scratch, tuned = training_config(preset), training_config(preset, init="zoo:any")
        assert tuned.epochs <= scratch.epochs
        assert tuned.learning_rate <= scratch.learning_rate


def test_changes_lie_over_the_preset() -> None:
    config = training_config("demo", seed=7, changes={"epochs": 2, "flip": False, "shift": None})
    assert (config.epochs, config.flip, config.seed) == (2, False, 7)
    assert config.shift == training_config("demo").shift


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"learning_rate": -1}, {"epoch": 3}, {"label_smoothing": 1.0}]
)
def test_bad_settings_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(TrainingError):
        training_config("demo", changes=changes)


def test_unknown_preset_names_the_known() -> None:
    with pytest.raises(TrainingError, match="demo"):
        training_config("overnight")


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    config = training_config("demo", changes={"epochs": 10, "warmup_epochs": 2})
    rates = [learning_rate_at(config, epoch / 10) for epoch in range(101)]
    assert rates[0] == 0
    assert max(rates) == rates[20] == config.learning_rate
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_a_warm_up_longer_than_the_training_still_decays() -> None:
    config = training_config("demo", changes={"epochs": 1, "warmup_epochs": 5})
    assert learning_rate_at(config, 0.5) == config.learning_rate
    assert learning_rate_at(config, 1.0) == pytest.approx(0, abs=1e-12)


def test_validation_split_is_stratified_disjoint_and_repeatable() -> None:
    labels = np.repeat([0, 1, 2], [100, 10, 2])
    rows, held_out = validation_split(labels, ("a", "b", "c"), 0.1, 3)
    assert sorted([*rows, *held_out]) == list(range(112))
    assert np.bincount(labels[held_out]).tolist() == [10, 1, 1]
    again = validation_split(labels, ("a", "b", "c"), 0.1, 3)[1]
    assert again.tolist() == held_out.tolist()
    other = validation_split(labels, ("a", "b", "c"), 0.1, 4)[1]
    assert other.tolist() != held_out.tolist()


def test_a_class_of_one_photo_is_refused() -> None:
    with pytest.raises(TrainingError, match="'b' has 1"):
        validation_split(np.array([0, 0, 1]), ("a", "b"), 0.1, 0)


def test_stratified_sample_evens_the_classes_out() -> None:
    labels = np.repeat([0, 1, 2], [1000, 50, 3])
    chosen = stratified_sample(labels, 60, 0)
    assert len(set(chosen)) == 60
    assert np.bincount(labels[chosen]).tolist() == [29, 28, 3]
    assert stratified_sample(labels, 5000, 0).tolist() == list(range(1053))


def test_real_values_of_the_default_preprocessing() -> None:
    real = to_real(np.array([0, 128, 255], np.uint8), SPEC)
    assert real.tolist() == [-1.0, 0.0, 127 / 128]


def test_augmentation_is_drawn_from_the_generator_alone() -> None:
    config = training_config("demo", changes={"cutout": 0.5, "brightness": 0.3})
    one = augment(_images(16), config, SPEC, np.random.default_rng(5))
    same = augment(_images(16), config, SPEC, np.random.default_rng(5))
    other = augment(_images(16), config, SPEC, np.random.default_rng(6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32
    assert one.min() >= -1
    assert one.max() <= 127 / 128


def test_no_augmentation_changes_nothing() -> None:
    config = training_config("demo", changes={"flip": False, "shift": 0})
    images = _images(4)
    assert np.array_equal(
        augment(images, config, SPEC, np.random.default_rng(0)), to_real(images, SPEC)
    )


def test_flip_alone_mirrors_about_half() -> None:
    config = training_config("demo", changes={"shift": 0})
    images = _images(200)
    batch, plain = augment(images, config, SPEC, np.random.default_rng(0)), to_real(images, SPEC)
    kept = sum(np.array_equal(a, b) for a, b in zip(batch, plain, strict=True))
    mirrored = sum(np.array_equal(a, b[:, ::-1]) for a, b in zip(batch, plain, strict=True))
    assert kept + mirrored == 200
    assert 70 < mirrored < 130


def test_shift_moves_by_at_most_its_part() -> None:
    config = training_config("demo", changes={"flip": False, "shift": 0.25})
    image = np.zeros((8, 8, 3), np.uint8)
    image[4, 4] = 255
    batch = augment(np.stack([image] * 100), config, SPEC, np.random.default_rng(0))
    rows, columns = np.nonzero(batch[..., 0] > 0)[1:]
    assert set(rows) == set(columns) == {2, 3, 4, 5, 6}


def test_channels_are_whole_words_and_never_much_narrower() -> None:
    for channels in (8, 16, 24, 32, 64, 96, 160, 320, 1024):
        for width in (0.05, 0.1, 0.25, 0.35, 0.5, 0.75, 1.0):
            scaled = scaled_channels(channels, width)
            assert scaled % 4 == 0
            assert scaled >= 0.9 * channels * width
            assert scaled <= channels * width + 4
    assert [scaled_channels(n, 0.25) for n in (32, 64, 128, 1024)] == [8, 16, 32, 256]


def test_a_small_photo_is_not_shrunk_to_nothing() -> None:
    sizes = range(24, 225)
    assert all(size / 2 ** mobilenet_halvings(size) >= 3 for size in sizes)
    assert [mobilenet_halvings(size) for size in (24, 32, 48, 64, 96, 224)] == [3, 3, 4, 4, 5, 5]


def _weights() -> Weights:
    arrays = {
        "stem/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
        "logits/bias": np.ones(2),
    }
    return Weights(NetworkConfig("ds_cnn", 0.3), SPEC, ("a", "b"), arrays)


def test_weights_round_trip_to_the_byte(tmp_path: Path) -> None:
    save_weights(tmp_path / "a.npz", _weights())
    save_weights(tmp_path / "b.npz", _weights())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    found = load_weights(tmp_path / "a.npz")
    assert (found.network, found.preprocessing, found.classes) == (
        NetworkConfig("ds_cnn", 0.3),
        SPEC,
        ("a", "b"),
    )
    assert np.array_equal(found.arrays["stem/kernel"], _weights().arrays["stem/kernel"])


def test_weights_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such file"):
        load_weights(tmp_path / "missing.npz")
    save_weights(tmp_path / "good.npz", _weights())
    good = (tmp_path / "good.npz").read_bytes()
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    for name, data in (
        ("empty.npz", b""),
        ("text.npz", b"not a zip file at all"),
        ("cut.npz", good[: len(good) // 2]),
        ("other.npz", (tmp_path / "other.npz").read_bytes()),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(TrainingError, match="not a file of weights"):
            load_weights(tmp_path / name)


def test_the_zoo_names_what_it_has() -> None:
    with pytest.raises(TrainingError, match="nothing-like-it"):
        init_path("zoo:nothing-like-it")
    for name in zoo_names():
        weights = load_weights(init_path(f"zoo:{name}"))
        assert len(weights.classes) >= 2
        assert init_path(f"zoo:{name}").with_suffix(".toml").is_file()


def test_checkpoint_round_trip_and_damage(tmp_path: Path) -> None:
    arrays = {"stem/kernel": np.arange(4.0)}
    progress = Progress(2, [{"epoch": 1}, {"epoch": 2}], 1, 0.5, 0.7)
    saved = Checkpoint("key", progress, arrays, arrays, [np.zeros(3), np.ones(())])
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, saved)
    found = load_checkpoint(path, "key")
    assert found is not None
    assert found.progress == progress
    assert [values.tolist() for values in found.optimizer] == [[0, 0, 0], 1]
    assert load_checkpoint(path, "another training") is None
    assert load_checkpoint(tmp_path / "missing.npz", "key") is None
    path.write_bytes(path.read_bytes()[:100])
    assert load_checkpoint(path, "key") is None
