"""Which faults strike: by chance from a seed, by a directive in the prompt, by a header of the request."""

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b

from service.sandbox.errors import TaskError
from service.sandbox.options import Faults

_REMEMBERED_BODIES = 10_000
_DIRECTIVE = re.compile(r"\[sandbox:([^\]=]*)(?:=([^\]]*))?\]")

REFUSED = TaskError(
    "invalidPositivePrompt", "Refused because the prompt says [sandbox:refuse]", "positivePrompt"
)
_BLOCKED = (
    "Your current safety settings for people/face generation filtered out 1 videos. You will not be charged "
    "for blocked videos. Try other frames or another prompt."
)
_FAILURES = {
    failure.code: failure
    for failure in (
        TaskError("inferenceError", "The model's provider failed to make this clip; send it again later"),
        TaskError(
            "timeoutProvider", "The external provider did not respond in time; send the task again later"
        ),
        TaskError("providerUnavailable", "The external provider is not available; send the task again later"),
        TaskError("providerRateLimitExceeded", "The external provider takes no more tasks for now"),
        *(
            TaskError(code, "Invalid content detected. Change the prompt or the frames", reason=_BLOCKED)
            for code in (
                "invalidProviderContent",
                "contentPolicyViolation",
                "providerContentPolicyViolation",
                "nsfwContentDetected",
                "promptBlocked",
                "imageBlocked",
            )
        ),
    )
}
_FAILED = _FAILURES["inferenceError"]
_MODERATED = _FAILURES["invalidProviderContent"]
_CODE = re.compile(r"[a-z][A-Za-z]{2,63}")


def named_failure(code: str) -> TaskError:
    """Return the failure of a code, with the provider's words if it is one of content; any code is one."""
    return _FAILURES.get(code) or TaskError(code, f"The job failed with the code {code}, as its prompt asks")


