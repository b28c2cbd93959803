"""Runware's error codes, in groups that mean the same here.

The catalogue is large and unstable: a code in no group is an error with its own text. The names are those
that the official SDK (`runware-sdk` 1.8.0) sorts by; its patterns are followed where they concern a task.
"""

import re
from enum import StrEnum


class CodeGroup(StrEnum):
    """What an error code speaks of."""

    CONFLICT = "conflict"
    """A task with this task UUID has been taken before; the SDK, too, reads it as an acknowledgement."""
    GONE = "gone"
    """Runware does not know the task."""
    RATE = "rate"
    """Too much at a time; later there is room."""
    BUSY = "busy"
    """The moment, or Runware itself."""
    CREDIT = "credit"
    """The account's money or quota."""
    ACCOUNT = "account"
    """The key, or what it may do."""
    FORM = "form"
    """The request that names a task, not the task."""
    SAFETY = "safety"
    """Prompt, frame or video was moderated."""
    OTHER = "other"


_GONE = re.compile(r"taskFailedOrNotFound|(task|job|result|response)\w*(NotFound|Expired)")
_NAMES: dict[CodeGroup, frozenset[str]] = {
    CodeGroup.CONFLICT: frozenset({"conflictTaskUUID"}),
    CodeGroup.SAFETY: frozenset(
        {
            "contentPolicyViolation",
            "providerContentPolicyViolation",
            "sensitiveContentDetected",
            "unsafeContentDetected",
            "nsfwContentDetected",
            "promptBlocked",
            "imageBlocked",
            "moderationFailed",
            "invalidProviderContent",
        }
    ),
    CodeGroup.CREDIT: frozenset({"paymentRequired"}),
    CodeGroup.ACCOUNT: frozenset(
        {
            "environmentPaused",
            "unauthorized",
            "forbidden",
            "permissionDenied",
            "insufficientPermissions",
            "authenticationFailed",
            "authFailed",
            "authTimeout",
            "invalidAuthentication",
            "invalidCredentials",
            "missingAuthentication",
            "tokenExpired",
            "tokenInvalid",
            "tokenMissing",
            "tokenRevoked",
        }
    ),
    CodeGroup.FORM: frozenset({"invalidTaskType", "missingTaskType", "invalidTaskUUID", "missingTaskUUID"}),
    CodeGroup.BUSY: frozenset(
        {
            "internalServerError",
            "serviceUnavailable",
            "serverUnavailable",
            "noAvailableServer",
            "timeout",
            "standardError",
            "unknownError",
            "undefinedError",
            "defaultError",
            "unrecognizedResponse",
        }
    ),
    # About a model, not the account.
    CodeGroup.OTHER: frozenset({"modelDisabled"}),
}
_PARTS: dict[CodeGroup, tuple[str, ...]] = {
    CodeGroup.RATE: ("RateLimit", "rateLimit"),
    CodeGroup.CREDIT: ("Credits", "Quota", "quota", "Balance"),
    CodeGroup.ACCOUNT: ("ApiKey", "Suspended", "Disabled"),
}


def code_group(code: str) -> CodeGroup:
    """Give the group of a code."""
    if _GONE.fullmatch(code):
        return CodeGroup.GONE
    named = next((group for group, names in _NAMES.items() if code in names), None)
    if named is not None:
        return named
    return next(
        (group for group, parts in _PARTS.items() if any(part in code for part in parts)), CodeGroup.OTHER
    )
