"""One clip: the first frame morphing into the last, with a slow zoom, encoded by PyAV."""

import io
import math
import threading
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Literal

import av
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import Image, ImageOps

from service.sandbox.errors import JobFailedError
from service.sandbox.frames import Frame

FRAMES_PER_SECOND = 24
_ZOOM = 0.10
_SAMPLE_RATE = 48_000
_SAMPLES_PER_FRAME = _SAMPLE_RATE // FRAMES_PER_SECOND
_TONES = (
    216,
    324,
    432,
)  # in Hz; multiples of the frame rate, so that the pieces of sound join without a click
_LOUDNESS = 0.05


@dataclass(frozen=True, slots=True)
class ClipFormat:
    """A container with the codecs that players expect in it, and the colours that they take for granted."""

    suffix: str
    media_type: str
    video_codec: Literal["libx264", "libvpx"]
    audio_codec: Literal["aac", "libopus"]
    colours: Colorspace
    video_options: dict[str, str]
    container_options: dict[str, str]


_X264 = {"preset": "superfast"}
_VP8 = {"deadline": "realtime", "cpu-used": "8", "b": "6M"}
_FASTSTART = {"movflags": "+faststart"}
FORMATS = {
    "MP4": ClipFormat("mp4", "video/mp4", "libx264", "aac", Colorspace.ITU709, _X264, _FASTSTART),
    "MOV": ClipFormat("mov", "video/quicktime", "libx264", "aac", Colorspace.ITU709, _X264, _FASTSTART),
    "WEBM": ClipFormat("webm", "video/webm", "libvpx", "libopus", Colorspace.ITU601, _VP8, {}),
}


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """All that makes one clip differ from another.

    `last` is None when the first frame stands alone. `size` is (width, height) in even pixels, `duration`
    whole seconds, `quality` 20 to 99.
    """

    first: Frame
    last: Frame | None
    size: tuple[int, int]
    duration: int
    output_format: str
    quality: int
    sound: bool

    def key(self) -> str:
        """Return a name that only specs of the same clip share."""
        frames = (self.first.digest, self.last.digest if self.last is not None else None)
        parts = (*frames, self.size, self.duration, self.output_format, self.quality, self.sound)
        return sha256(repr(parts).encode()).hexdigest()[:32]


def fit_size(aspect: tuple[int, int], short_side: int, max_long_side: int) -> tuple[int, int]:
    """Return the even size in pixels that has the aspect and the short side, with no side above the cap."""
    scale = min(short_side / min(aspect), max_long_side / max(aspect))
    width, height = (max(2, round(side * scale / 2) * 2) for side in aspect)
    return width, height


def encode_clip(spec: ClipSpec, file: Path, stop: threading.Event) -> None:
    """Write the clip to a new file. Blocks for a second or two at 720x1280: call it in a worker thread.

    Raises JobFailedError: `invalidImage` for a frame that can't be decoded, `taskCancelled` after `stop`.
    """
    kind = FORMATS[spec.output_format]
    first = _read(spec.first, spec.size, kind.colours)
    last = _read(spec.last, spec.size, kind.colours) if spec.last is not None else None
    pictures = _morph(first, last, spec)
    with av.open(file, "w", options=kind.container_options) as container:
        _encode(container, kind, spec, pictures, stop)


