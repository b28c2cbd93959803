"""What no document says about Runware, as options: each value is one way in which it may answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FailurePlace = Literal["data", "data-flat", "errors", "errors-400"]
ReasonPlace = Literal["flat", "nested"]


class Unknowns(BaseModel):
    """How Runware answers where its documents are silent or disagree; the defaults are its unkindest.

    Unlike a fault, a value that `PUT /faults` leaves out stays as the sandbox was started with it, so that a
    suite runs whole under each value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    failure_place: FailurePlace = Field(
        default="errors-400",
        description="Where a failed job is told: in data with a nested error, in data with code and message "
        "flat, in errors at HTTP 200, or in errors at HTTP 400.",
    )
    poll_with_failed: Literal["hides", "shows"] = Field(
        default="hides",
        description="Whether a poll answered 400 for a failed job hides or shows its other jobs.",
    )
    reason_place: ReasonPlace = Field(
        default="flat",
        description="Where a provider's words stand: responseContent flat, or nested in additionalDetails.",
    )
    unknown_answer: Literal["empty", "not-found"] = Field(
        default="empty",
        description="What getResponse says of an unknown id: nothing at HTTP 200, or taskNotFound at 404.",
    )
    unknown_details: Literal["empty", "not-found", "blank"] = Field(
        default="empty",
        description="What getTaskDetails says of an unknown id: nothing, taskNotFound at 404, or an element "
        "with an empty request and response.",
    )
    archive_forgets: bool = Field(
        default=False, description="getTaskDetails forgets the tasks that getResponse forgets or hides."
    )
    frame_check: Literal["job", "submission"] = Field(
        default="job",
        description="When a frame that breaks the rules is refused: by the failure of its accepted job, or "
        "at once.",
    )
    lite_frames: Literal["both", "plain"] = Field(
        default="both",
        description="Frames that Veo 3.1 Lite takes: objects and plain URLs, or plain URLs only.",
    )
    balance_form: Literal["object", "number"] = Field(
        default="object",
        description="The balance of an account: {amount, freeBalance, currency}, or a number.",
    )
    credit_refusal: Literal["whole", "named"] = Field(
        default="whole",
        description="What a balance that doesn't cover a request refuses, with 402: the whole request "
        "without naming a task, or by name each task that it doesn't cover.",
    )
    resend_finished: Literal["conflict", "bill"] = Field(
        default="conflict",
        description="What becomes of a finished task's id that is sent again: conflictTaskUUID, or a second "
        "job that is billed, too.",
    )
    conflict_names_task: bool = Field(
        default=True, description="conflictTaskUUID has the taskUUID that it is about."
    )
    failure_webhook: Literal["sent", "none"] = Field(
        default="sent", description="Whether a failed job calls its webhook."
    )
    webhook_envelope: Literal["flat", "data", "list"] = Field(
        default="flat",
        description="Body of a webhook: the flat result, {data: [result]}, or a list of one result.",
    )
    dead_link: Literal["gone", "not-found"] = Field(
        default="gone", description="What a video's URL answers after its ttl: 410 or 404."
    )
