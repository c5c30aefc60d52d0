"""Put a project's trained network into the zoo that ships with edgemcu.

    python tools/add_to_zoo.py PROJECT NAME

Trains and quantizes PROJECT if that is out of date, then writes its weights at half precision to
edgemcu/training/zoo/NAME.npz, and what they are and how good they are to NAME.toml beside it. The
accuracies are measured again, on the rounded weights.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from edgemcu.artefacts import write_text
from edgemcu.data import load_dataset
from edgemcu.project import load_project
from edgemcu.quantization import quantize
from edgemcu.steps.dataset import dataset_spec
from edgemcu.steps.train import train_model
from edgemcu.training.loop import make_predictor
from edgemcu.training.weights import ZOO, load_weights, restore_network, save_weights

TEMPLATE = """\
# How zoo:{name} came to be; written by tools/add_to_zoo.py.
architecture = "{architecture}"
width = {width}
input = [{height}, {width_px}, {channels}]
classes = [{classes}]
dataset = "{dataset}"
training_photos = {training_photos}
preset = "{preset}"
epochs = {epochs}
learning_rate = {learning_rate}
batch_size = {batch_size}
weight_decay = {weight_decay}
label_smoothing = {label_smoothing}
seed = {seed}

[test]
photos = {photos}
accuracy_float = {float_accuracy:.4f}
accuracy_int8 = {int8_accuracy:.4f}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    project = load_project(arguments.project)
    trained = train_model(project)
    path = ZOO / f"{arguments.name}.npz"
    save_weights(path, load_weights(trained.weights), half=True)

    weights = load_weights(path)
    spec = weights.preprocessing
    photos = load_dataset(dataset_spec(project), spec)
    probabilities = make_predictor(restore_network(weights), spec)(photos.test.images)
    with tempfile.TemporaryDirectory() as folder:
        result = quantize(weights, photos.train, photos.test, probabilities, out=Path(folder))
    config = trained.recipe["config"]
    text = TEMPLATE.format(
        name=arguments.name,
        architecture=weights.network.architecture,
        width=weights.network.width,
        height=spec.height,
        width_px=spec.width,
        channels=spec.channels,
        classes=", ".join(f'"{name}"' for name in weights.classes),
        dataset=trained.recipe["dataset"]["source"],
        training_photos=len(photos.train),
        photos=len(photos.test),
        float_accuracy=result.float32.accuracy,
        int8_accuracy=result.int8.accuracy,
        **{**config, "epochs": trained.result.epochs},
    )
    write_text(path.with_suffix(".toml"), text)
    print(text)


if __name__ == "__main__":
    main()
