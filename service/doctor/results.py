"""Reads how a clip's end was told, by getResponse and by the webhook, and what its link is worth. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import pydantic_core

from service.clips.models import Clip, ClipStatus, FailureKind, SettledBy
from service.clips.outcomes import Outcome, Succeeded, VideoRefused
from service.doctor.account import dollars
from service.doctor.answers import elements, listed
from service.doctor.findings import Finding, Verdict, form_of, form_of_reply
from service.runware.answers import NoJSON, Reply

_EXPIRY = re.compile(r"expir|\bttl\b", re.IGNORECASE)
# Prices are rounded.
_DEARER = 1.02


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call of a webhook: when it came, its body as it was sent, and the status that answered it."""

    at: datetime
    content: bytes
    content_type: str
    answered: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How getResponse told the clip's end: what it means, when it was told first, and the whole answer.

    `polls` is how many questions that took. Without an answer nothing was told.
    """

    polls: int
    outcome: Outcome | None = None
    told_at: datetime | None = None
    reply: Reply | None = None


def clip_finding(clip: Clip, ending: Ending, allowed_hosts: Sequence[str]) -> Finding:
    """Tell how the clip ended, and where a failure is told."""
    form = None if ending.reply is None else form_of_reply(ending.reply)
    asked = f"{ending.polls} {'question' if ending.polls == 1 else 'questions'}"
    refused = _refused_host(ending.outcome)
    if refused is not None:
        return Finding(
            "Clip",
            Verdict.FAILED,
            f"It is made, but {refused}, so that the service does not take it.",
            f"If that is Runware's, set VIDEO_HOSTS={','.join(allowed_hosts)},THAT-HOST, and restart.",
            value="refused",
            form=form,
        )
    if clip.status is ClipStatus.SUCCEEDED:
        seconds = _seconds_between(clip.submitted_at, clip.settled_at)
        cost = "without a cost" if clip.cost_usd is None else f"for {dollars(clip.cost_usd)}"
        found = f"It is made in {seconds}, {cost}; its end was told after {asked}."
        return Finding("Clip", Verdict.OK, found, value="succeeded", form=form)
    if isinstance(ending.outcome, Succeeded):
        return Finding(
            "Clip",
            Verdict.WARNING,
            f"It is made, which was told after {asked}; the ledger does not have it yet.",
            "Keep the service running: its poller takes it within POLL_INTERVAL_SECONDS.",
            value="unsettled",
            form=form,
        )
    if clip.failure is not None and not clip.presumed_failed:
        where = "" if ending.reply is None else f" getResponse tells it {_place(ending.reply)}."
        remedy = (
            f"If it is the model that takes no such task, leave {clip.request.settings.model} out of "
            "RUNWARE_MODELS, and please report the words."
            if clip.failure.kind is FailureKind.REJECTED
            else "Run this again; if it fails again, these words are for Runware's support."
        )
        return Finding(
            "Clip",
            Verdict.FAILED,
            f"It failed ({clip.failure.kind}, {clip.failure.code}): {clip.failure.sentence}{where}",
            remedy,
            value=_place(ending.reply) if ending.reply is not None else "failed",
            form=form,
        )
    return Finding(
        "Clip",
        Verdict.FAILED,
        f"It has not ended after {asked}. It stays in the ledger, where a late video still counts.",
        "Keep the service running, and look at the project later.",
        value="pending",
        form=form,
    )


def cost_finding(
    ending: Ending, delivery: Delivery | None, cost_usd: float | None, expected_usd: float
) -> Finding:
    """Tell where the cost stands in a poll's answer and in the webhook's body, and if it is as expected."""
    polled = list(_places(ending.reply.body, "cost")) if ending.reply is not None else []
    pushed = list(_places(body_of(delivery), "cost")) if delivery is not None else []
    sources = [name for name, places in (("poll", polled), ("webhook", pushed)) if places]
    told = [f"in a poll at {polled[0]}"] if polled else []
    told += [f"in the webhook at {pushed[0]}"] if pushed else []
    if not told:
        return Finding(
            "Cost",
            Verdict.WARNING,
            "No answer tells what the clip costs.",
            "See in Runware's dashboard what is spent: the ledger can't tell.",
            value="none",
        )
    missing = " The webhook has none." if delivery is not None and not pushed else ""
    found, value = f"It stands {' and '.join(told)}.{missing}", ", ".join(sources)
    if cost_usd is not None and cost_usd > expected_usd * _DEARER:
        return Finding(
            "Cost",
            Verdict.WARNING,
            f"{found} It is {dollars(cost_usd)}, where {dollars(expected_usd)} was expected.",
            "From now on the service counts with what clips have cost here. Please report the new price.",
            value=value,
        )
    return Finding("Cost", Verdict.OK, found, value=value)


def taken_webhook_finding(
    deliveries: Sequence[Delivery], clip: Clip, ending: Ending, waited_s: float
) -> Finding:
    """Tell how the webhook came to this process."""
    part = "Webhook"
    if not deliveries and clip.status is ClipStatus.FAILED:
        found = (
            f"None came within {waited_s:.0f} s after the clip's failure: Runware may send none for failures."
        )
        return Finding(part, Verdict.OK, f"{found} The poller tells them.", value="none")
    if not deliveries:
        return Finding(
            part,
            Verdict.WARNING,
            f"None came within {waited_s:.0f} s after the clip's end, though PUBLIC_URL leads here.",
            "See that PUBLIC_URL can be reached from outside (name, certificate, firewall). Until then "
            "results come by the poller, every POLL_INTERVAL_SECONDS.",
            value="none",
        )
    first = deliveries[0]
    body = body_of(first)
    envelope = envelope_of(body)
    when = ""
    if ending.told_at is not None:
        late = (first.at - ending.told_at).total_seconds()
        when = f", {late:.1f} s after a poll told the end" if late > 0 else ", before a poll told the end"
    words = {
        "flat": "the flat result",
        "data": "an object with data",
        "list": "a list of results",
        "errors": "an object with errors",
    }.get(envelope, "in no form that is known")
    more = f" It came {len(deliveries)} times." if len(deliveries) > 1 else ""
    found = f"It came by itself{when}: {words}, {first.content_type}.{more}"
    form = {"answered": first.answered, "body": form_of(body)}
    if isinstance(ending.outcome, VideoRefused):
        return Finding(part, Verdict.WARNING, found, "The service refuses it: see Clip.", envelope, form)
    if first.answered >= HTTPStatus.BAD_REQUEST:
        remedy = "Please report the form that the report file has. The poller finds all results meanwhile."
        return Finding(
            part, Verdict.FAILED, f"{found} It was answered HTTP {first.answered}.", remedy, envelope, form
        )
    return Finding(part, Verdict.OK, found, value=envelope, form=form)


def ledger_webhook_finding(clip: Clip) -> Finding:
    """Tell from the ledger alone whether the webhook came to the running service."""
    part = "Webhook"
    alone = "Stop the service and run this again to see its form."
    if clip.settled_by is SettledBy.WEBHOOK:
        seconds = _seconds_between(clip.submitted_at, clip.settled_at)
        found = (
            f"It came by itself, {seconds} after the submission. Its form is not told: the service took it."
        )
        return Finding(part, Verdict.OK, found, alone, value="came")
    path = clip.settled_by or "nothing yet"
    found = f"The clip was settled by {path}, so that the running service does not show whether one came."
    return Finding(part, Verdict.UNTOLD, found, alone, value="untold")


def link_finding(host: str, status: int, empty_s: float, size: int) -> Finding:
    """Tell whether the video's link gave bytes; it was empty for so long before."""
    part = "Link"
    if status != HTTPStatus.OK or not size:
        what = (
            f"answers HTTP {status}" if status != HTTPStatus.OK else f"is still empty after {empty_s:.0f} s"
        )
        return Finding(
            part,
            Verdict.WARNING,
            f"It lies at {host}, which is in VIDEO_HOSTS, and {what}.",
            "Look at the project's page later; if it stays so, its link is for Runware's support.",
            value="empty" if status == HTTPStatus.OK else str(status),
        )
    at_once = f"It lies at {host}, which is in VIDEO_HOSTS, and gives bytes"
    if not empty_s:
        return Finding(part, Verdict.OK, f"{at_once} at once.", value="at once")
    found = f"{at_once} only after {empty_s:.1f} s: it is empty before."
    remedy = "A program that fetches a video the moment it is there has to try again while it is empty."
    return Finding(part, Verdict.WARNING, found, remedy, value="empty at first")


