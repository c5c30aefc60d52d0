"""Where a firmware's pictures come from beside the serial line, and whether that can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgemcu.board_schema import Board
from edgemcu.data import LabelledImages
from edgemcu.errors import BoardError, DoesNotFitError, ModelError
from edgemcu.firmware.fit import SKETCH_CODE_BYTES, Needs, room
from edgemcu.preprocessing import Preprocessing
from edgemcu.project import Source
from edgemcu.tflite import ModelMetadata

# Between two pictures, for which the device listens to a host.
PAUSE_MS: dict[Source, int] = {"serial": 0, "flash": 1000, "camera": 1}


@dataclass(frozen=True)
class FlashPhotos:
    """Test photos that are compiled into the firmware.

    Attributes:
        shape: (height, width, channels).
        pixels: of each photo, uint8, rows from top to bottom, channels together.
        labels: what each shows, an index of the model's classes.
        names: where each came from, for a comment.
    """

    shape: tuple[int, int, int]
    pixels: tuple[bytes, ...]
    labels: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def bytes_each(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]


@dataclass(frozen=True)
class Pictures:
    """Which source, and for "flash" the photos.

    Attributes:
        source: "serial" (only what a host sends), "flash" or "camera".
        count: how many photos go into flash, at most.
        choose: gives so many test photos for a model, of the size that it takes.
    """

    source: Source = "serial"
    count: int = 8
    choose: Callable[[int, ModelMetadata], LabelledImages] | None = None


def check_source(source: Source, board: Board, metadata: ModelMetadata | None, model: str) -> None:
    """See whether a firmware for `board` can get pictures from `source`.

    Raises:
        BoardError: the board has no camera.
        ModelError: the model does not say how pixels become its input.
    """
    if source == "serial":
        return
    if metadata is None:
        raise ModelError(
            f"does not say how a picture becomes its input, so it cannot take them from {source}",
            where=model,
            hint='use a model that edgemcu quantized, or source = "serial"',
        )
    if source == "camera" and board.camera is None:
        raise BoardError(f"{board.name} has no camera", hint="see `edgemcu boards`")


def flash_photos(
    pictures: Pictures, metadata: ModelMetadata, board: Board, needs: Needs
) -> FlashPhotos:
    """The photos for flash: as many as were asked for, or as fit beside the model.

    Raises:
        DoesNotFitError: not even one fits.
        DatasetError: the test photos cannot be had.
    """
    assert pictures.choose is not None
    spec: Preprocessing = metadata.preprocessing
    each = spec.height * spec.width * spec.channels
    count = pictures.count
    if not board.hosted:
        spare = room(needs, board, "code") - SKETCH_CODE_BYTES - needs.code
        count = min(count, spare // each)
    if count < 1:
        raise DoesNotFitError(
            f"beside the model there is no room for a photo of {each} bytes",
            where=board.name,
            hint='use a smaller model, or source = "serial"',
        )
    photos = pictures.choose(count, metadata)
    return FlashPhotos(
        shape=spec.shape,
        pixels=tuple(image.tobytes() for image in photos.images),
        labels=tuple(int(label) for label in photos.labels),
        names=photos.ids,
    )
