"""Small versions of uploaded images: what a list of projects shows of a frame of up to 20 MB."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import structlog
from PIL import Image, ImageOps

from service.clips.images import ImageType

log = structlog.get_logger(__name__)

# Twice what a card gives a frame, for screens of two pixels to the point.
_LONG_SIDE_PX = 480
_QUALITY = 75
# Four times the largest frame; the head of a file may promise less than its decoder finds.
_MOST_PIXELS = 4 * 2048**2
# Pixels of so many images are in memory at once, in this process.
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="small-images")


async def small_version(image: bytes, name: str) -> bytes | None:
    """Make the small version of an image, as WebP; None, with a line in the log, where that can't be done."""
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, _shrink, image)
    except Exception as error:  # noqa: BLE001 - decoders raise all kinds, and no upload may fail by them
        log.warning("an upload has no small version", upload=name, error=type(error).__name__)
        return None


def _shrink(content: bytes) -> bytes:
    formats = [kind.name for kind in ImageType]
    with Image.open(io.BytesIO(content), formats=formats) as image:
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(image.size)
        image.thumbnail((_LONG_SIDE_PX, _LONG_SIDE_PX))
        upright = ImageOps.exif_transpose(image)
        shown = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    small = io.BytesIO()
    shown.save(small, "WEBP", quality=_QUALITY)
    return small.getvalue()
