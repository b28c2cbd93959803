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
