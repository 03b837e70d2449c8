"""Transformations of pictures that search by picture should tolerate: crops, resizing, text, screenshots and so on.

Each transformation takes an upright RGB picture and a random generator of its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Transformation = Callable[[Image.Image, np.random.Generator], Image.Image]

CROP_AREA = 0.5
RESIZE = 0.5  # Of each side.
JPEG_QUALITY = 20
DEGREES = 10
TEXTS = ("when you see it", "SALE 50% off", "me on monday morning", "© all rights reserved", "wait for it...")
MARGINS = (0.05, 0.15)  # Of the picture's side; each border is drawn separately.
TITLE = 0.06
SHADES = (0, 32, 128, 240, 255)


def crop(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Crop a window of half the area and the same aspect ratio, anywhere in the picture."""
    width, height = (max(1, round(side * CROP_AREA**0.5)) for side in image.size)
    left = int(random.integers(image.width - width + 1))
    top = int(random.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def resize(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Halve the width and the height."""
    width, height = (max(1, round(side * RESIZE)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Save as a JPEG of quality 20 and read it again."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return Image.open(file).convert("RGB")


def flip(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Mirror left and right."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def rotate(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Rotate by 10 degrees to either side within the frame; the corners are black."""
    return image.rotate(float(random.choice((-DEGREES, DEGREES))), Image.Resampling.BICUBIC)


def text(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Draw a line of white text with a black outline, nearly as wide as the picture, at any height."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    words = str(random.choice(TEXTS))
    font = ImageFont.load_default(max(8, image.width * 1.6 / len(words)))
    position = (image.width / 2, image.height * random.uniform(0.1, 0.9))
    draw.text(
        position, words, fill="white", font=font, anchor="mm", stroke_width=max(1, image.width // 150), stroke_fill=0
    )
    return image


def grey(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Remove the colours."""
    return image.convert("L").convert("RGB")


def screenshot(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Show it in a window: borders of one shade, 5 to 15 % of the picture's side, and a darker title bar."""
    left, top, right, bottom = random.uniform(*MARGINS, size=4) * (image.size * 2)
    title = TITLE * image.height
    shade = int(random.choice(SHADES))
    window = Image.new(
        "RGB", (round(left + image.width + right), round(title + top + image.height + bottom)), (shade,) * 3
    )
    window.paste((shade * 3 // 4,) * 3, (0, 0, window.width, round(title)))
    window.paste(image, (round(left), round(title + top)))
    return window


TRANSFORMATIONS: Mapping[str, Transformation] = MappingProxyType(
    {
        "crop": crop,
        "resize": resize,
        "jpeg": jpeg,
        "flip": flip,
        "rotate": rotate,
        "text": text,
        "grey": grey,
        "screenshot": screenshot,
    }
)


def transformed(image: Image.Image, number: int, name: str, seed: int) -> Image.Image:
    """Transform picture `number`; the result depends on the seed, not on what was transformed before."""
    index = list(TRANSFORMATIONS).index(name)
    return TRANSFORMATIONS[name](image, np.random.default_rng((seed, index, number)))