def expiry_finding(url: str, ending: Ending, ttl_seconds: int | None) -> Finding:
    """Tell whether anything says when the link ends."""
    part = "Link's end"
    body = ending.reply.body if ending.reply is not None else None
    named = sorted({key for key, _ in _pairs(body) if _EXPIRY.search(key)})
    named += sorted({key for key, _ in parse_qsl(urlsplit(url).query) if _EXPIRY.search(key)})
    asked = f" RUNWARE_TTL_SECONDS asks for {ttl_seconds} s." if ttl_seconds is not None else ""
    if named:
        return Finding(part, Verdict.OK, f"It is told by {', '.join(named)}.{asked}", value="told")
    remedy = "" if asked else "Set RUNWARE_TTL_SECONDS to decide it; without it callers report some 30 days."
    return Finding(part, Verdict.OK, f"Nothing says when the link ends.{asked}", remedy, value="not told")


def envelope_of(body: object) -> str:
    """Name the envelope of a webhook's body: `flat`, `data`, `list`, `errors`, else `unknown`."""
    if isinstance(body, list):
        return "list"
    if not isinstance(body, Mapping):
        return "unknown"
    if "data" in body:
        return "data"
    if "errors" in body:
        return "errors"
    return "flat" if "taskUUID" in body else "unknown"


def body_of(delivery: Delivery) -> object:
    """Read a webhook's body."""
    try:
        return pydantic_core.from_json(delivery.content, allow_inf_nan=False)
    except ValueError:
        return NoJSON()


def _refused_host(outcome: Outcome | None) -> str | None:
    return outcome.reason if isinstance(outcome, VideoRefused) else None


def _place(reply: Reply) -> str:
    """Name where an answer tells a failure."""
    if listed(reply.body, "errors"):
        return f"errors at HTTP {reply.status}"
    nested = any(isinstance(element.get("error"), Mapping) for element in elements(reply.body))
    return f"data, {'nested' if nested else 'flat'}, at HTTP {reply.status}"


def _places(value: object, key: str, at: str = "") -> Iterator[str]:
    """Give the places of a key, such as `data[].cost`."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            here = f"{at}.{name}" if at else str(name)
            if name == key:
                yield here
            yield from _places(inner, key, here)
    elif isinstance(value, list):
        for inner in value:
            yield from _places(inner, key, f"{at}[]")


def _pairs(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name), inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


def _seconds_between(start: datetime, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.0f} s" if end is not None else "an unknown time"
