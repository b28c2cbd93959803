"""The sandbox's HTTP surface: Runware's endpoint, clips and sample frames, the ledger and the faults."""

import asyncio
import logging
import re
from http import HTTPStatus
from uuid import uuid4

from aiohttp import web
from pydantic import ValidationError

from service.sandbox.errors import TaskError, status_error
from service.sandbox.faults import DirectiveError, RequestFaults, read_header
from service.sandbox.jobs import Ledger
from service.sandbox.reception import (
    Reception,
    RefusedRequestError,
    Reply,
    has_video_task,
    read_tasks,
    split_greeting,
    welcome,
)
from service.sandbox.samples import Place, draw_sample
from service.sandbox.websocket import Websockets

logger = logging.getLogger(__name__)

_SAMPLE_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
_MAX_SAMPLE_SIDE = 2160
_RETRY_AFTER_SECONDS = 1


class Routes:
    """Handles each HTTP request, up to the handshake of those that become websockets."""

    def __init__(self, reception: Reception, ledger: Ledger, websockets: Websockets) -> None:
        self._reception = reception
        self._ledger = ledger
        self._websockets = websockets

    def table(self) -> list[web.RouteDef]:
        """Return every route with its handler."""
        return [
            web.post("/v1", self._answer_tasks),
            web.post("/v1/", self._answer_tasks),
            web.get("/v1", self._connect, allow_head=False),
            web.get("/v1/", self._connect, allow_head=False),
            web.get("/videos/{uuid:[0-9a-f-]{36}}.{suffix:mp4|mov|webm}", self._send_video),
            web.get("/frames/{scene:[^/]{1,40}}/{place:first|last}.png", self._send_sample),
            web.get("/ledger", self._show_ledger),
            web.get("/faults", self._show_faults),
            web.put("/faults", self._replace_faults),
            web.get("/healthz", self._show_health),
        ]

    async def _answer_tasks(self, request: web.Request) -> web.StreamResponse:
        try:
            asked_for = _read_fault_header(request)
            await asyncio.sleep(asked_for.delay_seconds)
            body = await request.read()
            chance = self._reception.draw_faults(body)
            if (status := asked_for.status or chance.status) is not None:
                return _bare_status(status, as_json=self._reception.faults.burst_json)
            tasks = read_tasks(body)
            if chance.drop_submission and has_video_task(tasks):
                logger.info("submission dropped on request, nothing accepted")
                return _break_off(request)
            reply = await self._answer(request, tasks)
        except RefusedRequestError as refusal:
            return _failure(refusal.status, refusal.error)
        answer = await reply.complete()
        if answer.accepted:
            await asyncio.sleep(self._reception.faults.answer_delay_seconds)
        if asked_for.lose_reply or (chance.lose_reply and answer.accepted):
            logger.info("reply lost on request, %d tasks accepted", len(answer.accepted))
            return _break_off(request)
        return web.json_response(answer.as_json(), status=answer.status)

    async def _answer(self, request: web.Request, tasks: list[object]) -> Reply:
        greeting, others = split_greeting(tasks)
        self._reception.admit(_bearer(request) if greeting is None else greeting.get("apiKey"))
        reply = await self._reception.answer(others)
        if greeting is not None:
            reply.answer.data.insert(0, welcome(str(uuid4())))
        return reply

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        try:
            asked_for = _read_fault_header(request)
        except RefusedRequestError as refusal:
            return _failure(refusal.status, refusal.error)
        await asyncio.sleep(asked_for.delay_seconds)
        if asked_for.status is not None:
            return _bare_status(asked_for.status, as_json=self._reception.faults.burst_json)
        if asked_for.lose_reply:
            return _break_off(request)
        return await self._websockets.serve(request)

    async def _send_video(self, request: web.Request) -> web.StreamResponse:
        video = self._ledger.find_video(request.match_info["uuid"])
        if video is None or not await asyncio.to_thread(video.file.exists):
            raise web.HTTPNotFound(text="No such clip, or it had to make room for others")
        now = asyncio.get_running_loop().time()
        if video.expires_at is not None and video.expires_at < now:
            gone = web.HTTPGone if self._reception.faults.dead_link == "gone" else web.HTTPNotFound
            raise gone(text="This clip's ttl is over")
        if now < video.filled_at:
            return web.Response(body=b"", content_type=video.media_type)
        return web.FileResponse(video.file, headers={"Content-Type": video.media_type})

    async def _send_sample(self, request: web.Request) -> web.StreamResponse:
        size = _SAMPLE_SIZE.fullmatch(request.query.get("size", "720x1280"))
        if size is None or max(int(size[1]), int(size[2])) > _MAX_SAMPLE_SIDE:
            raise web.HTTPBadRequest(
                text=f"size must be WIDTHxHEIGHT, sides from 10 to {_MAX_SAMPLE_SIDE} pixels"
            )
        place: Place = "first" if request.match_info["place"] == "first" else "last"
        scene, sides = request.match_info["scene"], (int(size[1]), int(size[2]))
        picture = await asyncio.to_thread(draw_sample, scene, place, sides)
        return web.Response(body=picture, content_type="image/png")

    async def _show_ledger(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._ledger.as_json(tasks=request.query.get("tasks") != "false"))

    async def _show_faults(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self._reception.faults.model_dump())

    async def _replace_faults(self, request: web.Request) -> web.StreamResponse:
        try:
            faults = self._reception.replace_faults(await request.read())
        except ValidationError as wrong:
            errors = [
                TaskError("invalidFault", error["msg"], ".".join(map(str, error["loc"])) or None)
                for error in wrong.errors()
            ]
            return _failure(400, *errors)
        logger.info("faults replaced: %s", faults.model_dump(exclude_defaults=True))
        return web.json_response(faults.model_dump())

    async def _show_health(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})


async def allow_every_origin(_: web.Request, response: web.StreamResponse) -> None:
    """Let pages of any origin play clips and read ranges of them; a signal handler of aiohttp."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "Accept-Ranges, Content-Length, Content-Range"


def _read_fault_header(request: web.Request) -> RequestFaults:
    try:
        return read_header(request.headers.get("X-Sandbox-Fault", ""))
    except DirectiveError as unknown:
        raise RefusedRequestError(400, TaskError("invalidSandboxFault", str(unknown))) from unknown


def _bearer(request: web.Request) -> str | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _break_off(request: web.Request) -> web.Response:
    """Close the connection; the response that aiohttp asks for goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _failure(status: int, *errors: TaskError) -> web.Response:
    return web.json_response({"errors": [error.as_json({}) for error in errors]}, status=status)


def _bare_status(status: int, *, as_json: bool) -> web.Response:
    """Answer as Runware does, or as a gateway before it, whose page is no JSON."""
    error = status_error(status)
    if as_json:
        response = _failure(status, error)
    else:
        page = f"<html><body><h1>{status} {error.message}</h1></body></html>"
        response = web.Response(status=status, text=page, content_type="text/html")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    return response
