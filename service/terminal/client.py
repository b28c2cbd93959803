"""The service as the commands call it."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from service.connections import reason_of
from service.errors import ServiceError
from service.terminal.answers import (
    DeletedProject,
    FunctionAnswer,
    ProjectAnswer,
    ProjectList,
    ProjectQuotes,
    Quote,
    Refusal,
    SceneAnswer,
    StoredImage,
    StoredProject,
    told_by_failure,
)

M = TypeVar("M", bound=BaseModel)

_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 30
# A submission backs off for up to 80 % of SUBMISSION_GRACE_SECONDS, which is a minute unless it was changed.
_FUNCTION_TIMEOUT_S = 600
# The service answers within half a minute, or says that the video's host does not.
_DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=60)
_ODD_NAME = re.compile(r"^[.-]|[/\\:]")


class CallRefused(ServiceError):
    """The service, or something before it, answered and did not do what was asked."""

    code = "call_refused"


class ServiceAway(ServiceError):
    """The service can't be reached, or can't work just now; it may be able to in a moment."""

    code = "service_away"


class DownloadFailed(ServiceError):
    """The service has no video of this clip to give, or it broke off."""

    code = "download_failed"


@dataclass(frozen=True, slots=True)
class ClipStream:
    """A clip that begins to come: its file name, its size in bytes where that is known, its bytes.

    `pieces` raises DownloadFailed where it breaks off.
    """

    name: str
    size: int | None
    pieces: AsyncIterator[bytes]


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
        self,
        project_id: UUID,
        choice: Mapping[str, str | bool] | None = None,
        scenes: Sequence[str] | None = None,
    ) -> Sequence[SceneAnswer]:
        """Submit what has no clip yet, of `scenes` or of all; gives what came of each scene.

        A `choice` names some of `model`, `resolution` and `audio`, which the project keeps; `adopt` in it
        takes the clips of before the ledger, and buys none.
        """
        named = {} if scenes is None else {"scenes": list(scenes)}
        body = {"project_id": str(project_id), **(choice or {}), **named}
        return (await self._function("generate-clips", body)).scenes

    async def retry(self, project_id: UUID, scenes: Sequence[str] | None) -> FunctionAnswer:
        """Submit new attempts for what failed, of `scenes` or of all; gives what came of each."""
        named = {} if scenes is None else {"scenes": list(scenes)}
        body = {"project_id": str(project_id), **named}
        return await self._function("retry-clips", body)

    async def cancel(self, project_id: UUID, scenes: Sequence[str] | None) -> Sequence[SceneAnswer]:
        """Cancel what was not sent yet, of `scenes` or of all; gives each scene, with why it was not."""
        named = {} if scenes is None else {"scenes": list(scenes)}
        return (await self._function("cancel-clips", {"project_id": str(project_id), **named})).scenes

    async def check(self, project_id: UUID) -> Sequence[SceneAnswer]:
        """Have Runware asked for what is pending; gives how each scene stands."""
        return (await self._function("check-clips-status", {"project_id": str(project_id)})).scenes

    async def project(self, project_id: UUID) -> ProjectAnswer:
        """Read the current clips of a project."""
        return await self._call("GET", f"/projects/{project_id}", ProjectAnswer)

    async def quotes(self, project_id: UUID, choice: Mapping[str, str | bool]) -> Mapping[str, Quote] | None:
        """Read what a project's clips cost with a choice; None, if the service is too old to tell."""
        quotes = (await self.project(project_id)).quotes
        if quotes is None or not choice:
            return quotes
        query = urlencode({name: str(value).lower() for name, value in choice.items()})
        path = f"/projects/{project_id}/quotes?{query}"
        return (await self._call("GET", path, ProjectQuotes)).quotes

    def page(self, project_id: UUID) -> str:
        """Give the address of a project's page."""
        return f"{self._url}/#/projects/{project_id}"

    async def upload(self, path: Path) -> str:
        """Have an image kept for use as a frame; gives its URL. Raises OSError, too."""
        content = await asyncio.to_thread(path.read_bytes)
        response, answer = await self._send("POST", "/uploads", content)
        if response.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise CallRefused(f"{path} is refused. {Refusal.model_validate_json(answer).error}")
        return self._read("/uploads", response, answer, StoredImage).url

    async def create(self, project: Mapping[str, Any]) -> UUID:
        """Store a project; gives its id."""
        return (await self._call("POST", "/projects", StoredProject, project)).id

    async def duplicate(self, project_id: UUID) -> UUID:
        """Store a copy of a project with its finished clips; gives its id."""
        return (await self._call("POST", f"/projects/{project_id}/copies", StoredProject, {})).id

    async def delete(self, project_id: UUID) -> datetime:
        """Delete a project with a way back; gives since when it is."""
        return (await self._call("DELETE", f"/projects/{project_id}", DeletedProject)).deleted_at

    async def restore(self, project_id: UUID) -> None:
        """Bring a deleted project back."""
        await self._call("POST", f"/projects/{project_id}/restore", StoredProject, {})

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

    @asynccontextmanager
    async def download(self, project_id: UUID, scene: str) -> AsyncIterator[ClipStream]:
        """Ask for the video of a finished clip. Raises DownloadFailed, where there is none to give."""
        name = f"{quote(scene, safe='')}.mp4"
        url = URL(self._url).joinpath("projects", str(project_id), "clips", name, encoded=True)
        try:
            response = await self._session.get(url, timeout=_DOWNLOAD_TIMEOUT, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from error
        async with response:
            if response.status != HTTPStatus.OK:
                raise await self._download_refusal(response)
            yield ClipStream(self._file_name(response), response.content_length, _pieces(response))

    async def _download_refusal(self, response: aiohttp.ClientResponse) -> ServiceError:
        try:
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return self._away(error)
        try:
            said = Refusal.model_validate_json(content).error
        except ValidationError:
            return self._refusal(response, content)
        unknown = response.status == HTTPStatus.UNAUTHORIZED
        return self._refusal(response, content) if unknown else DownloadFailed(said)

    def _file_name(self, response: aiohttp.ClientResponse) -> str:
        said = response.content_disposition
        name = (said.filename if said else None) or ""
        # One that leads out of the folder, hides in it or confuses a terminal is none of the clip service's.
        if not name.endswith(".mp4") or _ODD_NAME.search(name) or not name.isprintable():
            raise CallRefused(
                f"{self._url} gives a clip without a proper file name. "
                "Correct --url or CLIPS_URL, or look at what stands before the service."
            )
        return name

    async def _function(self, name: str, body: Mapping[str, Any]) -> FunctionAnswer:
        path = f"/functions/v1/{name}"
        response, content = await self._send("POST", path, body)
        scenes = None if response.status == HTTPStatus.OK else told_by_failure(content)
        if scenes is not None:
            return FunctionAnswer.model_validate({"results": scenes})
        return self._read(path, response, content, FunctionAnswer)

    async def _call(
        self, method: str, path: str, answer: type[M], body: Mapping[str, Any] | None = None
    ) -> M:
        response, content = await self._send(method, path, body)
        return self._read(path, response, content, answer)

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send JSON, or the bytes of an image."""
        total = _READ_TIMEOUT_S if body is None else _FUNCTION_TIMEOUT_S
        image = isinstance(body, bytes)
        timeout = aiohttp.ClientTimeout(total=total, sock_connect=_CONNECT_TIMEOUT_S)
        try:
            async with self._session.request(
                # A redirected POST would arrive as a GET, and the token at another host.
                method,
                self._url + path,
                json=None if image else body,
                data=body if image else None,
                # Which kind it is, the service tells from its bytes.
                headers={"Content-Type": "image/unknown"} if image else None,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return response, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from error

    def _read(self, path: str, response: aiohttp.ClientResponse, content: bytes, answer: type[M]) -> M:
        if response.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise self._refusal(response, content)
        self._set_clock(response.headers.get("Date", ""))
        try:
            return answer.model_validate_json(content)
        except ValidationError:
            raise CallRefused(
                f"{self._url}{path} answered with something else than the clip service does. "
                "Correct --url or CLIPS_URL, or install the version that the service has."
            ) from None

    def _away(self, error: Exception) -> ServiceAway:
        return ServiceAway(
            f"The service at {self._url} can't be reached: {reason_of(error, self._url)}. "
            "Start it with clips serve, or correct --url or CLIPS_URL."
        )

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


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_any():
            yield piece
    except (aiohttp.ClientError, TimeoutError):
        raise DownloadFailed("It broke off. Run the command again.") from None
