"""Runs accepted jobs: the wait, the frames, the clip, the upload, the webhook."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from uuid import uuid4

import aiohttp

from service.sandbox.answers import Accepted
from service.sandbox.encoding import FORMATS, ClipSpec, fit_size
from service.sandbox.errors import JobFailedError, TaskError
from service.sandbox.faults import JobFaults, draw
from service.sandbox.frames import FrameReader, draw_stand_in
from service.sandbox.jobs import Job, Ledger, Video
from service.sandbox.options import SandboxOptions
from service.sandbox.render import Renderer
from service.sandbox.tasks import VideoTask
from service.sandbox.unknowns import Unknowns
from service.sandbox.webhooks import WebhookSender

logger = logging.getLogger(__name__)

_UPLOAD_SECONDS = 60
_MAKING_AT_ONCE = 32  # these hold their frames in memory; the others wait


@dataclass(frozen=True, slots=True)
class Run:
    """A job under way: `settled` when it has ended, `announced` when its webhook was tried or won't be."""

    settled: asyncio.Event = field(default_factory=asyncio.Event)
    announced: asyncio.Event = field(default_factory=asyncio.Event)


class JobRunner:
    """Runs each job in the background, as an async context manager: leaving it stops the unfinished jobs."""

    def __init__(
        self,
        options: SandboxOptions,
        session: aiohttp.ClientSession,
        renderer: Renderer,
        ledger: Ledger,
        base_url: str,
        own_urls: Collection[str],
    ) -> None:
        self._options = options
        self._session = session
        self._frames = FrameReader(session, own_urls, refuse_private=options.private_frames == "refuse")
        self._renderer = renderer
        self._webhooks = WebhookSender(session, options)
        self._ledger = ledger
        self._base_url = base_url
        self._turns = asyncio.Semaphore(_MAKING_AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        under_way = list(self._under_way)
        for work in under_way:
            work.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def start(
        self, accepted: Accepted, unknowns: Unknowns, on_end: Callable[[Job], None] | None = None
    ) -> Run:
        """Start a job that the ledger has accepted. A forgotten one ends here: nobody is told.

        Its webhook follows the unknowns that are given here, whatever replaces them later. Before that is
        sent, `on_end` is called with the job.
        """
        run = Run()
        if accepted.faults.forget:
            self._ledger.forget(accepted.job)
            run.settled.set()
            run.announced.set()
        else:
            self._spawn(self._run(accepted, unknowns, run, on_end))
        return run

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        spawned = asyncio.create_task(work)
        self._under_way.add(spawned)
        spawned.add_done_callback(self._end)

    def _end(self, work: asyncio.Task[None]) -> None:
        self._under_way.discard(work)
        if not work.cancelled() and (failure := work.exception()) is not None:
            logger.error("a job broke down after its result", exc_info=failure)

    async def _run(
        self, accepted: Accepted, unknowns: Unknowns, run: Run, on_end: Callable[[Job], None] | None
    ) -> None:
        try:
            await self._settle(accepted.job, accepted.task, accepted.faults)
            run.settled.set()
            if on_end is not None:
                on_end(accepted.job)
            await self._webhooks.send(accepted, unknowns, run.announced)
        finally:
            run.settled.set()
            run.announced.set()

    async def judge_frames(self, urls: Collection[str]) -> dict[str, TaskError]:
        """Return the frames that can't be used, with the reason."""
        judged = await asyncio.gather(*map(self._frames.read, urls), return_exceptions=True)
        return {
            url: failure.error
            for url, failure in zip(urls, judged, strict=True)
            if isinstance(failure, JobFailedError)
        }

    async def _settle(self, job: Job, task: VideoTask, faults: JobFaults) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._seconds(job, faults)
        try:
            outcome: Path | TaskError = faults.failure or await self._produce(task)
        except JobFailedError as failure:
            outcome = failure.error
        except Exception:
            logger.exception("job %s broke down", job.task_uuid)
            outcome = TaskError(
                "internalServerError", "The sandbox failed to make this clip; its log says why"
            )
        await asyncio.sleep(ends_at - loop.time())
        if isinstance(outcome, Path):
            self._ledger.succeed(job, self._publish(outcome, task, faults))
        else:
            self._ledger.fail(job, outcome)
        logger.info("job %s ended: %s", job.task_uuid, job.error.code if job.error else job.state.value)

    def _seconds(self, job: Job, faults: JobFaults) -> float:
        if faults.early_webhook:
            return 0
        low, high = self._options.min_seconds, self._options.max_seconds
        return low + (high - low) * draw(self._options.seed, "seconds", job.task_uuid) + faults.slow_seconds

    async def _produce(self, task: VideoTask) -> Path:
        async with self._turns:
            file = await self._renderer.render(await self._specify(task))
        if task.upload_url is not None:
            media_type = FORMATS[task.output_format].media_type
            await self._upload(task.upload_url, await asyncio.to_thread(file.read_bytes), media_type)
        return file

    def _publish(self, file: Path, task: VideoTask, faults: JobFaults) -> Video:
        """Give a clip that has just been finished its URL."""
        clip_format = FORMATS[task.output_format]
        video_uuid = str(uuid4())
        now = asyncio.get_running_loop().time()
        return Video(
            uuid=video_uuid,
            url=f"{self._base_url}/videos/{video_uuid}.{clip_format.suffix}",
            file=file,
            media_type=clip_format.media_type,
            filled_at=now + faults.empty_video_seconds,
            expires_at=None if task.ttl is None else now + task.ttl,
        )

    async def _specify(self, task: VideoTask) -> ClipSpec:
        """Fetch a task's frames (or draw stand-ins) and fix the clip's size. A frame alone is the first."""
        longest = self._options.max_long_side
        if task.size is not None:
            first, last = await draw_stand_in(task.prompt, fit_size(task.size, task.short_side, longest))
            frames = [first, last]
        else:
            urls = [url for url in (task.first_frame, task.last_frame) if url is not None]
            frames = await asyncio.gather(*map(self._frames.read, urls))
        return ClipSpec(
            first=frames[0],
            last=frames[1] if len(frames) > 1 else None,
            size=fit_size(frames[0].size, task.short_side, longest),
            duration=task.duration,
            output_format=task.output_format,
            quality=task.output_quality,
            sound=task.sound,
        )

    async def _upload(self, url: str, content: bytes, media_type: str) -> None:
        timeout = aiohttp.ClientTimeout(total=_UPLOAD_SECONDS)
        try:
            async with self._session.put(
                url, data=content, headers={"Content-Type": media_type}, timeout=timeout
            ) as response:
                if not response.ok:
                    raise JobFailedError("uploadFailed", f"uploadEndpoint answered HTTP {response.status}")
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise JobFailedError("uploadFailed", "uploadEndpoint can't be reached") from failure
