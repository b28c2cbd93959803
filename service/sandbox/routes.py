"""The sandbox's HTTP surface: Runware's endpoint, clips and sample frames, the ledger and the faults."""

import asyncio
import hmac
import json
import logging
import re
from http import HTTPStatus
from uuid import uuid4

from aiohttp import web
from pydantic import ValidationError

from service.sandbox.answers import Answer
from service.sandbox.desk import Desk
from service.sandbox.errors import INSUFFICIENT_CREDITS, TASK_NOT_FOUND, Json, TaskError
from service.sandbox.faults import DirectiveError, RequestChances, RequestFaults, read_header
from service.sandbox.intake import NO_CREDITS, Request, is_video_task
from service.sandbox.jobs import Ledger
from service.sandbox.options import SandboxOptions
from service.sandbox.runner import JobRunner
from service.sandbox.samples import Place, draw_sample
from service.sandbox.usage import Clock

logger = logging.getLogger(__name__)

_SAMPLE_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
_MAX_SAMPLE_SIDE = 2160
_RETRY_AFTER_SECONDS = 1
_STATUS_CODES = {
    401: "invalidApiKey",
    402: INSUFFICIENT_CREDITS,
    403: "forbidden",
    404: TASK_NOT_FOUND,
    429: "rateLimitExceeded",
    500: "internalServerError",
    504: "timeoutProvider",
}


class _RefusedRequestError(Exception):
    """A whole request is refused, with this answer."""

    def __init__(self, status: int, code: str, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.response = _failure(status, TaskError(code, message, parameter))


class Routes:
    """Handles each request. The faults that `PUT /faults` replaces live here."""

    def __init__(self, options: SandboxOptions, ledger: Ledger, runner: JobRunner, clock: Clock) -> None:
        self._options = options
        self._faults = options.faults()
        self._ledger = ledger
        self._runner = runner
        self._desk = Desk(ledger, options, clock)
        self._chances = RequestChances(options.seed)

    def table(self) -> list[web.RouteDef]:
        """Return every route with its handler."""
        return [
            web.post("/v1", self._answer_tasks),
            web.post("/v1/", self._answer_tasks),
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
            chance = self._chances.decide(self._faults, body)
            if (status := asked_for.status or chance.status) is not None:
                return _bare_status(status, as_json=self._faults.burst_json)
            tasks = _read_tasks(body)
            if chance.drop_submission and _count_videos(tasks):
                logger.info("submission dropped on request, nothing accepted")
                return _break_off(request)
            answer = await self._answer(request, tasks)
        except _RefusedRequestError as refusal:
            return refusal.response
        if answer.accepted:
            await asyncio.sleep(self._faults.answer_delay_seconds)
        if asked_for.lose_reply or (chance.lose_reply and answer.accepted):
            logger.info("reply lost on request, %d tasks accepted", len(answer.accepted))
            return _break_off(request)
        return web.json_response(answer.as_json(), status=answer.status)

    async def _answer(self, request: web.Request, tasks: list[object]) -> Answer:
        greeting = self._authenticate(request, tasks)
        if greeting is not None:
            tasks = tasks[1:]
        bad_frames = await self._judge_frames(tasks)
        self._require_room(_count_videos(tasks))
        answer = self._desk.answer(Request(tasks, self._faults, bad_frames))
        if greeting is not None:
            answer.data.insert(0, greeting)
        runs = [(accepted, self._runner.start(accepted, self._faults)) for accepted in answer.accepted]
        for accepted, run in runs:
            if accepted.faults.early_webhook:
                await run.announced.wait()
            if accepted.task.sync:
                await run.settled.wait()
                answer.show(accepted.job)
            else:
                answer.data.append(accepted.job.as_acknowledgement())
        return answer

    async def _judge_frames(self, tasks: list[object]) -> dict[str, TaskError]:
        """Return the frames that are refused at submission, with the reason."""
        if self._faults.frame_check != "submission":
            return {}
        return await self._runner.judge_frames(self._desk.frame_urls(Request(tasks, self._faults)))

    def _require_room(self, new_jobs: int) -> None:
        if not self._ledger.has_room(new_jobs):
            raise _RefusedRequestError(
                429, _STATUS_CODES[429], "The queue is full; send the tasks again later"
            )
        most = self._faults.throttle_402_above
        if most and new_jobs and self._ledger.running + new_jobs > most:
            raise _RefusedRequestError(402, NO_CREDITS.code, NO_CREDITS.message)

    def _authenticate(self, request: web.Request, tasks: list[object]) -> Json | None:
        """Check the key of the header or of the first element; return the answer that the latter gets."""
        first = tasks[0]
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        key: object = sent.strip() if scheme.lower() == "bearer" else None
        greeted = isinstance(first, dict) and first.get("taskType") == "authentication"
        if isinstance(first, dict) and greeted:
            key = first.get("apiKey")
        expected = self._options.api_key
        if expected and not key:
            raise _RefusedRequestError(
                401,
                "missingApiKey",
                "Send 'Authorization: Bearer KEY' or an authentication task first",
                "apiKey",
            )
        if expected and not hmac.compare_digest(str(key).encode(errors="surrogateescape"), expected.encode()):
            raise _RefusedRequestError(401, "invalidApiKey", "This API key is not the sandbox's", "apiKey")
        return {"taskType": "authentication", "connectionSessionUUID": str(uuid4())} if greeted else None

    async def _send_video(self, request: web.Request) -> web.StreamResponse:
        video = self._ledger.find_video(request.match_info["uuid"])
        if video is None or not await asyncio.to_thread(video.file.exists):
            raise web.HTTPNotFound(text="No such clip, or it had to make room for others")
        now = asyncio.get_running_loop().time()
        if video.expires_at is not None and video.expires_at < now:
            gone = web.HTTPGone if self._faults.dead_link == "gone" else web.HTTPNotFound
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
        return web.json_response(self._faults.model_dump())

    async def _replace_faults(self, request: web.Request) -> web.StreamResponse:
        try:
            self._faults = self._options.replaced_faults(await request.read())
        except ValidationError as wrong:
            errors = [
                TaskError("invalidFault", error["msg"], ".".join(map(str, error["loc"])) or None)
                for error in wrong.errors()
            ]
            return _failure(400, *errors)
        logger.info("faults replaced: %s", self._faults.model_dump(exclude_defaults=True))
        return web.json_response(self._faults.model_dump())

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
        raise _RefusedRequestError(400, "invalidSandboxFault", str(unknown)) from unknown


def _read_tasks(body: bytes) -> list[object]:
    try:
        tasks = json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise _RefusedRequestError(400, "invalidJSON", "The body is not JSON") from failure
    if not isinstance(tasks, list) or not tasks:
        raise _RefusedRequestError(
            400, "invalidRequest", "The body must be a JSON array of one or more tasks"
        )
    return tasks


def _count_videos(tasks: list[object]) -> int:
    return sum(map(is_video_task, tasks))


def _break_off(request: web.Request) -> web.Response:
    """Close the connection; the response that aiohttp asks for goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _failure(status: int, *errors: TaskError) -> web.Response:
    return web.json_response({"errors": [error.as_json({}) for error in errors]}, status=status)


def _bare_status(status: int, *, as_json: bool) -> web.Response:
    """Answer as Runware does, or as a gateway before it, whose page is no JSON."""
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Error"
    if as_json:
        response = _failure(status, TaskError(_STATUS_CODES.get(status, "unknownError"), phrase))
    else:
        page = f"<html><body><h1>{status} {phrase}</h1></body></html>"
        response = web.Response(status=status, text=page, content_type="text/html")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    return response
