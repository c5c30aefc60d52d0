"""What `verify` sends: what was asked for, or photos that the network was not trained on."""

from __future__ import annotations

import json
from pathlib import Path

from edgemcu.console import QUIET, Console
from edgemcu.data import dataset_digest, load_dataset
from edgemcu.data.labelled import load_labelled
from edgemcu.errors import DatasetError, InputsError, ProjectError
from edgemcu.preprocessing import METADATA_NAME
from edgemcu.project import VerifyTable
from edgemcu.steps.dataset import dataset_spec
from edgemcu.steps.stimulus import Stimulus, photo_stimulus, tensor_stimulus
from edgemcu.steps.subject import Subject

DEFAULT_INPUTS = "random:10"


def verify_settings(subject: Subject) -> VerifyTable:
    """The project's [verify] table; its defaults for a model without a project."""
    project = subject.request.project
    return project.file.verify if project else VerifyTable()


def choose_stimulus(
    subject: Subject,
    images: int | None,
    inputs: str | None,
    photos: Path | None,
    console: Console = QUIET,
) -> Stimulus:
    """What to send: as asked for, or the photos that the project has for this model.

    Raises:
        InputsError: what was asked for excludes itself, or does not suit the model.
        DatasetError, DownloadError: the photos cannot be had.
        ProjectError: they are not those that the network was trained without.
    """
    if inputs is not None:
        if images is not None or photos is not None:
            other = "--images" if images is not None else "--photos"
            raise InputsError(f"--inputs and {other} exclude each other", where="--inputs")
        return tensor_stimulus(subject.graph, inputs)
    project, settings = subject.request.project, verify_settings(subject)
    if photos is None and settings.photos is not None and project is not None:
        photos = project.directory / Path(settings.photos).expanduser()
    own = subject.request.own_model or _trained_on_the_projects(subject, console)
    if photos is None and not own:
        if images is not None:
            raise InputsError(
                "this model has no test photos",
                where="--images",
                hint="name a folder of class folders with --photos or verify.photos, "
                "or use --inputs random:N",
            )
        return tensor_stimulus(subject.graph, DEFAULT_INPUTS)
    metadata = subject.photo_metadata
    if photos is not None:
        test = load_labelled(photos, metadata.preprocessing, metadata.classes)
    else:
        assert project is not None
        dataset = load_dataset(dataset_spec(project), metadata.preprocessing, console=console)
        # An accuracy over photos that the network may have been trained on would be no accuracy.
        trained_on = _trained_on(subject)
        if dataset.classes != metadata.classes or trained_on not in (None, dataset.digest):
            raise ProjectError(
                "the project's photos are not those that the model was trained on, so its test "
                "photos may not be new to it",
                where=str(subject.request.model),
                hint="run `edgemcu train` and `edgemcu quantize`, or name a folder with --photos",
            )
        test = dataset.test
    return photo_stimulus(subject.graph, metadata, test, images or settings.images)


def _trained_on(subject: Subject) -> str | None:
    """The digest of the photos and their split that the model says it was made from."""
    try:
        record = json.loads(subject.graph.metadata[METADATA_NAME])
        digest = record["training"]["dataset"]["digest"]
    except (KeyError, TypeError, ValueError):
        return None
    return digest if isinstance(digest, str) else None


def _trained_on_the_projects(subject: Subject, console: Console) -> bool:
    """Whether a model that was brought along is one of the project's own, by its record."""
    trained_on = _trained_on(subject)
    if subject.request.project is None or trained_on is None:
        return False
    try:
        spec = dataset_spec(subject.request.project)
        return dataset_digest(spec, console=console) == trained_on
    except DatasetError:
        return False
