"""From a photo to the network's input bytes: one spec, used in training, stored with the model,
shown by `inspect`, compiled into the firmware.

    photo file → orientation → colour → crop and resize → uint8 pixels (HWC)      [host or camera]
    uint8 pixel p → real value p × scale + offset → int8 by the input's quantization     [device]

The second line is a table of 256 int8 values (`input_table`), so device and host cannot differ.
The default maps real = p / 128 − 1, whose exact int8 quantization is p − 128.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgemcu.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METADATA_NAME = "edgemcu"
METADATA_VERSION = 1

Colour = Literal["rgb", "grey"]
Fit = Literal["crop", "pad", "stretch"]

_MAX_SIDE = 4096


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input.

    Attributes:
        height, width: of the network's input, in pixels.
        colour: "rgb" (3 channels) or "grey" (1 channel, ITU-R BT.601 luma).
        fit: "crop" the largest centred part of the input's aspect ratio, "pad" with black
            around the whole photo, or "stretch".
        scale, offset: real input value = pixel × scale + offset, pixel in 0…255.
    """

    height: int
    width: int
    colour: Colour = "rgb"
    fit: Fit = "crop"
    scale: float = 1 / 128
    offset: float = -1.0

    @property
    def channels(self) -> int:
        return 3 if self.colour == "rgb" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.height, self.width, self.channels)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: object, *, where: str | None = None) -> Preprocessing:
        """Read what `to_json` wrote, from a file that may be damaged or hostile.

        Args:
            value: the parsed JSON.
            where: what to name as the place of an error.

        Raises:
            ModelError: not an object, a key missing or unknown, a value of the wrong type or
                out of range.
        """

        def refuse(problem: str) -> ModelError:
            return ModelError(f"the preprocessing in the metadata {problem}", where=where)

        if not isinstance(value, Mapping):
            raise refuse("is not an object")
        known = {field.name for field in fields(cls)}
        if odd := sorted(str(key) for key in value.keys() ^ known):
            raise refuse(f"has missing or unknown keys: {', '.join(odd[:8])[:200]}")
        for name in ("height", "width"):
            side = value[name]
            if type(side) is not int or not 1 <= side <= _MAX_SIDE:
                raise refuse(f"has {name} {side!r:.40}, not a whole number from 1 to {_MAX_SIDE}")
        for name, allowed in (("colour", get_args(Colour)), ("fit", get_args(Fit))):
            if not isinstance(value[name], str) or value[name] not in allowed:
                raise refuse(f"has {name} {value[name]!r:.40}, not one of {', '.join(allowed)}")
        for name in ("scale", "offset"):
            if not _is_number(value[name]) or (name == "scale" and value[name] <= 0):
                raise refuse(f"has {name} {value[name]!r:.40}, not a usable number")
        return cls(
            height=value["height"],
            width=value["width"],
            colour=value["colour"],
            fit=value["fit"],
            scale=float(value["scale"]),
            offset=float(value["offset"]),
        )


def _is_number(value: object) -> bool:
    if type(value) is int:
        return abs(value) < 1 << 53
    return type(value) is float and math.isfinite(value)


def load_pixels(source: Path | str | NDArray[np.uint8], spec: Preprocessing) -> NDArray[np.uint8]:
    """A photo as the network sees it: colour, crop and size of `spec`.

    A photo that has the input's size and colour already comes back unchanged.

    Args:
        source: a JPEG, PNG, WebP or BMP file, or decoded pixels: uint8, (H, W), (H, W, 1) or
            (H, W, 3).

    Returns:
        uint8, shape `spec.shape`.

    Raises:
        DatasetError: the file is missing, damaged or not a photo.
    """
    if isinstance(source, (str, Path)):
        from edgemcu.photo import open_photo, quiet_decoder

        with quiet_decoder():
            return prepare_pixels(open_photo(Path(source)), spec)
    return prepare_pixels(source if source.ndim == 3 else source[:, :, None], spec)


def prepare_pixels(pixels: NDArray[np.uint8], spec: Preprocessing) -> NDArray[np.uint8]:
    """Colour, crop and resize decoded photos by `spec`.

    Args:
        pixels: uint8, (H, W, C) or a batch (N, H, W, C), C = 1 or 3.

    Returns:
        uint8, `spec.shape`, or (N, *spec.shape) for a batch.
    """
    import numpy as np

    from edgemcu.resize import resize

    height, width = pixels.shape[-3:-1]
    if spec.colour == "grey":
        pixels = luma(pixels)
    elif pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    if spec.fit == "crop":
        # The largest centred rectangle with the input's aspect ratio.
        inner_height = min(height, max(1, width * spec.height // spec.width))
        inner_width = min(width, max(1, height * spec.width // spec.height))
        top, left = (height - inner_height) // 2, (width - inner_width) // 2
        pixels = pixels[..., top : top + inner_height, left : left + inner_width, :]
    elif spec.fit == "pad":
        # The whole photo, as large as fits, rounded to whole pixels; black around it.
        inner_height = min(spec.height, max(1, _divide(height * spec.width, width)))
        inner_width = min(spec.width, max(1, _divide(width * spec.height, height)))
        inner = resize(pixels, inner_height, inner_width)
        padded = np.zeros((*pixels.shape[:-3], *spec.shape), np.uint8)
        top, left = (spec.height - inner_height) // 2, (spec.width - inner_width) // 2
        padded[..., top : top + inner_height, left : left + inner_width, :] = inner
        return padded
    return resize(pixels, spec.height, spec.width)


def _divide(numerator: int, denominator: int) -> int:
    """Division rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey values by ITU-R BT.601 in 8-bit fixed point: (77 R + 150 G + 29 B + 128) >> 8.

    Args:
        pixels: uint8, (…, C), C = 1 (returned as it is) or 3.

    Returns:
        uint8, (…, 1).
    """
    import numpy as np

    if pixels.shape[-1] == 1:
        return pixels
    red, green, blue = (pixels[..., channel].astype(np.uint16) for channel in range(3))
    grey = (77 * red + 150 * green + 29 * blue + 128) >> 8
    return grey.astype(np.uint8)[..., None]


def input_table(spec: Preprocessing, scale: float, zero_point: int) -> NDArray[np.int8]:
    """What the firmware looks up for each pixel value.

    table[p] = saturate(round(real(p) / scale) + zero_point), real(p) = p × spec.scale +
    spec.offset, rounding half away from zero, as TensorFlow Lite quantizes.

    Args:
        scale, zero_point: of the model's int8 input tensor.

    Returns:
        int8, shape (256,).

    Raises:
        ModelError: the scale is not a positive finite number, or the zero point is not int8.
    """
    import numpy as np

    if not (math.isfinite(scale) and scale > 0 and -128 <= zero_point <= 127):
        raise ModelError(f"input quantization of scale {scale}, zero point {zero_point} is invalid")
    steps = (np.arange(256) * spec.scale + spec.offset) / scale
    # Clipped before rounding: a tiny scale would overflow the integers.
    rounded = np.copysign(np.floor(np.abs(np.clip(steps, -1024, 1024)) + 0.5), steps)
    table: NDArray[np.int8] = np.clip(rounded + zero_point, -128, 127).astype(np.int8)
    return table


def quantize_pixels(
    pixels: NDArray[np.uint8], spec: Preprocessing, scale: float, zero_point: int
) -> NDArray[np.int8]:
    """The input tensor's bytes for uint8 pixels of any shape, by `input_table`."""
    quantized: NDArray[np.int8] = input_table(spec, scale, zero_point)[pixels]
    return quantized
