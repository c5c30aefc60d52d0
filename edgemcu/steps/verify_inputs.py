"""What `verify` sends: what was asked for, or photos that the network was not trained on."""

from __future__ import annotations

from pathlib import Path

from edgemcu.console import QUIET, Console
from edgemcu.data import load_dataset
from edgemcu.data.labelled import load_labelled
from edgemcu.errors import InputsError, ProjectError, TrainingError
from edgemcu.project import VerifyTable
from edgemcu.steps.dataset import dataset_spec
from edgemcu.steps.stimulus import Stimulus, photo_stimulus, tensor_stimulus
from edgemcu.steps.subject import Subject
from edgemcu.steps.train import load_trained

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
    if photos is None and not subject.request.own_model:
        if images is not None:
            raise InputsError(
                "this model has no test photos",
                where="--images",
                hint="name a folder of class folders with --photos or verify.photos, "
                "or use --inputs random:N",
            )
        return tensor_stimulus(subject.graph, DEFAULT_INPUTS)
    if subject.metadata is None:
        raise InputsError(
            "the model does not say how a photo becomes its input",
            where=str(subject.request.model),
            hint="use --inputs random:N; a model that edgemcu made would say it",
        )
    if photos is not None:
        test = load_labelled(photos, subject.metadata.preprocessing, subject.metadata.classes)
    else:
        assert project is not None
        dataset = load_dataset(
            dataset_spec(project), subject.metadata.preprocessing, console=console
        )
        if dataset.classes != subject.metadata.classes:
            raise _trained_on_others(subject)
        _check_held_back(subject, dataset.digest)
        test = dataset.test
    return photo_stimulus(subject.graph, subject.metadata, test, images or settings.images)


def _check_held_back(subject: Subject, digest: str) -> None:
    """An accuracy over photos that the network may have been trained on would be no accuracy."""
    assert subject.request.project is not None
    try:
        trained_on = load_trained(subject.request.project).recipe["dataset"]["digest"]
    except (TrainingError, KeyError, TypeError):
        return
    if trained_on != digest:
        raise _trained_on_others(subject)


def _trained_on_others(subject: Subject) -> ProjectError:
    return ProjectError(
        "the project's photos are not those that the model was trained on, so its test photos "
        "may not be new to it",
        where=str(subject.request.model),
        hint="run `edgemcu train` and `edgemcu quantize`, or name a folder with --photos",
    )
