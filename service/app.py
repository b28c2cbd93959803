"""The wiring: settings → parts → the Starlette application, whose lifespan opens and closes all of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import Literal
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette

from service.addresses import is_private, local_url
from service.clips.frames import FrameRules, FramesWay
from service.clips.lifecycle import Policy
from service.clips.planning import Planner
from service.logs import Redactor
from service.metrics import Metrics
from service.runware.callbacks import CallbackURLs
from service.runware.client import RunwareClient
from service.runware.frames import Frames
from service.runware.models import video_model
from service.runware.results import video_url_check
from service.runware.videos import VideoReader
from service.scheduling import scheduled
from service.settings import DatabaseSettings, Settings, misspelt_environment
from service.stores.presence import presence
from service.stores.sqlite import SQLiteStore
from service.stores.supabase import SupabaseStore
from service.stores.uploads import LocalUploads, SupabaseUploads
from service.web.access import Access, SupabaseCallers
from service.web.downloads import Downloads
from service.web.handlers import Handlers
from service.web.server import starlette_app
from service.web.signing_keys import SigningKeys
from service.web.studio import UPLOADS_PATH, Studio, SupabaseSignIn
from service.web.tokens import TokenVerifier
from service.workflow.adoption import Adopter
from service.workflow.background import Background
from service.workflow.cancelling import Canceller
from service.workflow.check import Checker
from service.workflow.editing import Editor
from service.workflow.generate import Generator
from service.workflow.inquiry import Inquiry
from service.workflow.past import Past
from service.workflow.poll import Poller
from service.workflow.ports import Clock, Store
from service.workflow.projects import Projects
from service.workflow.receive import Receiver
from service.workflow.settlement import Settler
from service.workflow.submission import Submitter
from service.workflow.turns import Turns
from service.workflow.watch import Watcher

log = structlog.get_logger(__name__)

# A submission that still backs off then is given up: its clips stay `submitting` until the next start.
_DRAIN_SECONDS = 10
# What is left of the grace time is for the answer's way into the ledger.
_SUBMISSION_SHARE_OF_GRACE = 0.8


def utc_now() -> datetime:
    """Give the time now."""
    return datetime.now(UTC)


def store_for(settings: DatabaseSettings) -> SQLiteStore | SupabaseStore:
    """Give the store that the settings name, to be opened by `async with`."""
    if (supabase := _supabase(settings)) is not None:
        return SupabaseStore(*supabase)
    return SQLiteStore(settings.database_path)


def uploads_for(settings: Settings) -> LocalUploads | SupabaseUploads:
    """Give where uploaded frames are kept: beside the projects. SupabaseUploads is opened by `async with`."""
    if (supabase := _supabase(settings)) is not None:
        return SupabaseUploads(*supabase)
    return LocalUploads(settings.uploads_path, UPLOADS_PATH)


def runware_for(settings: Settings) -> RunwareClient:
    """Give the client for Runware, to be opened by `async with`."""
    return RunwareClient(
        url=settings.runware_api_url,
        api_key=settings.runware_api_key.get_secret_value(),
        batch_size=settings.runware_batch_size,
        ask_concurrency=max(1, settings.runware_concurrency // 2),
        submit_within=timedelta(seconds=settings.submission_grace_seconds * _SUBMISSION_SHARE_OF_GRACE),
        callbacks=callbacks_for(settings),
        # The rules say which uploads are kept here: none, with Supabase.
        frames=Frames(frame_rules_for(settings), LocalUploads(settings.uploads_path, UPLOADS_PATH)),
        check=video_url_check(settings.video_hosts),
        ttl_seconds=settings.runware_ttl_seconds,
    )


def frame_rules_for(settings: Settings) -> FrameRules:
    """Give what decides about frames' URLs."""
    # An upload's URL may be from a time, or by a way, without the path of PUBLIC_URL.
    bases = dict.fromkeys(("", urlsplit(settings.public_url or "").path))
    return FrameRules(
        upload_paths=() if settings.supabase_url else tuple(f"{base}{UPLOADS_PATH}/" for base in bases),
        uploads_are_reached=settings.frames_delivery.way is not FramesWay.OUT_OF_REACH,
        private_is_reached=is_private(urlsplit(settings.runware_api_url).hostname or ""),
    )


