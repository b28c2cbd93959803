"""Which frames Runware can fetch by itself, and which go along with their task."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from service.addresses import is_private
from service.clips.images import kept_image_type

# The longest signed URLs have some 2,000. Supabase's list of projects has the same limit in SQL
# (`clip_service.readable_url`).
MAX_URL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FrameRules:
    """What an installation decides about the URLs of frames.

    `upload_paths`, each with its last slash, are those under which the service gives out the images that it
    keeps itself. `uploads_are_reached`: an image that is uploaded gets to Runware, one way or the other.
    `private_is_reached`: the provider reaches loopback and private addresses, as a sandbox on this machine
    does.
    """

    upload_paths: tuple[str, ...] = ("/uploads/",)
    uploads_are_reached: bool = True
    private_is_reached: bool = False

    def upload_to_send(self, url: str) -> str | None:
        """Name the service's own upload that a URL leads to, if Runware can't fetch it from there.

        The name is the hash of the image, so that only a person who has the image can write it: which host
        stands before it does not matter for what may be read.
        """
        parts = http_parts(url)
        if parts is None or not is_private(parts.hostname or "") or parts.query or parts.fragment:
            return None
        for path in self.upload_paths:
            name = parts.path.removeprefix(path)
            if name != parts.path and kept_image_type(name) is not None:
                return name
        return None

    def problem(self, url: str) -> str | None:
        """Say why a frame at an http(s) URL can't get to Runware; None if it can, as far as the URL tells."""
        parts = http_parts(url)
        host = (parts and parts.hostname) or ""
        if self.private_is_reached or not is_private(host) or self.upload_to_send(url) is not None:
            return None
        remedy = "upload it, or use a public URL" if self.uploads_are_reached else "use a public URL"
        return f"at {host}, which Runware can't reach: {remedy}"


DEFAULT_FRAME_RULES = FrameRules()
"""Those of a service that keeps its uploads itself, and buys from Runware."""


class FramesWay(StrEnum):
    """How uploaded frames get to Runware."""

    FETCHED = "fetched"
    """By their URL."""
    SENT_ALONG = "sent_along"
    """In the request that carries the task, as base64."""
    OUT_OF_REACH = "out_of_reach"
    """Not at all: they lie where Runware can't fetch them, and the service doesn't keep them itself."""


@dataclass(frozen=True, slots=True)
class FramesDelivery:
    """How uploaded frames get to Runware, in a sentence, and what to do about it, empty where nothing is."""

    way: FramesWay
    sentence: str
    remedy: str = ""


def frames_delivery(public_url: str | None, supabase_url: str | None) -> FramesDelivery:
    """Say how an installation's uploaded frames get to Runware. Supabase keeps them where it is used."""
    if supabase_url is not None:
        host = urlsplit(supabase_url).hostname or ""
        if is_private(host):
            return FramesDelivery(
                FramesWay.OUT_OF_REACH,
                f"Uploaded frames lie in Supabase at {host}, which Runware can't reach.",
                "Set SUPABASE_URL to a project that is reached from outside, or leave it out: then the "
                "service keeps the frames, and sends them along.",
            )
        return FramesDelivery(FramesWay.FETCHED, f"Runware fetches uploaded frames from {supabase_url}.")
    if public_url is None:
        why = "PUBLIC_URL is not set"
    elif is_private(host := urlsplit(public_url).hostname or ""):
        why = f"Runware can't reach PUBLIC_URL at {host}"
    else:
        return FramesDelivery(FramesWay.FETCHED, f"Runware fetches uploaded frames from {public_url}.")
    return FramesDelivery(FramesWay.SENT_ALONG, f"Uploaded frames are sent along with their clips: {why}.")


def fits(url: str) -> bool:
    """Whether a URL is short enough to be kept with each clip, and shown in lists."""
    return len(url.encode()) <= MAX_URL_BYTES


def http_parts(text: str) -> SplitResult | None:
    """Take an http(s) URL apart; None for any other text."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None
