"""Sessions: the results that a caller by websocket is owed, kept from one of its connections to the next."""

import asyncio
import logging
from collections import OrderedDict, deque
from uuid import uuid4

from service.sandbox.jobs import Job

logger = logging.getLogger(__name__)

_MAX_OWED = 1000
_MAX_IDLE = 1000


class Session:
    """The ended jobs whose results its caller is owed, at most `max_owed`: the oldest make room.

    Its holder is the connection that they go to; a session without one waits for its caller.
    """

    def __init__(self, max_owed: int = _MAX_OWED) -> None:
        self.uuid = str(uuid4())
        self._owed: deque[Job] = deque(maxlen=max_owed)
        self._holder: object | None = None
        self._changed = asyncio.Event()

    def push(self, job: Job) -> None:
        """Owe the caller the result of a job that has ended."""
        if len(self._owed) == self._owed.maxlen:
            logger.warning("the result of %s is not pushed any more", self._owed[0].task_uuid)
        self._owed.append(job)
        self._changed.set()

    def put_back(self, job: Job) -> None:
        """Owe a result again that could not be sent, unless newer ones have taken its room."""
        if len(self._owed) == self._owed.maxlen:
            logger.warning("the result of %s is not pushed any more", job.task_uuid)
            return
        self._owed.appendleft(job)
        self._changed.set()

    def hold(self, holder: object | None) -> None:
        """Give the session to a connection, or to none."""
        self._holder = holder
        self._changed.set()

    def is_held_by(self, holder: object) -> bool:
        """Whether this connection is the one that results go to."""
        return self._holder is holder

    async def next_for(self, holder: object) -> Job | None:
        """Wait for the next job whose result is owed; None once the session is no longer the holder's."""
        while self.is_held_by(holder):
            if self._owed:
                return self._owed.popleft()
            self._changed.clear()
            await self._changed.wait()
        return None


class Sessions:
    """All sessions that have a connection, and the `max_idle` that lost theirs last."""

    def __init__(self, max_idle: int = _MAX_IDLE) -> None:
        self._max_idle = max_idle
        self._sessions: dict[str, Session] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()

    def open(self, session_uuid: object, holder: object) -> Session:
        """Give a connection the session of this UUID, also if another holds it; a new one if none is kept."""
        session = self._sessions.get(session_uuid) if isinstance(session_uuid, str) else None
        if session is None:
            session = Session()
            self._sessions[session.uuid] = session
        self._idle.pop(session.uuid, None)
        session.hold(holder)
        return session

    def leave(self, session: Session, holder: object) -> None:
        """Keep the session of a connection that has ended, unless another holds it by now."""
        if not session.is_held_by(holder):
            return
        session.hold(None)
        self._idle[session.uuid] = None
        if len(self._idle) > self._max_idle:
            oldest, _ = self._idle.popitem(last=False)
            del self._sessions[oldest]
