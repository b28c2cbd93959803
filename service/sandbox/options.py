"""How a sandbox behaves: its faults, which can be replaced while it runs, and the settings it starts with."""

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from service.sandbox.unknowns import Unknowns

Rate = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]

_FAULT_OBJECT = TypeAdapter(dict[str, object])


class Faults(Unknowns):
    """What goes wrong, and how often.

    Rates run from 0 (never) to 1 (always). Each decision is drawn from the sandbox's `seed` and the task's
    `taskUUID` (for whole requests: the body and how often it came), never from time or order, so the same
    tasks meet the same faults again.
    """

    slow_rate: Rate = Field(default=0, description="Share of jobs that take slow_seconds longer.")
    slow_seconds: Seconds = Field(default=30, description="Seconds added to a slow job.")
    fail_rate: Rate = Field(default=0, description="Share of jobs that end with inferenceError, unbilled.")
    moderate_rate: Rate = Field(
        default=0, description="Share of jobs that end with invalidProviderContent, unbilled."
    )
    webhook_drop_rate: Rate = Field(default=0, description="Share of jobs whose webhook is never sent.")
    webhook_double_rate: Rate = Field(default=0, description="Share of jobs whose webhook is sent twice.")
    webhook_delay_rate: Rate = Field(default=0, description="Share of jobs whose webhook is sent late.")
    webhook_delay_seconds: Seconds = Field(default=10, description="How late a delayed webhook is sent.")
    webhook_reorder_rate: Rate = Field(
        default=0, description="Share of jobs whose webhook waits until another job's has gone first, or 3 s."
    )
    early_webhook_rate: Rate = Field(
        default=0,
        description="Share of jobs that end at once, their webhook sent before the submission is answered.",
    )
    lose_reply_rate: Rate = Field(
        default=0, description="Share of submissions that are accepted, then dropped without an answer."
    )
    drop_submission_rate: Rate = Field(
        default=0, description="Share of submissions whose connection breaks before anything is accepted."
    )
    answer_delay_seconds: Seconds = Field(
        default=0, description="How long the answer to a submission is held back, its tasks accepted."
    )
    hide_rate: Rate = Field(
        default=0,
        description="Share of tasks that getResponse does not know while this is set, though they run.",
    )
    unlisted_rate: Rate = Field(
        default=0, description="Share of running jobs that getResponse does not list until they end."
    )
    archive_off: bool = Field(default=False, description="getTaskDetails is refused as invalidTaskType.")
    account_off: bool = Field(
        default=False, description="accountManagement is refused by 403, as the key lacks permission for it."
    )
    burst_rate: Rate = Field(default=0, description="Share of requests that start a burst of HTTP errors.")
    burst_length: int = Field(default=3, ge=1, le=10_000, description="Requests refused by one burst.")
    burst_status: int = Field(default=429, ge=400, le=599, description="HTTP status of a burst.")
    burst_json: bool = Field(
        default=False, description="Bursts and statuses by header come with JSON, else with a gateway's page."
    )
    throttle_402_above: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Jobs that run at once before more are refused by 402 without names, though there is "
        "money; 0 never refuses.",
    )
    balance_usd: float = Field(
        default=1_000_000, ge=0, le=1e12, description="USD paid in; what is billed comes off it."
    )
    video_empty_seconds: Seconds = Field(
        default=0, description="How long the URL of a finished video serves 0 bytes."
    )
    forget_rate: Rate = Field(
        default=0, description="Share of tasks that are accepted and billed, then unknown for ever."
    )
    strict_batches: bool = Field(
        default=False, description="One bad task refuses its whole array, by an error that names no task."
    )


class SandboxOptions(Faults):
    """A sandbox's settings. All are scalars, so that each can be one command-line option."""

    seed: int = Field(default=1, ge=0, description="Seed of job times and faults; same seed, same run.")
    api_key: str = Field(
        default="sandbox-key", description="The key that callers must send; empty accepts every key."
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Base of the video URLs it hands out; empty uses the address it listens on.",
    )
    private_frames: Literal["refuse", "take"] = Field(
        default="refuse",
        description="Frames at loopback and private addresses, which Runware can't reach: refused, or taken. "
        "The sandbox's own sample frames are taken in any case.",
    )
    min_seconds: Seconds = Field(default=3, description="Shortest time that a job takes.")
    max_seconds: Seconds = Field(default=8, description="Longest time that a job takes, faults apart.")
    max_long_side: int = Field(
        default=1280,
        ge=32,
        le=3840,
        description="Longer side of a clip in pixels, at most; 64 makes tiny clips in a few milliseconds.",
    )
    min_ttl_seconds: int = Field(
        default=60, ge=1, le=86_400, description="The shortest ttl of a video's URL that a task may ask for."
    )
    cache_megabytes: int = Field(
        default=2048, ge=1, le=1_000_000, description="Disk space for clips; the least used go first."
    )
    max_jobs: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="Jobs kept in memory; the oldest finished ones are dropped first.",
    )
    webhook_tries: int = Field(
        default=8, ge=1, le=20, description="Times that a webhook is sent until it is answered by 2xx."
    )
    webhook_timeout_seconds: float = Field(
        default=5, gt=0, le=60, description="How long the answer to a webhook is awaited."
    )

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if self.min_seconds > self.max_seconds:
            raise ValueError(
                f"min_seconds ({self.min_seconds:g}) is above max_seconds ({self.max_seconds:g}); swap them"
            )
        return self

    def faults(self) -> Faults:
        """Return the part that can be replaced at run time."""
        return Faults.model_validate(self.model_dump(include=set(Faults.model_fields)))

    def replaced_faults(self, body: bytes) -> Faults:
        """Read faults that replace all others; the unknowns and the balance stay as at the start if left out.

        Raises ValidationError.
        """
        kept = self.model_dump(include={*Unknowns.model_fields, "balance_usd"})
        return Faults.model_validate({**kept, **_FAULT_OBJECT.validate_json(body)})