def _encode(
    container: OutputContainer,
    kind: ClipFormat,
    spec: ClipSpec,
    pictures: Iterable[av.VideoFrame],
    stop: threading.Event,
) -> None:
    # Constant quality: about 18 (hardly visible loss) for 99 up to 36 for 20.
    options = kind.video_options | {"crf": str(round(40 - 0.22 * spec.quality))}
    video = container.add_stream(kind.video_codec, rate=FRAMES_PER_SECOND, options=options)
    video.width, video.height = spec.size
    video.pix_fmt = "yuv420p"
    video.thread_count = 1
    video.color_range = ColorRange.MPEG
    video.colorspace = kind.colours
    video.color_primaries = ColorPrimaries.BT709
    video.color_trc = ColorTrc.BT709
    audio = container.add_stream(kind.audio_codec, rate=_SAMPLE_RATE, layout="mono") if spec.sound else None
    sounds = _tone(spec.duration * FRAMES_PER_SECOND)
    for picture in pictures:
        if stop.is_set():
            raise JobFailedError("taskCancelled", "The sandbox is shutting down")
        container.mux(video.encode(picture))
        if audio is not None:
            container.mux(audio.encode(next(sounds)))
    container.mux(video.encode(None))
    if audio is not None:
        container.mux(audio.encode(None))


# A picture as the encoder wants it: luma at full size, then two planes of colour at half.
# Blending and zooming these costs half of what it costs in RGB.
_Planes = tuple[Image.Image, ...]


def _read(frame: Frame, size: tuple[int, int], colours: Colorspace) -> _Planes:
    """Decode a frame and crop it about its centre to the clip's aspect."""
    try:
        with Image.open(io.BytesIO(frame.content)) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, ValueError, SyntaxError) as failure:
        raise JobFailedError("invalidImage", "A frame is a damaged picture") from failure
    fitted = ImageOps.fit(upright, size, Image.Resampling.LANCZOS)
    planar = av.VideoFrame.from_bytes(fitted.convert("RGBA").tobytes(), *size).reformat(
        format="yuv420p", dst_colorspace=colours
    )
    return tuple(
        Image.frombuffer("L", (plane.width, plane.height), bytes(plane), "raw", "L", plane.line_size, 1)
        for plane in planar.planes
    )


def _morph(first: _Planes, last: _Planes | None, spec: ClipSpec) -> Iterator[av.VideoFrame]:
    """Yield the clip's pictures.

    Two frames dissolve into each other under a zoom that is back where it began at the end, so that the
    clip's ends are the given frames; a single frame is slowly zoomed into.
    """
    count = spec.duration * FRAMES_PER_SECOND
    for index in range(count):
        progress = index / (count - 1)
        eased = progress * progress * (3 - 2 * progress)
        zoom = 1 + _ZOOM * (math.sin(math.pi * progress) ** 2 if last else eased)
        blended = first
        if last is not None:
            blended = tuple(Image.blend(one, other, eased) for one, other in zip(first, last, strict=True))
        picture = av.VideoFrame(*spec.size, "yuv420p")
        picture.pts = index
        picture.time_base = Fraction(1, FRAMES_PER_SECOND)
        for plane, image in zip(picture.planes, blended, strict=True):
            rows = _zoom(image, zoom).tobytes("raw", "L", plane.line_size, 1)
            plane.update(rows.ljust(plane.buffer_size, b"\0"))
        yield picture


def _zoom(image: Image.Image, factor: float) -> Image.Image:
    width, height = image.size
    left, top = (width - width / factor) / 2, (height - height / factor) / 2
    box = (left, top, width - left, height - top)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=box)


def _tone(count: int) -> Iterator[av.AudioFrame]:
    """Yield a soft chord, a piece of sound for each picture, that fades in and out within a second."""
    for index in range(count):
        gain = min(index, count - 1 - index, FRAMES_PER_SECOND) / FRAMES_PER_SECOND
        samples = array("h", (round(32767 * _LOUDNESS * gain * sample) for sample in _CHORD))
        frame = av.AudioFrame("s16", "mono", _SAMPLES_PER_FRAME)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = _SAMPLE_RATE
        frame.pts = index * _SAMPLES_PER_FRAME
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        yield frame


def _chord() -> tuple[float, ...]:
    steps = (2 * math.pi * sample / _SAMPLE_RATE for sample in range(_SAMPLES_PER_FRAME))
    return tuple(sum(math.sin(tone * step) for tone in _TONES) / len(_TONES) for step in steps)


_CHORD = _chord()
