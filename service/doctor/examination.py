"""Checks an installation from the outside in, part by part. Spends nothing."""

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from http import HTTPStatus

import aiohttp

from service.app import callbacks_for, frame_rules_for, runware_for, store_for
from service.clips.estimate import PastClip, price
from service.clips.frames import FramesWay
from service.clips.models import TaskUUID
from service.connections import reason_of
from service.doctor.account import Access, accepts_key, access, credit_finding, key_finding
from service.doctor.findings import (
    APPLY_MIGRATIONS,
    DATABASE_IS_COMPLETE,
    NO_WEBHOOKS,
    SET_PUBLIC_URL,
    Finding,
    Verdict,
)
from service.doctor.standing import sign_in_finding
from service.errors import ClipNotFound, StoreUnavailable, Unauthorized
from service.runware.account import Account, read_account
from service.runware.tasks import account_task, status_task
from service.settings import Settings

ASK_WITHIN = timedelta(seconds=15)
# Enough for the prices of every model in use.
_MOST_PAST = 2000
# Runware is said to wait about 5 s for the answer to a webhook.
_CALL_TIMEOUT = aiohttp.ClientTimeout(total=5)


async def examine(settings: Settings, *, public_url: bool = True) -> AsyncIterator[Finding]:
    """Check the parts one after the other; `public_url` says whether that is one of them."""
    database = await _database(settings)
    yield database
    async for finding in _runware(settings, with_past=database.verdict is Verdict.OK):
        yield finding
    if public_url:
        yield await public_url_finding(settings)
    yield _frames(settings)
    if settings.supabase_url:
        yield page_finding(settings)


async def _database(settings: Settings) -> Finding:
    part = "Database"
    try:
        async with store_for(settings) as store:
            missing = await store.missing_migrations()
    except StoreUnavailable as unavailable:
        # The embedded one says itself what to do.
        remedy = "Check SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY." if settings.supabase_url else ""
        return Finding(part, Verdict.FAILED, str(unavailable), remedy)
    if missing:
        return Finding(
            part,
            Verdict.FAILED,
            f"It is reached, and lacks {', '.join(missing)}.",
            APPLY_MIGRATIONS,
        )
    return Finding(part, Verdict.OK, DATABASE_IS_COMPLETE)


async def _runware(settings: Settings, *, with_past: bool) -> AsyncIterator[Finding]:
    """Check the key, and, where the account tells its balance, what that is enough for."""
    async with runware_for(settings) as runware:
        reply = await runware.exchange([account_task()], ASK_WITHIN)
        otherwise_accepted = access(reply) is Access.DECLINED and accepts_key(
            await runware.exchange([status_task(nobody())], ASK_WITHIN)
        )
    yield key_finding(reply, settings.runware_api_url, otherwise_accepted=otherwise_accepted)
    if isinstance(reply, str) or access(reply) is not Access.ACCEPTED:
        return
    account = read_account(reply)
    if isinstance(account, str):
        account = Account(None, "none")
    catalogue = settings.catalogue
    default = catalogue.settings(None)
    model = catalogue.model(default.model)
    past = await past_clips(settings) if with_past else []
    variant = (default.resolution, default.generate_audio)
    yield credit_finding(account, model, default, price(model, variant, past))


async def past_clips(settings: Settings) -> Sequence[PastClip]:
    """Read what clips have cost here, as far as the database tells."""
    try:
        async with store_for(settings) as store:
            return await store.past_clips(_MOST_PAST)
    except StoreUnavailable:
        return []


def nobody() -> TaskUUID:
    """Give the id of a job that there is not: to ask for it costs nothing."""
    return TaskUUID(str(uuid.uuid4()))


async def public_url_finding(settings: Settings) -> Finding:
    """Call the service as Runware does: by a callback URL of a job that there is not."""
    part = "PUBLIC_URL"
    job = nobody()
    url = callbacks_for(settings).url(job)
    if url is None:
        return Finding(
            part,
            Verdict.WARNING,
            NO_WEBHOOKS,
            SET_PUBLIC_URL,
        )
    body = {"taskUUID": job, "status": "error", "error": {"code": "doctor", "message": "No such job."}}
    try:
        async with (
            aiohttp.ClientSession(timeout=_CALL_TIMEOUT) as session,
            session.post(url, json=body, allow_redirects=False) as response,
        ):
            return recognised(part, settings.public_url or "", response.status, await response.text())
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeDecodeError) as error:
        return Finding(
            part,
            Verdict.FAILED,
            f"{settings.public_url} can't be reached from here: {reason_of(error, url)}.",
            "Start the service (clips serve); see that the address leads to it, with a valid certificate.",
        )


def _frames(settings: Settings) -> Finding:
    delivery = settings.frames_delivery
    if delivery.way is not FramesWay.OUT_OF_REACH:
        return Finding("Frames", Verdict.OK, delivery.sentence)
    # A sandbox on this machine may take them.
    verdict = Verdict.WARNING if frame_rules_for(settings).private_is_reached else Verdict.FAILED
    return Finding("Frames", verdict, delivery.sentence, delivery.remedy)


def page_finding(settings: Settings) -> Finding:
    """Say who can sign in on the page beside Supabase, by the settings."""
    return sign_in_finding(
        accounts=bool(settings.supabase_anon_key),
        operators=settings.service_token is not None,
        allow_anon=settings.allow_anon,
    )


def recognised(part: str, public_url: str, status: int, body: str) -> Finding:
    """Judge the answer to a callback URL of a job that there is not: only the service knows its token."""
    code = _error_code(body)
    if (status, code) == (HTTPStatus.NOT_FOUND, ClipNotFound.code):
        return Finding(
            part, Verdict.OK, f"{public_url} leads to this service, which knows its callback URLs."
        )
    if (status, code) == (HTTPStatus.UNAUTHORIZED, Unauthorized.code):
        return Finding(
            part,
            Verdict.FAILED,
            f"{public_url} leads to a clip service with another WEBHOOK_SECRET, or drops the URL's query.",
            "Give every copy of the service the same WEBHOOK_SECRET, and restart.",
        )
    if (status, code) == (HTTPStatus.SERVICE_UNAVAILABLE, StoreUnavailable.code):
        return Finding(
            part,
            Verdict.FAILED,
            f"{public_url} leads to the service, which has no database.",
            "See Database.",
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Finding(
            part,
            Verdict.FAILED,
            f"{public_url} redirects (HTTP {status}); a webhook that is redirected is lost.",
            "Set PUBLIC_URL to the address that it redirects to.",
        )
    return Finding(
        part,
        Verdict.FAILED,
        f"{public_url} answers, but not as the clip service does (HTTP {status}).",
        "See that it leads to the service, by all of its path, and that no login stands before it.",
    )


def _error_code(body: str) -> object:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer.get("code") if isinstance(answer, dict) else None
