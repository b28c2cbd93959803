"""Runware's error codes, sorted by what they mean here.

The catalogue is large and unstable: a code in no group is a failure with its own text. The names are those
that the official SDK (`runware-sdk` 1.8.0) sorts by; its patterns are followed where they concern a task.
"""

import re

from service.clips.models import FailureKind

CONFLICT = "conflictTaskUUID"
"""A task with this task UUID has been taken before; the SDK, too, reads it as an acknowledgement."""

_NOT_FOUND = re.compile(r"taskFailedOrNotFound|(task|job|result|response)\w*(NotFound|Expired)")
_SAFETY = frozenset(
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
)
_ACCOUNT = frozenset(
    {
        "paymentRequired",
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
)
_ACCOUNT_PARTS = ("ApiKey", "Credits", "Quota", "quota", "Balance", "Suspended", "Disabled")
_FORM = frozenset({"invalidTaskType", "missingTaskType", "invalidTaskUUID", "missingTaskUUID"})
_BUSY = frozenset(
    {
        "rateLimitExceeded",
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
)


def is_not_found(code: str) -> bool:
    """Whether Runware says that it does not know the task."""
    return _NOT_FOUND.fullmatch(code) is not None


def is_busy(code: str) -> bool:
    """Whether the refusal concerns the moment, not the task."""
    return code in _BUSY or "RateLimit" in code


def is_about_form(code: str) -> bool:
    """Whether it is the request that names a task, and not the task, that is wrong."""
    return code in _FORM


def failure_kind(code: str, otherwise: FailureKind) -> FailureKind:
    """Sort a failure's code; `otherwise` is the kind of a code in no group."""
    if code in _SAFETY:
        return FailureKind.SAFETY
    # modelDisabled is about a model, not the account, and is told like any other refusal.
    if code in _ACCOUNT or (code != "modelDisabled" and any(part in code for part in _ACCOUNT_PARTS)):
        return FailureKind.ACCOUNT
    return otherwise
