"""Copies of the service: its real parts, wired as in `app.py`, between a store and a network that fail."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import aiohttp

from service.app import _policy
from service.clips.frames import DEFAULT_FRAME_RULES
from service.clips.lifecycle import Policy
from service.clips.models import Clip, ProjectId, TaskUUID
from service.clips.ownership import Caller, Operator
from service.clips.planning import Planner
from service.errors import Unauthorized
from service.logs import Redactor
from service.runware.answers import Reply
from service.runware.callbacks import CallbackURLs
from service.runware.client import RunwareClient, _NoAnswer
from service.runware.frames import Frames
from service.runware.models import video_model
from service.runware.results import video_url_check
from service.runware.tasks import Task
from service.runware.webhooks import pushed_outcomes
from service.settings import IsolatedSettings
from service.stores.sqlite import SQLiteStore
from service.stores.uploads import LocalUploads
from service.workflow.background import Background
from service.workflow.cancelling import Canceller
from service.workflow.check import Checker
from service.workflow.editing import Editor
from service.workflow.generate import Generator
from service.workflow.inquiry import Inquiry
from service.workflow.past import Past
from service.workflow.poll import Poller
from service.workflow.ports import Store
from service.workflow.projects import Projects
from service.workflow.receive import Receiver
from service.workflow.settlement import Settler
from service.workflow.submission import Submitter
from service.workflow.turns import Turns
from service.workflow.watch import Update, Watcher
from tests.builders import CATALOGUE
from tests.simulation.runware import GOOD_HOST, Answer
from tests.simulation.scenario import Scenario

API_KEY = "key-of-the-account"
WEBHOOK_SECRET = "secret-of-the-webhooks"
ME: Caller = Operator()
DRAIN_S = 10.0
REQUEST_TIMEOUT_S = 30.0


class Surroundings(Protocol):
    """What a copy meets outside."""

    scenario: Scenario

    async def before_store(self, operation: str) -> None:
        """Wait for the store. Raises StoreUnavailable."""

    async def after_store(self, operation: str) -> None:
        """Wait for its answer. Raises StoreUnavailable, whatever it has done."""

    def claimed(self, clips: Sequence[Clip]) -> None:
        """Hear which clips a poller has leased."""

    async def exchange(self, tasks: Sequence[Task]) -> Answer | None:
        """Send tasks to Runware; None where no answer comes back."""


class Reached:
    """A store at the other end of a wire."""

    def __init__(self, store: Store, around: Surroundings) -> None:
        self._store = store
        self._around = around

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        work = getattr(self._store, operation)

        async def reached(*args: Any, **options: Any) -> Any:
            await self._around.before_store(operation)
            result = await work(*args, **options)
            await self._around.after_store(operation)
            if operation == "claim":
                self._around.claimed(result)
            return result

        return reached


class SimulatedClient(RunwareClient):
    """The service's own client, but for the wire."""

    around: Surroundings

    async def _post(self, tasks: Sequence[Task], limits: aiohttp.ClientTimeout | None = None) -> Reply:
        del limits
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                answer = await self.around.exchange(tasks)
        except TimeoutError as error:
            raise _NoAnswer("Runware did not answer in time") from error
        if answer is None:
            raise _NoAnswer("no connection to Runware, or it broke off")
        return Reply(answer.status, answer.body)


class SilentMeter:
    """Counts nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return _uncounted


@cache
def policy_of(clip_timeout_s: float, interval_s: float) -> Policy:
    """Give the policy that the service's own wiring makes of these settings."""
    settings = {
        "runware_api_key": API_KEY,
        "clip_timeout_seconds": clip_timeout_s,
        "poll_interval_seconds": interval_s,
    }
    return _policy(IsolatedSettings.model_validate(settings))


class Copy:
    """One life of a copy, from its start to its end. What people and Runware call is a method."""

    def __init__(
        self, around: Surroundings, path: Path, policy: Policy, clock: Callable[[], datetime]
    ) -> None:
        scenario = around.scenario
        self.clock = clock
        self.opened = SQLiteStore(path)
        self.store = store = cast("Store", Reached(cast("Store", self.opened), around))
        self.check_url = video_url_check([GOOD_HOST])
        self.callbacks = CallbackURLs(
            "https://clips.example" if scenario.has("webhooks") else None, [WEBHOOK_SECRET]
        )
        self.runware = runware = SimulatedClient(
            url="https://runware.example",
            api_key=API_KEY,
            batch_size=scenario.batch_size,
            ask_concurrency=2,
            submit_within=policy.submission_grace * 0.8,
            callbacks=self.callbacks,
            frames=Frames(DEFAULT_FRAME_RULES, LocalUploads(path, "/uploads")),
            check=self.check_url,
        )
        runware.around = around
        meter = cast("Any", SilentMeter())
        planner = Planner(CATALOGUE)
        self.watcher = Watcher(store, planner, clock)
        changed = self.watcher.look_soon
        self.settler = Settler(store, policy, clock, Redactor([API_KEY, WEBHOOK_SECRET]).text, changed, meter)
        submitter = Submitter(
            store,
            runware,
            self.settler,
            clock,
            Past(store, video_model).estimates,
            batch_size=scenario.batch_size,
            slots=Turns(scenario.slots),
        )
        self.background = Background()
        self.interval = timedelta(seconds=scenario.interval_s)
        inquiry = Inquiry(runware, clock, policy)
        self.poller = Poller(
            store, inquiry, self.settler, submitter, self.background, clock, policy, self.interval, meter
        )
        self.generator = Generator(store, inquiry, self.settler, submitter, clock, policy, planner, changed)
        self.canceller = Canceller(store, self.settler, planner)
        self.editor = Editor(store, clock, changed, planner, self.canceller)
        self.projects = Projects(store, clock, changed, planner)
        self.checker = Checker(store, inquiry, self.settler, clock)
        self.receiver = Receiver(self.settler)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()
        self._looks: asyncio.Task[None] | None = None

    async def live(self, jitter: Callable[[], float]) -> None:
        """Work until `stopping`, then stop as the service does."""
        async with AsyncExitStack() as parts:
            await parts.enter_async_context(self.opened)
            writer = asyncio.create_task(self.settler.run(), name="settler")
            ticks = asyncio.create_task(self._tick_on(jitter), name="poller")
            self.ready.set()
            await self.stopping.wait()
            self.watcher.close()
            await self.poller.finish_tick(DRAIN_S)
            ticks.cancel()
            if self._looks is not None:
                self._looks.cancel()
            await self.background.drain(DRAIN_S)
            await self.settler.stop()
            await writer

    async def _tick_on(self, jitter: Callable[[], float]) -> None:
        while not self.stopping.is_set():
            await self.poller.tick()
            await asyncio.sleep(self.interval.total_seconds() * jitter())

    async def watch(self, project: ProjectId, since: int) -> AsyncGenerator[Update]:
        """Watch a project; looks for changes from the first that somebody watches. Raises ServiceError."""
        if self._looks is None:
            self._looks = asyncio.create_task(self.watcher.run(), name="watcher")
        return await self.watcher.watch(project, ME, since)

    async def receive(self, task: TaskUUID, token: str, body: object) -> bool:
        """Take a webhook as `web/handlers.py` does. Raises ServiceError."""
        if not self.callbacks.verify(task, token):
            raise Unauthorized("The token of this callback URL is not its job's.")
        return await self.receiver.receive(task, pushed_outcomes(body, task, self.check_url))


def _uncounted(*_args: object, **_options: object) -> None:
    return None
