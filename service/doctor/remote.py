"""Asks a running service, wherever it is, how it stands. Changes nothing there, and spends nothing."""

from collections.abc import AsyncIterator
from importlib.metadata import version

import aiohttp

from service.connections import reason_of
from service.doctor.findings import Finding, Verdict
from service.doctor.standing import (
    Said,
    is_read_on_the_way,
    page_of_service_finding,
    readiness_findings,
    release_finding,
    service_finding,
    settings_findings,
    token_finding,
)

_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=10)


async def examine_service(url: str, token: str | None) -> AsyncIterator[Finding]:
    """Ask the calls that tell of the service one after the other; the token goes to `/metrics` alone."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        service = service_finding(url, await _ask(session, f"{url}/healthz"))
        yield service
        if service.verdict is Verdict.FAILED:
            return
        yield release_finding(await _ask(session, f"{url}/openapi.json"), version("clip-service"))
        for finding in readiness_findings(await _ask(session, f"{url}/readyz")):
            yield finding
        yield page_of_service_finding(await _ask(session, f"{url}/studio/config"))
        async for finding in _settings(session, url, token):
            yield finding


async def _settings(session: aiohttp.ClientSession, url: str, token: str | None) -> AsyncIterator[Finding]:
    """Ask what only operators are told."""
    if token and is_read_on_the_way(url):
        yield Finding(
            "Token",
            Verdict.FAILED,
            "It was not sent: over http:// everyone on the way could read it.",
            "Give --url the https:// address.",
        )
        return
    said = await _ask(session, f"{url}/metrics", token)
    accepted = token_finding(said, sent=token is not None)
    yield accepted
    if accepted.verdict is Verdict.OK and isinstance(said, Said):
        for finding in settings_findings(said.text):
            yield finding


async def _ask(session: aiohttp.ClientSession, url: str, token: str | None = None) -> Said | str:
    """Give the answer of a GET, or the reason why there is none. A redirect is an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            return Said(response.status, await response.text(errors="replace"))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return reason_of(error, url)