def callbacks_for(settings: Settings) -> CallbackURLs:
    """Give what makes and recognises callback URLs."""
    return CallbackURLs(
        settings.public_url, [secret.get_secret_value() for secret in settings.webhook_secret]
    )


@asynccontextmanager
async def submitting(
    settings: Settings, store: Store, runware: RunwareClient, clock: Clock = utc_now
) -> AsyncIterator[Submitter]:
    """Give what sends clips as the service does, for a program that is not the service."""
    settler = Settler(
        store, _policy(settings), clock, Redactor(settings.secrets).text, lambda: None, Metrics()
    )
    async with _settling(settler):
        yield Submitter(
            store,
            runware,
            settler,
            clock,
            Past(store, video_model).estimates,
            batch_size=settings.runware_batch_size,
            slots=Turns(settings.runware_concurrency),
        )


def build_app(settings: Settings, clock: Clock = utc_now) -> Starlette:
    """Build the service. Nothing is opened before the application's lifespan begins."""
    policy = _policy(settings)
    callbacks = callbacks_for(settings)
    store = store_for(settings)
    uploads = uploads_for(settings)
    runware = runware_for(settings)
    frame_rules = frame_rules_for(settings)
    videos = VideoReader(video_url_check(settings.video_hosts))
    planner = Planner(settings.catalogue, settings.prompts, frame_rules)
    watcher, metrics = Watcher(store, planner, clock), Metrics()
    metrics.set_up(
        release=version("clip-service"),
        store="sqlite" if settings.supabase_url is None else "supabase",
        webhooks=callbacks.enabled,
        uploaded_frames=settings.frames_delivery.way,
    )
    past = Past(store, video_model)
    settler = Settler(
        store, policy, clock, Redactor(settings.secrets).text, watcher.look_soon, metrics, past.learn
    )
    submitter = Submitter(
        store,
        runware,
        settler,
        clock,
        past.estimates,
        batch_size=settings.runware_batch_size,
        slots=Turns(settings.runware_concurrency),
    )
    background = Background()
    interval = timedelta(seconds=settings.poll_interval_seconds)
    inquiry = Inquiry(runware, clock, policy)
    poller = Poller(store, inquiry, settler, submitter, background, clock, policy, interval, metrics)
    generator = Generator(store, inquiry, settler, submitter, clock, policy, planner, watcher.look_soon)
    canceller = Canceller(store, settler, planner)
    projects = Projects(store, clock, watcher.look_soon, planner)
    handlers = Handlers(
        generator=generator,
        adopter=Adopter(generator, video_url_check(settings.video_hosts)),
        checker=Checker(store, inquiry, settler, clock, frame_rules),
        receiver=Receiver(settler),
        editor=Editor(store, clock, watcher.look_soon, planner, canceller),
        canceller=canceller,
        projects=projects,
        downloads=Downloads(projects, videos, settings.runware_ttl_seconds, clock),
        poller=poller,
        store=store,
        callbacks=callbacks,
        check_video_url=video_url_check(settings.video_hosts),
        watcher=watcher,
        past=past,
        catalogue=planner.catalogue,
        ttl_seconds=settings.runware_ttl_seconds,
        clock=clock,
        studio=Studio(uploads, past, planner.catalogue, settings.public_url, _sign_in(settings)),
        webhook_meter=metrics,
        metrics_text=metrics.text,
    )
    signing_keys = SigningKeys(settings.supabase_url) if settings.supabase_url else None

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as parts:
            await parts.enter_async_context(store)
            alone = settings.supabase_url is not None or parts.enter_context(presence(settings.database_path))
            if isinstance(uploads, SupabaseUploads):
                await parts.enter_async_context(uploads)
            await parts.enter_async_context(runware)
            await parts.enter_async_context(videos)
            if signing_keys is not None:
                await parts.enter_async_context(signing_keys)
            await parts.enter_async_context(_settling(settler))
            parts.push_async_callback(background.drain, _DRAIN_SECONDS)
            finish_tick = partial(poller.finish_tick, _DRAIN_SECONDS)
            await parts.enter_async_context(scheduled(poller.tick, interval, utc_now, finish_tick))
            await parts.enter_async_context(_watching(watcher))
            _log_start(settings, callbacks, alone=alone)
            yield
            log.info("stopping")

    access = Access(_revealed(settings.service_token), _supabase_callers(settings, signing_keys))
    app = starlette_app(handlers, access, settings.allowed_origins, metrics, lifespan)
    app.state.end_streams = watcher.close
    return app


