"""Pictures made small enough that a page holds them all: the larger the batch, the smaller each picture."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Dict, List, Sequence

from PIL import Image

# Widths in pixels and qualities (WebP), the best first; all pictures of a kind get the same.
STEPS = ((1700, 82), (1400, 78), (1100, 74), (900, 68), (760, 60), (620, 52), (500, 45), (400, 38), (300, 30))
AS_IT_IS = 300_000  # bytes; a drawing (SVG) that is larger is shown as a picture
SAMPLES = 3
BASE64 = 4 / 3
BIGGEST = 200_000_000  # pixels; more is no picture of ours


def data_uri(content: bytes, kind: str) -> str:
    """Return content as the address of an image that needs no file and no network."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def opened(path: Path) -> Image.Image:
    """Return a picture, at most as wide as any page shows it."""
    Image.MAX_IMAGE_PIXELS = BIGGEST
    with Image.open(path) as picture:
        return narrowed(picture.convert("RGB"), STEPS[0][0])


def narrowed(picture: Image.Image, width: int) -> Image.Image:
    """Return a picture at most so many pixels wide."""
    if picture.width <= width:
        return picture
    height = max(1, round(picture.height * width / picture.width))
    return picture.resize((width, height), Image.LANCZOS, reducing_gap=2.0)


def encoded(picture: Image.Image, width: int, quality: int) -> bytes:
    """Return a picture at most so many pixels wide, as WebP."""
    written = io.BytesIO()
    narrowed(picture, width).save(written, "WEBP", quality=quality, method=2)
    return written.getvalue()


def fitted(paths: Sequence[Path], budget: float) -> List[str]:
    """Return pictures, all at the same step, that are together no longer than `budget` characters.

    The step is found on a few of them, so that each is read once; the last step is taken even if it does not fit.
    """
    few = [opened(path) for path in paths[:: max(1, len(paths) // SAMPLES)]]
    for at, step in enumerate(STEPS):
        last = at == len(STEPS) - 1
        guessed = sum(len(encoded(picture, *step)) for picture in few) / max(1, len(few)) * len(paths) * BASE64
        if guessed > budget and not last:
            continue
        uris = [data_uri(encoded(opened(path), *step), "webp") for path in paths]
        if last or sum(map(len, uris)) <= budget:
            return uris
    raise AssertionError("the last step is always taken")


def drawings(folder: Path) -> Dict[str, str]:
    """Return every figure of a folder by its name: the SVG, whose text can be read, or else the picture."""
    found = {}
    for path in sorted(folder.glob("*.png")):
        drawn = path.with_suffix(".svg")
        if drawn.exists() and drawn.stat().st_size <= AS_IT_IS:
            found[path.stem] = data_uri(drawn.read_bytes(), "svg+xml")
        else:
            found[path.stem] = data_uri(encoded(opened(path), *STEPS[0]), "webp")
    return found
