"""The service as the commands call it."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
from pydantic import BaseModel, ValidationError

from service.errors import ServiceError
from service.terminal.answers import (
    FunctionAnswer,
    Job,
    ProjectAnswer,
    ProjectList,
    Refusal,
    SceneAnswer,
)

M = TypeVar("M", bound=BaseModel)

_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 30
# A submission backs off for up to 80 % of SUBMISSION_GRACE_SECONDS, which is a minute unless it was changed.
_FUNCTION_TIMEOUT_S = 600


class CallRefused(ServiceError):
    """The service, or something before it, answered and did not do what was asked."""

    code = "call_refused"


class ServiceAway(ServiceError):
    """The service can't be reached, or can't work just now; it may be able to in a moment."""

    code = "service_away"


class ServiceClient:
    """Calls the service. Each call raises CallRefused and ServiceAway."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._ahead = timedelta(0)

    @classmethod
    @asynccontextmanager
    async def connecting(cls, url: str, token: str | None) -> AsyncIterator[Self]:
        """Open a client of the service at `url`; `token` is the service's, if it has one."""
        headers = {"Authorization": f"Bearer {token}"} if token else None
        async with aiohttp.ClientSession(headers=headers) as session:
            yield cls(session, url)

    def now(self) -> datetime:
        """Give the service's time, so that ages are right where this machine's clock is not."""
        return datetime.now(UTC) + self._ahead

    async def generate(
        self, project_id: UUID, choice: Mapping[str, str | bool] | None = None
    ) -> Sequence[SceneAnswer]:
        """Submit what has no clip yet; gives what came of each scene.

        A `choice` names some of `model`, `resolution` and `audio`; the project keeps it.
        """
        return await self._function("generate-clips", {"project_id": str(project_id), **(choice or {})})

    async def retry(self, project_id: UUID, scenes: Sequence[str] | None) -> FunctionAnswer:
        """Submit new attempts for what failed, of `scenes` or of all; gives what came of each."""
        named = {} if scenes is None else {"scenes": list(scenes)}
        body = {"project_id": str(project_id), **named}
        return await self._call("POST", "/functions/v1/retry-clips", FunctionAnswer, body)

    async def check(self, project_id: UUID) -> Sequence[SceneAnswer]:
        """Have Runware asked for what is pending; gives how each scene stands."""
        return await self._function("check-clips-status", {"project_id": str(project_id)})

    async def jobs(self, project_id: UUID) -> Sequence[Job]:
        """Read the current clips of a project."""
        return (await self._call("GET", f"/projects/{project_id}", ProjectAnswer)).jobs

    async def projects(self, limit: int, filters: Mapping[str, str]) -> ProjectList:
        """List the newest projects, of which the `filters` name `q` or `state`."""
        query = urlencode({**filters, "limit": limit})
        listed = await self._call("GET", f"/projects?{query}", ProjectList)
        if filters and not listed.takes_filters:
            raise CallRefused(
                f"The service at {self._url} is too old to look for projects: it would list all of them. "
                "Update it, or leave out --q and --state."
            )
        return listed

    async def _function(self, name: str, body: Mapping[str, Any]) -> Sequence[SceneAnswer]:
        return (await self._call("POST", f"/functions/v1/{name}", FunctionAnswer, body)).scenes

    async def _call(
        self, method: str, path: str, answer: type[M], body: Mapping[str, Any] | None = None
    ) -> M:
        total = _READ_TIMEOUT_S if body is None else _FUNCTION_TIMEOUT_S
        timeout = aiohttp.ClientTimeout(total=total, sock_connect=_CONNECT_TIMEOUT_S)
        try:
            async with self._session.request(
                # A redirected POST would arrive as a GET, and the token at another host.
                method,
                self._url + path,
                json=body,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ServiceAway(
                f"The service at {self._url} can't be reached: {_reason(error)}. "
                "Start it with clips serve, or correct --url or CLIPS_URL."
            ) from error
        if response.status != HTTPStatus.OK:
            raise self._refusal(response, content)
        self._set_clock(response.headers.get("Date", ""))
        try:
            return answer.model_validate_json(content)
        except ValidationError:
            raise CallRefused(
                f"{self._url}{path} answered with something else than the clip service does. "
                "Correct --url or CLIPS_URL, or install the version that the service has."
            ) from None

    def _set_clock(self, date: str) -> None:
        try:
            self._ahead = parsedate_to_datetime(date) - datetime.now(UTC)
        except (TypeError, ValueError):  # no date, or one without a time zone: this machine's time serves
            self._ahead = timedelta(0)

    def _refusal(self, response: aiohttp.ClientResponse, content: bytes) -> ServiceError:
        status = f"{response.status} {response.reason or ''}".strip()
        try:
            said = Refusal.model_validate_json(content).error
        except ValidationError:
            said = (
                f"{self._url} answered {status}, and not in the words of the clip service. "
                "Correct --url or CLIPS_URL, or look at what stands before the service."
            )
        if response.status == HTTPStatus.UNAUTHORIZED:
            said += " The commands take the token from the environment: set CLIPS_TOKEN."
        away = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return ServiceAway(said) if away else CallRefused(said)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        # Where several addresses were tried, the number alone says what happened.
        number = error.os_error.errno or 0
        return os.strerror(number) if number > 0 else error.os_error.strerror or "no connection"
    return str(error) or type(error).__name__
