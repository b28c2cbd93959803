"""Judges the key and the credit by what Runware answers about the account. Pure."""

import math
from enum import StrEnum
from http import HTTPStatus

from service.clips.catalogue import VideoModel
from service.clips.estimate import Price
from service.clips.models import GenerationSettings
from service.doctor.findings import Finding, Verdict
from service.errors import MalformedResult
from service.runware.account import Account
from service.runware.answers import Reply
from service.runware.codes import CodeGroup, code_group
from service.runware.results import ErrorSaid, is_envelope, read_statements
from service.runware.verdicts import is_success

CREDIT = "Credit"
_RUNWARE = "Runware"
# Fewer clips than this are gone within a project.
_FEW_CLIPS = 10
_LEAST_USD = 0.01
_PERMISSION_CODES = frozenset({"forbidden", "insufficientPermissions", "permissionDenied"})


class Access(StrEnum):
    """What an answer says about the key."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DECLINED = "declined"
    """The question is not answered; another one may be."""
    BUSY = "busy"
    REDIRECTED = "redirected"
    ELSEWHERE = "elsewhere"
    """It is not Runware that answers."""
    SILENT = "silent"


def access(reply: Reply | str) -> Access:
    """Tell what the answer to a free question says about the key."""
    if isinstance(reply, str):
        return Access.SILENT
    if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
        return Access.REDIRECTED
    if reply.busy:
        return Access.BUSY
    if reply.status != HTTPStatus.UNAUTHORIZED and not is_envelope(reply.body):
        return Access.ELSEWHERE
    return _said_of_key(reply)


def _said_of_key(reply: Reply) -> Access:
    error = error_said(reply)
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return Access.REFUSED
    if error is None:
        return Access.ACCEPTED if is_success(reply.status) else Access.DECLINED
    if code_group(error.code) is CodeGroup.ACCOUNT and error.code not in _PERMISSION_CODES:
        return Access.REFUSED
    return Access.DECLINED


def accepts_key(reply: Reply | str) -> bool:
    """Whether the answer to a question about a job that there is not shows that the key is good."""
    said = access(reply)
    unknown_job = not isinstance(reply, str) and reply.status in (
        HTTPStatus.OK,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
    )
    return said is Access.ACCEPTED or (said is Access.DECLINED and unknown_job)


def error_said(reply: Reply | str) -> ErrorSaid | None:
    """Give the first error of an answer, if it has one."""
    if isinstance(reply, str):
        return None
    try:
        statements = read_statements(reply.body, lambda _: None)
    except MalformedResult:
        return None
    return next((said.error for said in statements if said.error is not None), None)


def key_finding(reply: Reply | str, url: str, *, otherwise_accepted: bool = False) -> Finding:
    """Judge the key by the answer about the account.

    `otherwise_accepted`: where that was declined, another question was answered.
    """
    error = error_said(reply)
    words = "no reason" if error is None else f"{error.code}: {error.message}"
    status = "" if isinstance(reply, str) else f"HTTP {reply.status}"
    said = access(reply)
    if said is Access.ACCEPTED:
        return Finding(_RUNWARE, Verdict.OK, f"It accepts the key, at {url}.", value=said)
    if said is Access.DECLINED and otherwise_accepted:
        return Finding(
            _RUNWARE,
            Verdict.WARNING,
            f"It accepts the key, at {url}, but does not let it read the account ({words}).",
            "Give the key that permission in Runware's dashboard: without it nobody sees the credit go, and "
            "an empty account can't be told from a busy one.",
            value="accepted, without permission",
        )
    found, remedy = {
        Access.REFUSED: (
            f"It refuses the key ({words}).",
            "Check RUNWARE_API_KEY: copy it whole from Runware's dashboard, where it must be enabled.",
        ),
        Access.DECLINED: (
            f"It answers the key nothing ({words}, {status}).",
            "Check RUNWARE_API_KEY, and what it may do, in Runware's dashboard.",
        ),
        Access.BUSY: (
            f"It is busy or down ({status}), so that the key could not be checked.",
            "Run this again in a minute.",
        ),
        Access.REDIRECTED: (
            f"{url} leads elsewhere ({status}), where the key is not sent.",
            "Set RUNWARE_API_URL to the address that it leads to, if that is Runware's.",
        ),
        Access.ELSEWHERE: (
            f"{url} answers, but not as Runware does ({status}).",
            "Check RUNWARE_API_URL, and that no proxy stands before it. The key was not checked.",
        ),
        Access.SILENT: (
            f"{url} gives no answer: {reply}.",
            "Check RUNWARE_API_URL, and that this machine may reach it. The key was not checked.",
        ),
    }[said]
    return Finding(_RUNWARE, Verdict.FAILED, found, remedy, value=said)


def credit_finding(
    account: Account, model: VideoModel, settings: GenerationSettings, price: Price | None
) -> Finding:
    """Say for how many of the shortest clips of the default model the credit is enough."""
    if account.balance is None:
        return Finding(
            CREDIT,
            Verdict.WARNING,
            "The account tells no balance that can be read.",
            "See in Runware's dashboard that there is credit.",
        )
    balance = dollars(account.balance)
    if account.balance < _LEAST_USD:
        return _lacking(f"The balance is {balance}: no clip can be made.")
    what = f"{model.name}, {model.durations_s[0]} s{_variant(settings)}"
    if price is None:
        return Finding(
            CREDIT,
            Verdict.OK,
            f"The balance is {balance}. What a clip costs ({what}) is not known before the first one.",
        )
    cost = price.usd_per_second * model.durations_s[0]
    # A cent's fraction of the binary form must not cost a clip.
    clips = math.floor(account.balance / cost + 1e-9)
    if clips < 1:
        return _lacking(f"The balance is {balance}: not enough for a clip of {what}, at {dollars(cost)}.")
    found = f"The balance is {balance}: enough for {clips} clips of {what}, at {dollars(cost)}."
    if clips < _FEW_CLIPS:
        found = found.replace(" 1 clips", " 1 clip")
        return Finding(CREDIT, Verdict.WARNING, found, "Add credit in Runware's dashboard soon.", str(clips))
    return Finding(CREDIT, Verdict.OK, found, value=str(clips))


def dollars(usd: float) -> str:
    """Show an amount in USD, to the cent or as exactly as it is known."""
    return f"${usd:.2f}" if math.isclose(usd, round(usd, 2), abs_tol=1e-9) else f"${usd:.4f}"


def _lacking(found: str) -> Finding:
    return Finding(CREDIT, Verdict.FAILED, found, "Add credit in Runware's dashboard.", value="0")


def _variant(settings: GenerationSettings) -> str:
    resolution = f", {settings.resolution}" if settings.resolution else ""
    return f"{resolution}, {'with sound' if settings.generate_audio else 'silent'}"
