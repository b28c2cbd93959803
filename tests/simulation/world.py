"""One run: a scenario, played by copies of the service, people and Runware on one loop."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import structlog

from service.clips.models import Clip, TaskUUID
from service.errors import ServiceError, StoreUnavailable
from service.runware.tasks import Task
from service.stores.sqlite import _migrate, _project_title, _title_matches
from service.workflow.ports import ProjectDraft
from tests.builders import NOON, frames
from tests.simulation.chances import Chances
from tests.simulation.copies import API_KEY, WEBHOOK_SECRET, Copy, policy_of
from tests.simulation.entropy import governed
from tests.simulation.invariants import Ledger
from tests.simulation.loop import HOST, SimulatedLoop, Stuck, TooLong, Violation
from tests.simulation.people import People
from tests.simulation.runware import Answer, Job, Runware, Word
from tests.simulation.scenario import Scenario, command

T = TypeVar("T")

TABLE_RULES = "UNIQUE (fingerprint, attempt),"
"""The part of the schema that a removed safeguard replaces."""
_RULES = TABLE_RULES

_MOST_STEPS = 400_000
_MOST_KILLS = 3
# How long until it is seen that nothing is under way any more.
_PAUSE_S = 5.0
_WEBHOOK_PATIENCE_S = 5.0
_CALL_PATIENCE_S = 120.0
# A clock that is off, is so by this much at most; most are by less.
_CLOCKS_OFF_S = 120.0


@dataclass(slots=True)
class Result:
    """What came of a run: its trace, how many steps it took, what was violated, and what happened."""

    scenario: Scenario
    trace: int
    steps: int
    violation: str | None
    notes: Sequence[str]
    bought: int
    kills: int

    @property
    def told(self) -> str:
        """What was violated, and the command that plays it again."""
        return f"{self.violation}\n    {command(self.scenario)}"


@dataclass(slots=True)
class Life:
    """A copy from one start to its end."""

    host: int
    copy: Copy
    ended: asyncio.Future[None]


@dataclass(slots=True)
class World:
    """What happens around the copies; it is their `Surroundings`, too."""

    scenario: Scenario
    path: Path
    chances: Chances = field(init=False)
    loop: SimulatedLoop = field(init=False)
    ledger: Ledger = field(init=False)
    runware: Runware = field(init=False)
    lives: dict[int, Life] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    kills: int = 0
    _hosts: int = 0
    _claims: dict[str, tuple[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.chances = chances = Chances(scenario)
        order = chances.stream("order")
        disorder = scenario.rates.get("disorder", 0.0)

        def pick(ready: int) -> int:
            return order.randrange(min(ready, 8)) if order.random() < disorder else 0

        self.loop = SimulatedLoop(pick, self._look, _MOST_STEPS, ServiceError)
        jobs: dict[str, list[Job]] = {}
        heard: dict[str, list[tuple[float, str]]] = {}
        store_works = not any(map(scenario.has, ("store slow", "store busy", "store unclear")))
        off = timedelta(seconds=2 * _CLOCKS_OFF_S if scenario.has("clocks off") else 1)
        self.ledger = Ledger(
            self.path,
            self.loop.violate,
            jobs,
            heard,
            self.loop.time,
            self._only_throttled,
            store_works and not (scenario.has("killed") or scenario.has("stopped")),
            store_works,
            (API_KEY, WEBHOOK_SECRET),
            self.now,
            timedelta(seconds=scenario.clip_timeout_s),
            off,
        )
        self.runware = Runware(
            chances,
            self.loop.time,
            self._taken,
            self._call_back,
            lambda task: str(self.ledger.rows[task]["project_id"]),
            self._may_buy_again,
            self.note,
            self.loop.violate,
            scenario.room,
            scenario.usual_s,
            scenario.clip_timeout_s,
            API_KEY,
            jobs,
            heard,
        )

    def now(self) -> datetime:
        """Give the time by the world's clock."""
        return NOON + timedelta(seconds=self.loop.time())

    def note(self, text: str) -> None:
        self.notes.append(f"{self.now():%H:%M:%S.%f}"[:-3] + f" {text}")
        self.loop.note(text)

    # The run.

    async def play(self) -> None:
        draft = ProjectDraft(frames=frames(*range(1, self.scenario.scenes + 1)), scenes=self._first_scenes())
        for number in range(self.scenario.copies):
            self.start(number)
        self._plan_outages()
        people = People(self)
        await people.store_project(draft)
        await people.act()
        for _ in range(int(max(0.0, self.scenario.lasts_s - self.loop.time()) / _PAUSE_S)):
            if self.ledger.all_ended() and self.runware.idle:
                break
            await asyncio.sleep(_PAUSE_S)
        self.chances.quiet = True
        self.runware.mend()
        self.note("all is quiet")
        await people.come_to_an_end()

    def _first_scenes(self) -> dict[str, object]:
        return {str(n): {"description": f"Take 0 of scene {n}."} for n in range(1, self.scenario.scenes + 1)}

    def _plan_outages(self) -> None:
        if self.chances.has("outage"):
            begin = self.chances.between("outage", 0.0, 1.5 * self.scenario.clip_timeout_s)
            lasts = self.chances.between("outage", 30.0, 3.0 * self.scenario.clip_timeout_s)
            self.runware.outages.append((begin, begin + lasts))

    def _look(self) -> None:
        self.ledger.look()

    # Copies.

    def start(self, number: int) -> None:
        self._hosts += 1
        off_s = 0.0
        if self.chances.has("clocks off"):
            off_s = self.chances.between("clocks off", -1.0, 1.0) ** 5 * _CLOCKS_OFF_S
        off = timedelta(seconds=off_s)
        policy = policy_of(self.scenario.clip_timeout_s, self.scenario.interval_s)
        copy = Copy(self, self.path, policy, lambda: self.now() + off)
        life = Life(self._hosts, copy, self.loop.create_future())
        self.lives[number] = life
        self.note(f"copy {number} starts as host {life.host}, its clock {off.total_seconds():+.3f} s off")
        task = self.loop.task_on(life.host, copy.live(lambda: self.chances.between("ticks", 0.95, 1.05)))
        task.add_done_callback(lambda done: self._over(number, life, done))

    def _over(self, number: int, life: Life, done: asyncio.Task[None]) -> None:
        if done.cancelled():
            return
        if (error := done.exception()) is not None and not isinstance(error, ServiceError):
            self.loop.violate(f"crash: copy {number} ended by {error!r}")
        self.loop.kill(life.host)
        self._gone(number, life, "has stopped")

    def _gone(self, number: int, life: Life, how: str) -> None:
        if life.ended.done():
            return
        life.ended.set_result(None)
        self.note(f"copy {number} {how}")
        if self.lives.get(number) is life:
            del self.lives[number]
        self.loop.call_later(self.chances.between("killed", 0.5, 90.0), self.start, number)

    async def _cross(self) -> None:
        """Pass the border of a process: the worst moment for its end."""
        host = HOST.get()
        if not host or self.kills >= _MOST_KILLS:
            return
        found = [(number, life) for number, life in self.lives.items() if life.host == host]
        if not found:
            return
        number, life = found[0]
        if self.chances.strikes("killed"):
            self.kills += 1
            self.loop.kill(host)
            self.loop.call_soon(self._gone, number, life, "is killed", context=_world())
            await self.loop.create_future()
        elif self.chances.strikes("stopped"):
            self.kills += 1
            life.copy.stopping.set()

    # The store.

    async def before_store(self, operation: str) -> None:
        await self._cross()
        slow = self.chances.strikes("store slow")
        await asyncio.sleep(self.chances.between("store", 0.5, 12.0) if slow else 0.001)
        if self.chances.strikes("store busy"):
            self.note(f"host {HOST.get()}: the store is busy at {operation}")
            raise StoreUnavailable("The store is busy.")

    async def after_store(self, operation: str) -> None:
        await self._cross()
        if self.chances.strikes("store unclear"):
            self.note(f"host {HOST.get()}: the store's answer to {operation} is lost")
            raise StoreUnavailable("The store has not answered.")

    def claimed(self, clips: Sequence[Clip]) -> None:
        host, at = HOST.get(), self.loop.time()
        for clip in clips:
            other, before = self._claims.get(clip.task_uuid, (host, -1e9))
            apart = 0.7 * self.scenario.interval_s
            punctual = not (self.scenario.has("clocks off") or self.scenario.has("store slow"))
            if punctual and other != host and at - before < apart:
                self.loop.violate(f"one asker: {clip.task_uuid} is leased by {other} and {host} at once")
            self._claims[clip.task_uuid] = (host, at)

    # Runware.

    async def exchange(self, tasks: Sequence[Task]) -> Answer | None:
        await self._cross()
        answered: asyncio.Future[Answer | None] = self.loop.create_future()
        self.loop.create_task(self._carry(tasks, answered), context=_world())
        answer = await answered
        await self._cross()
        if answer is not None:
            self.runware.hear(answer)
        return answer

    async def _carry(self, tasks: Sequence[Task], answered: asyncio.Future[Answer | None]) -> None:
        """Bring a request to Runware and its answer back, or not; None is a connection that broke."""
        await self._travel()
        if self.chances.strikes("request lost"):
            return self._break_off(answered)
        answer = self._answered(tasks)
        if answer.status == HTTPStatus.OK and self.chances.strikes("request doubled"):
            # By someone on the way, who then hands on the second answer.
            await asyncio.sleep(self.chances.between("request doubled", 0.0, 5.0))
            answer = self._answered(tasks, doubled=True)
        await self._travel()
        if self.chances.strikes("answer lost"):
            return self._break_off(answered)
        if not answered.done():
            answered.set_result(answer)
        return None

    def _break_off(self, answered: asyncio.Future[Answer | None]) -> None:
        # Or nothing ever comes, and the client waits.
        if self.chances.choice("break", [True, False]) and not answered.done():
            answered.set_result(None)

    def _answered(self, tasks: Sequence[Task], *, doubled: bool = False) -> Answer:
        answer = self.runware.answer(tasks, doubled=doubled)
        self.note(f"Runware is asked {_in_short(tasks)}, and answers {answer.status}: {answer.body}")
        return answer

    async def _travel(self) -> None:
        slow = self.chances.strikes("network slow")
        await asyncio.sleep(self.chances.between("network", 1.0, 10.0) if slow else 0.05)

    def _taken(self, task: Mapping[str, Any]) -> None:
        row = self.ledger.rows.get(str(task["taskUUID"]))
        if row is None or not row["sends"] or row["failure_kind"] == "withdrawn":
            self.loop.violate(
                f"ledger first: {task['taskUUID']} reaches Runware, its row says {row and row['sends']}"
            )

    def _only_throttled(self) -> Collection[str]:
        """Give the tasks that Runware has refused for the moment, in runs in which no message gets lost."""
        lossy = (
            "request lost",
            "answer lost",
            "network slow",
            "busy before",
            "busy after",
            "outage",
            "no credit",
        )
        return () if any(map(self.scenario.has, lossy)) else self.runware.throttled

    def _may_buy_again(self, task: str) -> bool:
        row = self.ledger.rows.get(task)
        if row is None:
            return False
        age = self.now() - datetime.fromisoformat(row["submitted_at"])
        return age >= 2 * self.ledger.clip_timeout - self.ledger.clocks_off

    def _call_back(self, job: Job) -> None:
        if job.end != "lost" and job.webhook is not None:
            self.loop.create_task(self._deliver(job, job.webhook), context=_world())
        if job.webhook is not None and self.chances.has("forged"):
            self.loop.create_task(self._forge(job.task), context=_world())

    async def _deliver(self, job: Job, url: str) -> None:
        """Call a callback URL until it is answered with success, as often as Runware cares to."""
        await asyncio.sleep(job.ends_at - self.loop.time())
        if self.chances.strikes("webhook late"):
            await asyncio.sleep(self.chances.between("webhook late", 1.0, 2.5 * self.scenario.clip_timeout_s))
        query = parse_qs(urlsplit(url).query)
        (name,), (token,) = query["job"], query["token"]
        body, words = self.runware.webhook(job)
        for attempt in range(self.chances.choice("webhooks", [1, 3, 8])):
            times = 2 if self.chances.strikes("webhook doubled") else 1
            if not self.chances.strikes("webhook lost"):
                calls = [self._push(job, name, token, body, words) for _ in range(times)]
                if any([await end for end in map(asyncio.ensure_future, calls)]):
                    return
            await asyncio.sleep(min(8.0, 0.25 * 2**attempt))

    async def _push(self, job: Job, name: str, token: str, body: object, words: Sequence[Word]) -> bool:
        async def receive(copy: Copy) -> bool:
            self.note(f"a webhook tells host {HOST.get()} of {name[:8]}: {job.end}")
            self.runware.hear_webhook(words)
            return await copy.receive(TaskUUID(name), token, body)

        end = await self.call(receive, _WEBHOOK_PATIENCE_S)
        if not isinstance(end, bool):
            return False
        if self.ledger.rows[job.task]["status"] not in ("succeeded", "failed"):
            self.loop.violate(f"acknowledged: the webhook of {job.task} was, and its clip has not ended")
        return not self.chances.strikes("webhook lost")

    async def _forge(self, task: str) -> None:
        """Push a video of one's own, without knowing the token."""
        await asyncio.sleep(self.chances.between("forged", 0.0, 60.0))
        body = {"taskUUID": task, "videoURL": f"https://vm.runware.ai/video/forged-{task}.mp4", "cost": 0.01}
        await self.call(lambda copy: copy.receive(TaskUUID(task), "0" * 64, body), _WEBHOOK_PATIENCE_S)

    # Calls.

    async def call(
        self, work: Callable[[Copy], Coroutine[Any, Any, T]], patience_s: float = _CALL_PATIENCE_S
    ) -> T | ServiceError | None:
        """Call a copy; gives its answer, its error, or None where none came."""
        if not self.lives:
            await asyncio.sleep(1.0)
            return None
        life = self.lives[self.chances.choice("copy", sorted(self.lives))]
        task = self.loop.task_on(life.host, self._started(life.copy, work))
        waited_for: set[asyncio.Future[Any]] = {task, life.ended}
        await asyncio.wait(waited_for, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() or task.cancelled():
            return None
        error = task.exception()
        if error is None:
            return task.result()
        if not isinstance(error, ServiceError):
            self.loop.violate(f"crash: a call ended by {error!r}")
            return None
        return error

    async def _started(self, copy: Copy, work: Callable[[Copy], Coroutine[Any, Any, T]]) -> T:
        await copy.ready.wait()
        return await work(copy)


def play(scenario: Scenario) -> Result:
    """Play a scenario to its end, or to the first violation."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(dir=_fast_folder())))
        path = folder / "clips.db"
        path.write_bytes(_empty_database(TABLE_RULES))
        world = World(scenario, path)
        parts.enter_context(governed(world.chances.stream("entropy"), world.loop.time))
        parts.enter_context(_listening(world))
        world.ledger.open()
        parts.callback(world.ledger.close)
        parts.callback(world.loop.wind_up)
        violation = None
        try:
            world.loop.run(world.play())
        except (Violation, Stuck, TooLong) as error:
            violation = str(error)
        bought = sum(len(jobs) for jobs in world.runware.jobs.values())
        return Result(
            scenario, world.loop.trace, world.loop.steps, violation, world.notes, bought, world.kills
        )


class _Ears:
    """Hears of crashes in what is logged, and keeps the rest to itself."""

    world: World | None = None

    def __init__(self, *_args: object, **_options: object) -> None: ...

    def bind(self, **_facts: object) -> "_Ears":
        return self

    def unheard(self, _event: str, **_facts: object) -> None: ...

    info = warning = debug = unheard

    def error(self, event: str, **facts: object) -> None:
        error = facts.get("exc_info")
        if isinstance(error, Exception) and not isinstance(error, ServiceError) and self.world is not None:
            self.world.loop.violate(f"crash: {event}: {error!r}")

    exception = error


@contextmanager
def _listening(world: World) -> Iterator[None]:
    before = structlog.get_config()
    _Ears.world = world
    structlog.configure(wrapper_class=cast("Any", _Ears))
    try:
        yield
    finally:
        structlog.configure(**before)
        _Ears.world = None


def _in_short(tasks: Sequence[Task]) -> str:
    return f"{tasks[0]['taskType']} of {[str(task['taskUUID'])[:8] for task in tasks]}"


def _world() -> Any:
    context = copy_context()
    context.run(HOST.set, 0)
    return context


@cache
def _fast_folder() -> str | None:
    shared_memory = Path("/dev/shm")
    return str(shared_memory) if shared_memory.is_dir() else None


@cache
def _empty_database(rules: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        db = sqlite3.connect(path, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.create_function("project_title", 2, _project_title, deterministic=True)
        db.create_function("title_matches", 2, _title_matches, deterministic=True)
        _migrate(db)
        if rules != _RULES:
            db.executescript(
                "PRAGMA writable_schema = ON;"
                f"UPDATE sqlite_schema SET sql = replace(sql, '{_RULES}', '{rules}') WHERE name = 'clips';"
                "DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_clips_2';"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.close()
        return path.read_bytes()
