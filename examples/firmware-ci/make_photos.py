"""Draws the photos of this example: noisy pictures of circles, squares and triangles.

python make_photos.py train 200     # what the network was trained on; not kept in the repository
python make_photos.py test 12       # what the firmware is tested with
"""

import random
import sys
from math import cos, pi, sin
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIDE = 48
CORNERS = {"circle": 48, "square": 4, "triangle": 3}


def draw(shape: str, number: random.Random) -> Image.Image:
    """A bright or dark shape of any size, place and angle, on noise."""
    background = number.randrange(70, 186)
    contrast = number.choice((-1, 1)) * number.randrange(60, 110)
    if not 0 <= background + contrast <= 255:
        contrast = -contrast
    image = Image.new("L", (SIDE, SIDE), background)
    radius = number.uniform(12, 20)
    x, y = (number.uniform(radius + 1, SIDE - radius - 1) for _ in range(2))
    angle = number.uniform(0, 2 * pi)
    corners = CORNERS[shape]
    points = [
        (
            x + radius * cos(angle + 2 * pi * i / corners),
            y + radius * sin(angle + 2 * pi * i / corners),
        )
        for i in range(corners)
    ]
    ImageDraw.Draw(image).polygon(points, fill=background + contrast)
    image = image.filter(ImageFilter.GaussianBlur(number.uniform(0.3, 0.9)))
    noise = Image.frombytes("L", (SIDE, SIDE), bytes(number.randrange(24) for _ in range(SIDE**2)))
    return ImageChops.subtract(image, noise, offset=12)


def main(part: str, count: int) -> None:
    """Write `count` photos of each shape; the two parts have none in common."""
    for shape in CORNERS:
        folder = Path(__file__).parent / "photos" / part / shape
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            photo = draw(shape, random.Random(f"{part} {shape} {index}"))
            photo.save(folder / f"{index:03}.jpg", quality=85)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
