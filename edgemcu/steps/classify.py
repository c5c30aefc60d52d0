"""`edgemcu classify`: any photos, as the firmware sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.console import QUIET, Console
from edgemcu.device.protocol import Kind
from edgemcu.device.session import DeviceSession, InferenceResult, Limits
from edgemcu.errors import DatasetError, InputsError
from edgemcu.photo import EXTENSIONS
from edgemcu.preprocessing import load_pixels
from edgemcu.reference import run_reference
from edgemcu.report.text import printable
from edgemcu.steps.evidence import output_scores
from edgemcu.steps.request import FirmwareRequest
from edgemcu.steps.stimulus import tensor_bytes
from edgemcu.steps.subject import Subject, prepare

DEFAULT_TOP = 3


@dataclass(frozen=True)
class Ranked:
    """A class and the model's score for it, dequantized."""

    label: str
    score: float


@dataclass(frozen=True)
class ClassifiedPhoto:
    """What the device answered to one photo.

    Attributes:
        photo: the file, as it was given.
        ranking: the best classes, the best first; of equal scores the class that comes first.
        outputs: the output tensors' bytes, in hex.
        instructions: counted by the emulator; no latency.
        latency_ms: by a board's own clock.
        reference: the reference interpreter's ranking, if it was asked for.
        equal: whether every byte is the reference's, if that was asked for.
        error: why there is none of this.
    """

    photo: str
    ranking: tuple[Ranked, ...] = ()
    outputs: str = ""
    instructions: int | None = None
    latency_ms: float | None = None
    reference: tuple[Ranked, ...] | None = None
    equal: bool | None = None
    error: str | None = None

    @property
    def label(self) -> str:
        """The best class."""
        return self.ranking[0].label if self.ranking else ""

    @property
    def score(self) -> float:
        """Of the best class."""
        return self.ranking[0].score if self.ranking else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "label": self.label or None}


@dataclass(frozen=True)
class Classification:
    """What `edgemcu classify` answers.

    Attributes:
        board, target, kernels: what computed it.
        photos: in the order in which they were given; a folder's by name.
    """

    board: str
    target: str
    kernels: str
    photos: tuple[ClassifiedPhoto, ...]

    @property
    def exit_code(self) -> int:
        """0 when every photo was classified, and every byte was the reference's if asked for."""
        bad = any(photo.error is not None or photo.equal is False for photo in self.photos)
        return 1 if bad else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "board": self.board,
            "target": self.target,
            "kernels": self.kernels,
            "photos": [photo.to_json() for photo in self.photos],
        }


def classify_photos(
    request: FirmwareRequest,
    photos: Sequence[Path],
    *,
    on: str | None = None,
    baud: int | None = None,
    top: int = DEFAULT_TOP,
    check: bool = False,
    limits: Limits | None = None,
    force: bool = False,
    console: Console = QUIET,
) -> Classification:
    """Have the firmware classify photos; one that cannot be read does not keep the others back.

    Args:
        photos: files, and folders of them.
        on, baud, limits, force: as for `verify_firmware`.
        top: how many classes are ranked.
        check: ask the reference interpreter too.

    Raises:
        InputsError: there is nothing to classify, or the model does not say how a photo becomes
            its input.
        EdgemcuError: of building and of talking to the device.
    """
    given = list(_expand(photos))
    if not given:
        raise InputsError("no photo was given", hint="edgemcu classify photo.jpg …")
    subject = prepare(request, on=on, baud=baud, photos=True, force=force, console=console)
    done: list[ClassifiedPhoto] = []
    good: list[Path] = []
    kernels = ""
    with ExitStack() as stack, console.progress("on the device", len(given), "photos") as bar:
        session: DeviceSession | None = None
        for path, problem in given:
            bar.advance()
            try:
                if problem is not None:
                    raise DatasetError(problem, where=str(path))
                pixels = photo_pixels(subject, path)
            except DatasetError as error:
                done.append(ClassifiedPhoto(printable(str(path)), error=error.message))
                continue
            session = session or stack.enter_context(subject.open(limits))
            kernels = session.identity.kernels
            done.append(
                classify_pixels(subject, session, pixels, top=top, name=printable(str(path)))
            )
            good.append(path)
    if check:
        done = _checked(subject, done, good, top, console)
    return Classification(subject.board.name, str(subject.target), kernels, tuple(done))


def photo_pixels(subject: Subject, source: Path | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo as the firmware takes it, by the preprocessing that the model was trained with.

    Args:
        source: a file, or decoded pixels: uint8, (H, W), (H, W, 1) or (H, W, 3).

    Returns:
        uint8, the preprocessing's shape.

    Raises:
        DatasetError: the file is missing, damaged or not a photo.
        InputsError: the model does not say how a photo becomes its input.
    """
    return load_pixels(source, subject.photo_metadata.preprocessing)


def classify_pixels(
    subject: Subject,
    session: DeviceSession,
    pixels: NDArray[np.uint8],
    *,
    top: int = DEFAULT_TOP,
    name: str = "",
) -> ClassifiedPhoto:
    """The device's answer to `pixels`, uint8, the preprocessing's shape; raises DeviceError."""
    result = session.infer(pixels.tobytes(), Kind.PIXELS)
    return ClassifiedPhoto(
        photo=name,
        ranking=_ranking(subject, result.outputs, top),
        outputs=result.outputs.hex(),
        instructions=result.instructions,
        latency_ms=_latency(subject, result),
    )


def _latency(subject: Subject, result: InferenceResult) -> float | None:
    """Of a board's clock alone: what an emulator or this computer takes is none."""
    if subject.target.emulated or subject.board.hosted or result.seconds is None:
        return None
    return 1000 * result.seconds


def _ranking(subject: Subject, outputs: bytes, top: int) -> tuple[Ranked, ...]:
    rows = np.frombuffer(outputs, np.uint8)[None]
    scores = output_scores(subject.graph, rows)
    if scores is None:
        raise InputsError(
            "the model's outputs are no scores of classes", where=str(subject.request.model)
        )
    # A stable sort: of equal scores the first class wins, as on the device.
    order = np.argsort(-scores[0], kind="stable")[:top]
    names = subject.photo_metadata.classes
    return tuple(Ranked(names[int(i)], round(float(scores[0][i]), 6)) for i in order)


def _checked(
    subject: Subject,
    done: Sequence[ClassifiedPhoto],
    good: Sequence[Path],
    top: int,
    console: Console,
) -> list[ClassifiedPhoto]:
    """The same photos with what the reference interpreter says of those at the paths `good`."""
    if not good:
        return list(done)
    pixels = np.stack([photo_pixels(subject, path).reshape(-1) for path in good])
    tensors = tensor_bytes(subject.graph, subject.photo_metadata.preprocessing, pixels)
    expected = run_reference(subject.request.model, tensors, console=console)
    found = iter(expected)
    checked = []
    for photo in done:
        if photo.error is None:
            outputs = next(found).tobytes()
            photo = replace(
                photo,
                reference=_ranking(subject, outputs, top),
                equal=outputs.hex() == photo.outputs,
            )
        checked.append(photo)
    return checked


def _expand(paths: Sequence[Path]) -> Iterator[tuple[Path, str | None]]:
    """Files one by one, folders with all photos below them; and what is wrong with a path."""
    for path in paths:
        if not path.is_dir():
            yield path, None
            continue
        inside = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.casefold() in EXTENSIONS and file.is_file()
        )
        yield from ((file, None) for file in inside)
        if not inside:
            yield path, "there are no photos in this folder"
