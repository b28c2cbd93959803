"""Runware's error codes, sorted by what they mean here.

The catalogue is large and unstable: a code in no group is a failure with its own text. The groups follow
the official SDK (`runware-sdk` 1.8.0), which sorts by the same names and patterns.
"""

from service.clips.models import Failure, FailureKind

CONFLICT = "conflictTaskUUID"
"""A task with this task UUID has been taken before; the SDK, too, reads it as an acknowledgement."""

_NOT_FOUND = frozenset({"taskNotFound", "taskFailedOrNotFound"})
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
_FORM_PREFIXES = ("invalid", "missing", "unsupported", "unknownParameter", "conflict", "duplicate")
_BUSY = frozenset(
    {
        "rateLimitExceeded",
        "internalServerError",
        "serviceUnavailable",
        "serverUnavailable",
        "noAvailableServer",
        "timeout",
    }
)


def is_not_found(code: str) -> bool:
    """Whether Runware says that it does not know the task."""
    return code in _NOT_FOUND


def is_busy(code: str) -> bool:
    """Whether the refusal concerns the moment, not the task."""
    return code in _BUSY or "RateLimit" in code


def is_about_asking(failure: Failure) -> bool:
    """Whether an error in the answer to a question is about the question: its sender or its form."""
    return failure.kind is FailureKind.ACCOUNT or (
        failure.kind is not FailureKind.SAFETY and failure.code.startswith(_FORM_PREFIXES)
    )


def failure_kind(code: str, otherwise: FailureKind) -> FailureKind:
    """Sort a failure's code; `otherwise` is the kind of a code in no group."""
    if code in _SAFETY:
        return FailureKind.SAFETY
    # modelDisabled is about a model, not the account, and is told like any other refusal.
    if code in _ACCOUNT or (code != "modelDisabled" and any(part in code for part in _ACCOUNT_PARTS)):
        return FailureKind.ACCOUNT
    return otherwise
