"""Sample frames: a landscape a scene, with a sun that rises from the first frame to the last."""

import colorsys
import io
import math
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Place = Literal["first", "last"]
Colour = tuple[int, int, int]

_OVERSAMPLING = 2  # pillow draws without smoothing; shapes are drawn larger and scaled down
_HILLS = 3
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


@lru_cache(maxsize=64)
def draw_sample(scene: str, place: Place, size: tuple[int, int]) -> bytes:
    """Return a PNG of the size (width, height) in pixels. The same arguments give the same bytes.

    Takes some hundred milliseconds for 720x1280: call it in a thread.
    """
    number = int(scene) if scene.isdecimal() else int.from_bytes(sha256(scene.encode()).digest()[:4])
    # Golden-ratio steps keep neighbours apart; the range leaves out greens, which make poor skies.
    hue = 0.52 + 0.52 * (number * _GOLDEN_RATIO % 1)
    phase = number * math.tau * _GOLDEN_RATIO
    late = place == "last"
    picture = _sky(hue, size, late=late)
    _add_sun(picture, hue, late=late)
    _add_hills(picture, hue, phase + (0.9 if late else 0.0), late=late)
    _add_label(picture, f"Scene {scene} · {place}")
    png = io.BytesIO()
    picture.save(png, "PNG", compress_level=1)
    return png.getvalue()


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _sky(hue: float, size: tuple[int, int], *, late: bool) -> Image.Image:
    top = _colour(hue + 0.02, 0.55, 0.90) if late else _colour(hue - 0.04, 0.72, 0.36)
    horizon = _colour(hue + 0.14, 0.22, 1.0) if late else _colour(hue + 0.10, 0.52, 0.86)
    shade = Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", size, horizon), Image.new("RGB", size, top), shade)


def _add_sun(picture: Image.Image, hue: float, *, late: bool) -> None:
    width, height = picture.size
    radius = min(width, height) * 0.13
    x, y = (width * 0.68, height * 0.27) if late else (width * 0.30, height * 0.58)
    for reach, strength, blur in ((2.1, 90, 0.55), (1.35, 120, 0.25), (1.0, 255, 0.0)):
        mask = _disc(picture.size, (x, y), radius * reach, strength)
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(radius * blur))
        picture.paste(_colour(hue + 0.13, 0.16, 1.0), mask=mask)


def _disc(size: tuple[int, int], centre: tuple[float, float], radius: float, strength: int) -> Image.Image:
    x, y, radius = (value * _OVERSAMPLING for value in (*centre, radius))
    mask = Image.new("L", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=strength)
    return mask.reduce(_OVERSAMPLING)


def _add_hills(picture: Image.Image, hue: float, phase: float, *, late: bool) -> None:
    width, height = picture.size
    large = (width * _OVERSAMPLING, height * _OVERSAMPLING)
    for layer in range(_HILLS):
        nearness = (layer + 1) / _HILLS
        base, swing = 0.60 + 0.115 * layer, 0.05 + 0.012 * layer
        outline = []
        for step in range(65):
            along = step / 64
            wave = math.sin(along * (4.2 + layer) + phase * nearness * 1.7 + layer * 2.1)
            wave += 0.4 * math.sin(along * (9.5 - layer) + phase * nearness)
            outline.append((along * large[0], (base + swing * wave) * large[1]))
        mask = Image.new("L", large)
        ImageDraw.Draw(mask).polygon([(0, large[1]), *outline, large], fill=255)
        light = (0.78 if late else 0.56) - 0.20 * layer
        colour = _colour(hue + 0.03 - 0.03 * layer, 0.42 + 0.12 * layer, light)
        picture.paste(colour, mask=mask.reduce(_OVERSAMPLING))


def _add_label(picture: Image.Image, label: str) -> None:
    width, height = picture.size
    size = max(8, min(width, height) // 15)
    font = ImageFont.load_default(size)
    length = font.getlength(label)
    if length > width * 0.86:
        font = ImageFont.load_default(max(6, size * width * 0.86 / length))
    ImageDraw.Draw(picture).text((width / 2, height * 0.93), label, fill="white", font=font, anchor="mm")
