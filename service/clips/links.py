"""How long the link to a video lives."""

from datetime import datetime, timedelta

from service.clips.models import Clip

# A caller's report, not a promise of Runware's: links die after about this long unless `ttl` says otherwise.
_USUAL_LIFE = timedelta(days=30)


def link_expires_at(clip: Clip, ttl_seconds: int | None) -> datetime | None:
    """Give when the link to a clip's video ends; None for a clip without one, and for one that was adopted.

    Counted from the moment at which the service learned of the video. `ttl_seconds` is what was asked for;
    without it the link is taken to live for 30 days, which is one caller's report.
    """
    if clip.video_url is None or clip.settled_at is None or clip.adopted:
        return None
    return clip.settled_at + (_USUAL_LIFE if ttl_seconds is None else timedelta(seconds=ttl_seconds))
