"""The wiring: settings → parts → the Starlette application, whose lifespan opens and closes all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from starlette.applications import Starlette

from service.clips.lifecycle import Policy
from service.logs import Redactor
from service.runware.callbacks import CallbackURLs
from service.runware.client import RunwareClient
from service.runware.results import video_url_check
from service.settings import Settings
from service.stores.sqlite import SQLiteStore
from service.stores.uploads import LocalUploads
from service.web.access import Access
from service.web.handlers import Handlers
from service.web.server import starlette_app
from service.web.studio import Studio
from service.workflow.background import Background
from service.workflow.check import Checker
from service.workflow.generate import Generator
from service.workflow.past import Past
from service.workflow.poll import Poller
from service.workflow.ports import Clock
from service.workflow.projects import Projects
from service.workflow.receive import Receiver
from service.workflow.settlement import Settler
from service.workflow.submission import Submitter
from service.workflow.watch import Watcher

log = structlog.get_logger(__name__)

# A submission that still backs off then is given up: its clips stay `submitting` until the next start.
_DRAIN_SECONDS = 10
# What is left of the grace time is for the answer's way into the ledger.
_SUBMISSION_SHARE_OF_GRACE = 0.8


def utc_now() -> datetime:
    """Give the time now."""
    return datetime.now(UTC)


def build_app(settings: Settings, clock: Clock = utc_now) -> Starlette:
    """Build the service. Nothing is opened before the application's lifespan begins."""
    policy = Policy(
        clip_timeout=timedelta(seconds=settings.clip_timeout_seconds),
        submission_grace=timedelta(seconds=settings.submission_grace_seconds),
    )
    callbacks = CallbackURLs(
        settings.public_url, [secret.get_secret_value() for secret in settings.webhook_secret]
    )
    check_video_url = video_url_check(settings.video_hosts)
    store = SQLiteStore(settings.database_path)
    runware = RunwareClient(
        url=settings.runware_api_url,
        api_key=settings.runware_api_key.get_secret_value(),
        batch_size=settings.runware_batch_size,
        ask_concurrency=max(1, settings.runware_concurrency // 2),
        submit_within=policy.submission_grace * _SUBMISSION_SHARE_OF_GRACE,
        callbacks=callbacks,
        check=check_video_url,
    )
    watcher = Watcher(store)
    settler = Settler(store, policy, clock, Redactor(settings.secrets).text, watcher.look_soon)
    submitter = Submitter(
        store,
        runware,
        settler,
        clock,
        batch_size=settings.runware_batch_size,
        slots=asyncio.Semaphore(settings.runware_concurrency),
    )
    background = Background()
    interval = timedelta(seconds=settings.poll_interval_seconds)
    poller = Poller(store, runware, settler, submitter, background, clock, policy, interval)
    past = Past(store, settings.generation)
    handlers = Handlers(
        generator=Generator(
            store, runware, settler, submitter, clock, settings.generation, watcher.look_soon
        ),
        checker=Checker(store, runware, settler),
        receiver=Receiver(settler),
        projects=Projects(store, clock),
        poller=poller,
        store=store,
        callbacks=callbacks,
        check_video_url=check_video_url,
        watcher=watcher,
        past=past,
        clock=clock,
        studio=Studio(
            LocalUploads(settings.uploads_path),
            past,
            settings.public_url,
            sign_in="token" if settings.service_token else "none",
        ),
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as parts:
            await parts.enter_async_context(store)
            await parts.enter_async_context(runware)
            await parts.enter_async_context(_settling(settler))
            parts.push_async_callback(background.drain, _DRAIN_SECONDS)
            await parts.enter_async_context(_polling(poller, interval))
            await parts.enter_async_context(_watching(watcher))
            _log_start(settings, callbacks)
            yield
            log.info("stopping")

    token = settings.service_token
    access = Access(token.get_secret_value() if token else None)
    app = starlette_app(handlers, access, settings.allowed_origins, lifespan)
    app.state.end_streams = watcher.close
    return app


@asynccontextmanager
async def _settling(settler: Settler) -> AsyncIterator[None]:
    writer = asyncio.create_task(settler.run(), name="settler")
    try:
        yield
    finally:
        await settler.stop()
        await writer


@asynccontextmanager
async def _watching(watcher: Watcher) -> AsyncIterator[None]:
    looking = asyncio.create_task(watcher.run(), name="watcher")
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


@asynccontextmanager
async def _polling(poller: Poller, interval: timedelta) -> AsyncIterator[None]:
    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_job(
        poller.tick,
        "interval",
        seconds=interval.total_seconds(),
        # At once, since a start may be a restart, with clips that have waited long enough.
        next_run_time=utc_now(),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.pause()
        await poller.finish_tick(_DRAIN_SECONDS)
        scheduler.shutdown(wait=False)


def _log_start(settings: Settings, callbacks: CallbackURLs) -> None:
    log.info(
        "started",
        model=settings.runware_model,
        host=settings.host,
        port=settings.port,
        database=str(settings.database_path.absolute()),
        poll_interval_s=settings.poll_interval_seconds,
        webhooks=callbacks.enabled,
    )
    if not callbacks.enabled:
        log.warning("PUBLIC_URL is not set: no webhook is asked for, and the poller does all the work")
