"""Each known answer of Runware, read by the reader alone and met by the whole service."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from service.clips.models import Failure, TaskUUID
from service.clips.outcomes import Failed, Outcome, Succeeded, Throttled, Unknown
from service.runware.account import Account, read_account
from service.runware.answers import Answer, NoJSON, Reply, read_archive, read_status, read_submission
from service.runware.callbacks import CallbackURLs
from service.runware.results import video_url_check
from service.runware.webhooks import pushed_outcomes
from service.serving import listen
from tests.builders import MovableClock
from tests.harness import WEBHOOK_SECRET, World, running_service

FOLDER = Path(__file__).parents[1] / "runware_answers"
TASK = TaskUUID("11111111-1111-4111-8111-111111111111")
HOSTS = "*.runware.ai"
check = video_url_check([HOSTS])


@dataclass(frozen=True, slots=True)
class Known:
    """A file of the corpus."""

    name: str
    asked: str
    status: int
    headers: Mapping[str, str]
    content: str
    is_json: bool
    expected: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Known":
        file = json.loads(path.read_text("utf-8"))
        assert file["source"]
        is_json = "body" in file
        content = json.dumps(file["body"]) if is_json else file["text"]
        headers = {"Content-Type": "application/json", **file.get("headers", {})}
        return cls(path.stem, file["asked"], file["status"], headers, content, is_json, file["expected"])

    def body(self, task: str) -> Any:
        return json.loads(self.content.replace("{task}", task)) if self.is_json else NoJSON()

    def response(self, task: str) -> web.Response:
        return web.Response(
            status=self.status, headers=self.headers, body=self.content.replace("{task}", task).encode()
        )


CORPUS = [Known.read(path) for path in sorted(FOLDER.glob("*.json"))]
ANSWERS = [known for known in CORPUS if known.asked not in ("webhook", "account")]


def named(asked: str) -> pytest.MarkDecorator:
    found = [known for known in CORPUS if known.asked == asked]
    assert found
    return pytest.mark.parametrize("known", found, ids=lambda known: known.name)


def assert_expected(outcome: Outcome | None, expected: Mapping[str, Any]) -> None:
    assert type(outcome).__name__ == expected["outcome"]
    if isinstance(outcome, Failed | Unknown | Throttled):
        assert_failure(outcome.failure, expected)
    if isinstance(outcome, Succeeded | Failed) and "cost_usd" in expected:
        assert outcome.cost_usd == expected["cost_usd"]
    if isinstance(outcome, Throttled):
        assert outcome.no_credit is expected["no_credit"]


def assert_failure(failure: Failure, expected: Mapping[str, Any]) -> None:
    assert failure.code == expected.get("code", failure.code)
    assert failure.kind == expected.get("kind", failure.kind)
    assert failure.detail == expected.get("detail", "")


def outcome_of(answer: Answer) -> Outcome | None:
    return answer.outcomes.get(TASK, answer.refusal)


@pytest.mark.parametrize("known", ANSWERS, ids=lambda known: known.name)
def test_reader_gives_the_outcome(known: Known) -> None:
    reader = {"submission": read_submission, "status": read_status, "archive": read_archive}[known.asked]
    reply = Reply(known.status, known.body(TASK))
    assert_expected(outcome_of(reader([TASK], reply, check)), known.expected)


@named("webhook")
def test_reader_gives_the_outcome_of_a_webhook(known: Known) -> None:
    (outcome,) = pushed_outcomes(known.body(TASK), TASK, check)
    assert_expected(outcome, known.expected)


@named("account")
def test_reader_gives_the_balance(known: Known) -> None:
    account = read_account(Reply(known.status, known.body(TASK)))
    if isinstance(account, Account):
        assert account.balance == known.expected["balance"]
    else:
        assert known.expected["refused"] in account


@dataclass(slots=True)
class Stand:
    """Stands in for Runware: one known answer to one kind of request, and acknowledgements beside it."""

    known: Known
    asked: list[str] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        (task, *others) = await request.json()
        assert not others
        kind = {
            "videoInference": "submission",
            "getResponse": "status",
            "getTaskDetails": "archive",
            "accountManagement": "account",
        }[task["taskType"]]
        self.asked.append(kind)
        if kind == "submission":
            self.submitted.append(task["taskUUID"])
        if kind == self.known.asked:
            return self.known.response(task["taskUUID"])
        if kind == "account":
            return web.json_response({"data": [{"balance": 5}]})
        if kind == "submission" and self.known.asked == "archive":
            # Whether the task was taken is what the archive is asked for.
            return web.Response(status=200, text="no answer that makes sense")
        if kind == "submission":
            return web.json_response({"data": [{"taskType": "videoInference", "taskUUID": task["taskUUID"]}]})
        return web.json_response({"data": []})


@asynccontextmanager
async def met_by_the_service(
    known: Known, tmp_path: Path, clock: MovableClock
) -> AsyncIterator[tuple[World, Stand]]:
    """Run the service against an answer; one request at a time, so that each is about one task."""
    stand = Stand(known)
    app = web.Application()
    app.router.add_post("/v1", stand.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listening, url = listen()
    await web.SockSite(runner, listening).start()
    options: dict[str, Any] = {"video_hosts": HOSTS, "runware_batch_size": 1, "submission_grace_seconds": 2}
    try:
        async with running_service(url, tmp_path / "clips.db", clock=clock, **options) as world:
            yield world, stand
    finally:
        await runner.cleanup()


async def stored_scene(world: World) -> str:
    pair = {f"{end}_frame": f"https://frames.example/{end}.png" for end in ("first", "last")}
    return await world.store({"1": {"description": "A boat."}}, {"1": pair})


def job_fits(job: Mapping[str, Any], known: Known) -> bool:
    """Whether the job stands as the outcome says: an end is one, and nothing else is."""
    expected = known.expected
    match expected["outcome"]:
        case "Succeeded":
            return (job["status"], job["cost_usd"]) == ("succeeded", expected["cost_usd"])
        case "Failed":
            error = job["error"] or {}
            return (error.get("code"), error.get("kind"), error.get("detail")) == (
                expected["code"],
                expected["kind"],
                expected.get("detail"),
            )
        case "Throttled":
            return bool(job["stage"] == "throttled" and job["send_after"])
        case _:
            return job["settled_at"] is None


@pytest.mark.parametrize("known", ANSWERS, ids=lambda known: known.name)
async def test_service_ends_the_clip_by_the_answer_or_waits(known: Known, tmp_path: Path) -> None:
    clock = MovableClock()
    async with met_by_the_service(known, tmp_path, clock) as (world, stand):
        project_id = await stored_scene(world)
        await world.post("/functions/v1/generate-clips", {"project_id": project_id})
        if known.asked == "archive":
            clock.advance(seconds=3)
        (job,) = await world.until(
            project_id, lambda jobs: known.asked in stand.asked and job_fits(jobs[0], known)
        )
        # An answer that ends nothing ends nothing the third time, either.
        asked = len(stand.asked)
        for _ in range(200):
            if job["settled_at"] or len(stand.asked) >= asked + 3 or job["stage"] == "throttled":
                break
            await asyncio.sleep(0.02)
        (job,) = await world.jobs(project_id)
        assert job_fits(job, known)
        sent_again = known.asked == "archive" and known.expected["outcome"] == "Unknown"
        assert len(set(stand.submitted)) == 1
        assert (len(stand.submitted) > 1) is sent_again


@named("webhook")
async def test_service_ends_the_clip_by_the_webhook(known: Known, tmp_path: Path) -> None:
    async with met_by_the_service(known, tmp_path, MovableClock()) as (world, _):
        project_id = await stored_scene(world)
        await world.generate(project_id)
        (job,) = await world.jobs(project_id)
        task = job["task_uuid"]
        url = CallbackURLs(world.url, [WEBHOOK_SECRET]).url(task)
        assert url is not None
        async with world.session.post(url, json=known.body(task)) as response:
            assert response.status == 200, await response.text()
        (job,) = await world.jobs(project_id)
        assert job_fits(job, known)
        assert job["settled_by"] == "webhook"
