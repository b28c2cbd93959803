"""Runware's endpoint by websocket: each message is a request, and results are pushed when jobs end."""

import asyncio
import json
import logging
from collections.abc import Collection
from http import HTTPStatus

from aiohttp import WSCloseCode, WSMsgType, web

from service.sandbox.answers import Answer, tell
from service.sandbox.errors import Json, status_error
from service.sandbox.faults import RequestFaults
from service.sandbox.jobs import Job
from service.sandbox.reception import (
    AUTHENTICATION,
    Reception,
    RefusedRequestError,
    Reply,
    has_video_task,
    read_tasks,
    split_greeting,
    welcome,
)
from service.sandbox.sessions import Session, Sessions

logger = logging.getLogger(__name__)

MAX_UNANSWERED = 256
_HEARTBEAT_SECONDS = 30
_CLOSING_SECONDS = 0.5


class Websockets:
    """The open connections and the sessions behind them."""

    def __init__(self, reception: Reception, *, max_message_bytes: int) -> None:
        self._reception = reception
        self._max_message_bytes = max_message_bytes
        self._sessions = Sessions()
        self._open: set[web.WebSocketResponse] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Upgrade a request to a websocket, and answer what comes over it until it ends."""
        websocket = web.WebSocketResponse(
            timeout=_CLOSING_SECONDS,
            heartbeat=_HEARTBEAT_SECONDS,
            compress=False,
            max_msg_size=self._max_message_bytes,
        )
        if not websocket.can_prepare(request):
            raise web.HTTPUpgradeRequired(text="POST tasks here, or connect by websocket")
        await websocket.prepare(request)
        self._open.add(websocket)
        connection = _Connection(websocket, request, self._reception, self._sessions)
        try:
            async for message in websocket:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await connection.take(message.data)
        except ConnectionError:
            logger.debug("a connection broke while it was being answered")
        finally:
            self._open.discard(websocket)
            await connection.end()
        return websocket

    async def close_all(self, _: web.Application) -> None:
        """Tell every caller that the server goes away; a signal handler of aiohttp."""
        await asyncio.gather(*(each.close(code=WSCloseCode.GOING_AWAY) for each in list(self._open)))


class _Connection:
    """Answers the messages of one websocket.

    Tasks are accepted in the order of their messages. A message that waits, for a synchronous job say, holds
    up no other; when `MAX_UNANSWERED` of them wait, the next is not looked at before one has its answer.
    """

    def __init__(
        self,
        websocket: web.WebSocketResponse,
        request: web.Request,
        reception: Reception,
        sessions: Sessions,
    ) -> None:
        self._websocket = websocket
        self._request = request
        self._reception = reception
        self._sessions = sessions
        self._session: Session | None = None
        self._pushing: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def take(self, message: str | bytes) -> None:
        """Answer a message, or begin to. Raises ConnectionError when the connection has broken."""
        while len(self._answering) >= MAX_UNANSWERED:
            await asyncio.wait(self._answering, return_when=asyncio.FIRST_COMPLETED)
        body = message.encode() if isinstance(message, str) else message
        chance = self._reception.draw_faults(body)
        if chance.status is not None:
            await self._fail(chance.status)
            return
        try:
            tasks = read_tasks(body)
            if chance.drop_submission and has_video_task(tasks):
                logger.info("submission dropped on request, nothing accepted")
                self._break_off()
                return
            await self._answer(tasks, chance)
        except RefusedRequestError as refusal:
            about: Json = {"taskType": AUTHENTICATION} if refusal.status == HTTPStatus.UNAUTHORIZED else {}
            await self._send({"errors": [refusal.error.as_json(about)]})

    async def end(self) -> None:
        """Stop answering. Results that were not pushed stay in the session."""
        under_way = [*self._answering, *([self._pushing] if self._pushing is not None else [])]
        for work in under_way:
            work.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self._session is not None:
            self._sessions.leave(self._session, self)

    async def _answer(self, tasks: list[object], chance: RequestFaults) -> None:
        greeting, others = split_greeting(tasks)
        session = self._session
        if session is None or greeting is not None:
            session = await self._authenticate(greeting)
        if not others:
            return
        results = _Results(session)
        reply = await self._reception.answer(others, results.take)
        if not reply.runs:
            await self._send_answer(reply.answer)
            return
        answering = asyncio.create_task(self._answer_submission(reply, results, chance))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)
        # A callback, since a task that is cancelled before it has begun runs no `finally`.
        answering.add_done_callback(lambda _: results.release())

    async def _authenticate(self, greeting: Json | None) -> Session:
        """Let the caller in, and take up its session. Raises RefusedRequestError.

        Its greeting is answered before any result is pushed: until then clients look for nothing else.
        """
        shown = greeting or {}
        self._reception.admit(shown.get("apiKey"))
        session = self._sessions.open(shown.get("connectionSessionUUID"), self)
        if self._session is not None and self._session is not session:
            self._sessions.leave(self._session, self)
        if self._pushing is not None:
            self._pushing.cancel()
        self._session = session
        if greeting is not None:
            await self._send({"data": [welcome(session.uuid)]})
        self._pushing = asyncio.create_task(self._push_results(session))
        return session

    async def _answer_submission(self, reply: Reply, results: "_Results", chance: RequestFaults) -> None:
        answer = await reply.complete()
        await asyncio.sleep(self._reception.faults.answer_delay_seconds)
        if chance.lose_reply:
            logger.info("reply lost on request, %d tasks accepted", len(answer.accepted))
            self._break_off()
            return
        try:
            await self._send_answer(answer)
        except ConnectionError:
            logger.debug("a connection broke before %d accepted tasks were answered", len(answer.accepted))
        else:
            results.drop({accepted.job.task_uuid for accepted in answer.accepted if accepted.task.sync})

    async def _push_results(self, session: Session) -> None:
        while (job := await session.next_for(self)) is not None:
            told = tell(job, self._reception.faults)
            try:
                await self._send({"data": told.data} if told.data else {"errors": told.errors})
            except ConnectionError:
                session.put_back(job)
                return
            except asyncio.CancelledError:
                session.put_back(job)
                raise

    async def _send_answer(self, answer: Answer) -> None:
        """Send what succeeded and what failed apart: a client reads no `data` where it sees `errors`."""
        told = answer.as_json()
        if told.get("data") or "errors" not in told:
            await self._send({"data": told["data"]})
        if "errors" in told:
            await self._send({"errors": told["errors"]})

    async def _fail(self, status: int) -> None:
        """Answer by an error that names no task, or as a gateway's failure does: the connection ends."""
        if self._reception.faults.burst_json:
            await self._send({"errors": [status_error(status).as_json({})]})
        else:
            await self._websocket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=str(status).encode())

    def _break_off(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _send(self, frame: Json) -> None:
        await self._websocket.send_str(json.dumps(frame))


class _Results:
    """The results of one message's jobs, held back until that is answered and pushed from then on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: list[Job] | None = []

    def take(self, job: Job) -> None:
        """Take the result of a job that has ended."""
        if self._held is None:
            self._session.push(job)
        else:
            self._held.append(job)

    def drop(self, task_uuids: Collection[str]) -> None:
        """Leave out what the answer itself has told."""
        self._held = [job for job in self._held or [] if job.task_uuid not in task_uuids]

    def release(self) -> None:
        """Push what was held back, and all that follows."""
        held, self._held = self._held or [], None
        for job in held:
            self._session.push(job)
