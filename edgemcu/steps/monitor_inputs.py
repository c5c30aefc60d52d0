"""What a firmware that is started here is given to classify while it is monitored."""

from __future__ import annotations

from pathlib import Path

from edgemcu.console import Console
from edgemcu.data import load_dataset
from edgemcu.device.protocol import Kind
from edgemcu.errors import DatasetError, InputsError
from edgemcu.photo import EXTENSIONS
from edgemcu.preprocessing import load_pixels
from edgemcu.steps.dataset import dataset_spec
from edgemcu.steps.stimulus import photo_stimulus, tensor_stimulus
from edgemcu.steps.subject import Subject

FEED_PAUSE_S = 0.2
MAX_PHOTOS = 1000
RANDOM_INPUTS = "random:50"


def feed_inputs(
    subject: Subject, photos: Path | None, console: Console
) -> tuple[list[bytes], Kind]:
    """Photos of `photos`, the project's test photos, or random inputs for a model without.

    Raises:
        InputsError: `photos` holds none that can be read, or the model takes none.
        EdgemcuError: of loading the project's photos.
    """
    if photos is not None:
        return _read_photos(subject, photos, console), Kind.PIXELS
    request = subject.request
    if request.own_model and request.project is not None and subject.metadata is not None:
        spec = dataset_spec(request.project)
        dataset = load_dataset(spec, subject.metadata.preprocessing, console=console)
        count = request.project.file.run.images
        stimulus = photo_stimulus(subject.graph, subject.metadata, dataset.test, count)
    else:
        console.info("the model came without photos: it gets random inputs (or use --photos)")
        stimulus = tensor_stimulus(subject.graph, RANDOM_INPUTS)
    return [row.tobytes() for row in stimulus.sent], stimulus.kind


def _read_photos(subject: Subject, photos: Path, console: Console) -> list[bytes]:
    if subject.metadata is None:
        raise InputsError(
            "the model does not say how a photo becomes its input", where=str(subject.request.model)
        )
    files = [photos]
    if photos.is_dir():
        files = sorted(p for p in photos.rglob("*") if p.suffix.lower() in EXTENSIONS)
    inputs = []
    for file in files[:MAX_PHOTOS]:
        try:
            inputs.append(load_pixels(file, subject.metadata.preprocessing).tobytes())
        except DatasetError as error:
            console.warn(str(error))
    if not inputs:
        raise InputsError("holds no photo that can be read", where=f"--photos {photos}")
    return inputs