def log_misspelt_settings(environment: Mapping[str, str]) -> None:
    """Tell of variables like misspelt settings. In the environment they may be another program's."""
    for name, close in misspelt_environment(environment).items():
        log.warning("a variable of the environment looks like a misspelt setting", name=name, meant=close)


def log_page(settings: Settings, port: int) -> None:
    """Log where a browser on this machine opens the page, and what it asks for there."""
    log.info(
        "the page is ready: open it in a browser",
        page=settings.public_url or local_url(settings.host, port),
        sign_in=_sign_in_words(settings),
    )


def _sign_in_words(settings: Settings) -> str:
    ways = [
        way
        for way, is_there in (
            ("an account of the Supabase project", bool(settings.supabase_anon_key)),
            ("the SERVICE_TOKEN", settings.service_token is not None),
        )
        if is_there
    ]
    if ways:
        return f"with {' or '.join(ways)}"
    return "not needed" if settings.supabase_url is None else "not possible: set SUPABASE_ANON_KEY"


def _policy(settings: Settings) -> Policy:
    return Policy(
        clip_timeout=timedelta(seconds=settings.clip_timeout_seconds),
        submission_grace=timedelta(seconds=settings.submission_grace_seconds),
        doubt_lasts=2 * timedelta(seconds=settings.clip_timeout_seconds),
        # As often as anybody asks.
        looks_apart=timedelta(seconds=settings.poll_interval_seconds),
    )


def _supabase(settings: DatabaseSettings) -> tuple[str, str] | None:
    """Give the Supabase project's address and its service role key, which are set together or not at all."""
    key = _revealed(settings.supabase_service_role_key)
    return None if settings.supabase_url is None or key is None else (settings.supabase_url, key)


def _supabase_callers(settings: Settings, signing_keys: SigningKeys | None) -> SupabaseCallers | None:
    supabase = _supabase(settings)
    if signing_keys is None or supabase is None:
        return None
    _, service_role_key = supabase
    return SupabaseCallers(
        tokens=TokenVerifier(settings.token_issuer, signing_keys, _revealed(settings.supabase_jwt_secret)),
        service_role_key=service_role_key,
        public_keys=settings.supabase_anon_key,
        allow_anon=settings.allow_anon,
    )


def _sign_in(settings: Settings) -> Literal["none", "token"] | SupabaseSignIn:
    if settings.supabase_url is not None:
        return SupabaseSignIn(
            settings.supabase_url,
            next(iter(settings.supabase_anon_key), None),
            settings.service_token is not None,
        )
    return "none" if settings.service_token is None else "token"


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


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


def _log_start(settings: Settings, callbacks: CallbackURLs, *, alone: bool) -> None:
    log.info(
        "started",
        model=settings.runware_model,
        host=settings.host,
        port=settings.port,
        database=settings.supabase_url or str(settings.database_path.absolute()),
        poll_interval_s=settings.poll_interval_seconds,
        webhooks=callbacks.enabled,
        uploaded_frames=settings.frames_delivery.way,
    )
    if not callbacks.enabled:
        log.warning("PUBLIC_URL is not set: no webhook is asked for, and the poller does all the work")
    if not alone:
        log.warning(
            "another process serves the same database file: each polls, streams and counts on its own",
            database=str(settings.database_path.absolute()),
        )
    if settings.frames_delivery.way is FramesWay.OUT_OF_REACH:
        log.warning(
            "uploaded frames are out of Runware's reach",
            found=settings.frames_delivery.sentence,
            remedy=settings.frames_delivery.remedy,
        )
    if settings.allow_anon:
        log.warning(
            "ALLOW_ANON is set: everyone who has the project's public key can spend the account's credit"
        )