def draw(seed: int, decision: str, key: str) -> float:
    """Return a number in [0, 1) that depends on the three arguments alone."""
    digest = blake2b(f"{seed}:{decision}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


@dataclass(frozen=True, slots=True)
class JobFaults:
    """What strikes one job. `failure` ends it; a refused task never becomes a job.

    `fail_once`: the failure strikes only the first job of this prompt, so that a retry succeeds.
    """

    slow_seconds: float = 0
    failure: TaskError | None = None
    fail_once: bool = False
    forget: bool = False
    refuse: bool = False
    unlisted: bool = False
    drop_webhook: bool = False
    double_webhook: bool = False
    delay_webhook_seconds: float = 0
    reorder_webhook: bool = False
    early_webhook: bool = False
    empty_video_seconds: float = 0


class DirectiveError(Exception):
    """A fault that was asked for by prompt or header can't be understood; the text says what can."""


def decide(faults: Faults, seed: int, task_uuid: str, prompt: str) -> JobFaults:
    """Draw a job's faults and add those that its prompt asks for.

    Raises DirectiveError for a `[sandbox:…]` that isn't known.
    """

    def strikes(decision: str, rate: float) -> bool:
        return draw(seed, decision, task_uuid) < rate

    failure = _FAILED if strikes("fail", faults.fail_rate) else None
    if strikes("moderate", faults.moderate_rate):
        failure = _MODERATED
    drawn = JobFaults(
        slow_seconds=faults.slow_seconds if strikes("slow", faults.slow_rate) else 0,
        failure=failure,
        forget=strikes("forget", faults.forget_rate),
        unlisted=strikes("unlisted", faults.unlisted_rate),
        drop_webhook=strikes("drop", faults.webhook_drop_rate),
        double_webhook=strikes("double", faults.webhook_double_rate),
        delay_webhook_seconds=(
            faults.webhook_delay_seconds if strikes("delay", faults.webhook_delay_rate) else 0
        ),
        reorder_webhook=strikes("reorder", faults.webhook_reorder_rate),
        early_webhook=strikes("early", faults.early_webhook_rate),
        empty_video_seconds=faults.video_empty_seconds,
    )
    for name, value in _DIRECTIVE.findall(prompt):
        drawn = _obey(drawn, name.strip(), value.strip())
    return drawn


_Directive = Callable[[JobFaults, float], JobFaults]

_PLAIN_DIRECTIVES: dict[str, _Directive] = {
    "fail": lambda faults, _: replace(faults, failure=_FAILED),
    "fail-once": lambda faults, _: replace(faults, failure=_FAILED, fail_once=True),
    "moderate": lambda faults, _: replace(faults, failure=_MODERATED),
    "forget": lambda faults, _: replace(faults, forget=True),
    "refuse": lambda faults, _: replace(faults, refuse=True),
    "unlisted": lambda faults, _: replace(faults, unlisted=True),
    "drop-webhook": lambda faults, _: replace(faults, drop_webhook=True),
    "double-webhook": lambda faults, _: replace(faults, double_webhook=True),
    "reorder-webhook": lambda faults, _: replace(faults, reorder_webhook=True),
    "early-webhook": lambda faults, _: replace(faults, early_webhook=True),
}
_TIMED_DIRECTIVES: dict[str, _Directive] = {
    "slow": lambda faults, seconds: replace(faults, slow_seconds=seconds),
    "delay-webhook": lambda faults, seconds: replace(faults, delay_webhook_seconds=seconds),
    "empty-video": lambda faults, seconds: replace(faults, empty_video_seconds=seconds),
}


def _obey(faults: JobFaults, name: str, value: str) -> JobFaults:
    if name in _PLAIN_DIRECTIVES and not value:
        return _PLAIN_DIRECTIVES[name](faults, 0)
    if name in _TIMED_DIRECTIVES and (seconds := _seconds(value)) is not None:
        return _TIMED_DIRECTIVES[name](faults, seconds)
    if name == "fail" and _CODE.fullmatch(value):
        return replace(faults, failure=named_failure(value))
    known = [*_PLAIN_DIRECTIVES, "fail=CODE", *(f"{timed}=SECONDS" for timed in _TIMED_DIRECTIVES)]
    raise DirectiveError(f"No directive [sandbox:{name}{value and '='}{value}]; there are {', '.join(known)}")


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= 3600 else None  # noqa: PLR2004  the bound of every option in seconds


@dataclass(frozen=True, slots=True)
class RequestFaults:
    """What strikes one HTTP request: a wait, then a bare status, or the loss of it or of its reply."""

    delay_seconds: float = 0
    status: int | None = None
    drop_submission: bool = False
    lose_reply: bool = False


def read_header(header: str) -> RequestFaults:
    """Read `X-Sandbox-Fault`, a comma-separated list of `lose-reply`, `status=503` and `delay=2`.

    Raises DirectiveError for anything else.
    """
    faults = RequestFaults()
    for part in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = part.partition("=")
        if name == "lose-reply" and not value:
            faults = replace(faults, lose_reply=True)
        elif name == "status" and re.fullmatch(r"[45]\d\d", value):
            faults = replace(faults, status=int(value))
        elif name == "delay" and (seconds := _seconds(value)) is not None:
            faults = replace(faults, delay_seconds=seconds)
        else:
            raise DirectiveError(
                f"X-Sandbox-Fault takes lose-reply, status=4xx or 5xx, delay=SECONDS; not {part!r}"
            )
    return faults


class RequestChances:
    """Draws the faults of whole requests, and keeps count of the burst that is under way.

    A request is known by its body and how often that body came: a repeated request is a new chance, and the
    order in which different requests arrive decides nothing. Only the length of a burst is counted in order.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._times_seen: OrderedDict[bytes, int] = OrderedDict()
        self._burst_left = 0

    def decide(self, faults: Faults, body: bytes) -> RequestFaults:
        """Return the faults of the request that has just come with this body.

        The request that starts a burst is the first of the `burst_length` that it refuses.
        """
        if not faults.burst_rate:
            self._burst_left = 0
        if not (faults.burst_rate or faults.drop_submission_rate or faults.lose_reply_rate):
            return RequestFaults()
        key = self._key(body)
        if not self._burst_left and draw(self._seed, "burst", key) < faults.burst_rate:
            self._burst_left = faults.burst_length
        if self._burst_left:
            self._burst_left -= 1
            return RequestFaults(status=faults.burst_status)
        return RequestFaults(
            drop_submission=draw(self._seed, "drop", key) < faults.drop_submission_rate,
            lose_reply=draw(self._seed, "lose", key) < faults.lose_reply_rate,
        )

    def _key(self, body: bytes) -> str:
        digest = blake2b(body, digest_size=16).digest()
        times = self._times_seen.pop(digest, 0) + 1
        self._times_seen[digest] = times
        if len(self._times_seen) > _REMEMBERED_BODIES:
            self._times_seen.popitem(last=False)
        return f"{digest.hex()}:{times}"
