"""From a photo to the network's input bytes: one spec, used in training, stored with the model,
shown by `inspect`, compiled into the firmware.

    photo file → orientation → colour → crop and resize → uint8 pixels (HWC)      [host or camera]
    uint8 pixel p → real value p × scale + offset → int8 by the input's quantization     [device]

The second line is a table of 256 int8 values (`input_table`), so device and host cannot differ.
The default maps real = p / 128 − 1, whose exact int8 quantization is p − 128.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgemcu.errors import ModelError

METADATA_NAME = "edgemcu"
METADATA_VERSION = 1

Colour = Literal["rgb", "grey"]
Fit = Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input.

    Attributes:
        height, width: of the network's input, in pixels.
        colour: "rgb" (3 channels) or "grey" (1 channel, ITU-R BT.601 luma).
        fit: "crop" the centre square, "pad" with black to a square, or "stretch".
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
