"""What can be learned about a job, from whichever side: an answer, a webhook, a poll or the clock."""

from dataclasses import dataclass

from service.clips.models import Failure


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Runware has the task and has not finished it."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The video is there. `cost_usd` is None where the provider did not say."""

    video_url: str
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider said that there will be no video.

    `of_one_send`: the last response to the task is all that is known, which need not be the only one.
    """

    failure: Failure
    cost_usd: float | None = None
    of_one_send: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Runware answered that it does not know the task, or keeps no record of it where it keeps all."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Absent:
    """Runware answered, and did not mention the task. It answers so for tasks that run, too: no proof."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Runware refused the task for the moment: it was not taken, and may be sent again later.

    `no_credit`: it gave a lack of credit as its reason, which it also does while it throttles an account that
    has money. The provider's adapter finds out which of the two it is.
    """

    failure: Failure
    no_credit: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nothing can be concluded: no answer, or one that makes no sense. `reason` is fit for a log."""

    reason: str


@dataclass(frozen=True, slots=True)
class VideoRefused:
    """There is a video, at a URL that may not be handed on; `reason` says why, without its secret parts."""

    reason: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The clip's time is over, and the last look brought nothing of what had been sent `sends` times."""

    failure: Failure
    sends: int


@dataclass(frozen=True, slots=True)
class Reopened:
    """A person asked again for a clip that had presumably failed, and Runware still has its task."""


@dataclass(frozen=True, slots=True)
class Superfluous:
    """The video of an earlier attempt at the same has come."""


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A person does not want the clip any more."""


Outcome = (
    Acknowledged
    | Succeeded
    | Failed
    | Unknown
    | Absent
    | Throttled
    | Unclear
    | VideoRefused
    | Expired
    | Reopened
    | Superfluous
    | Unwanted
)
