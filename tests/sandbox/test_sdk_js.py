"""Runware's older client for JavaScript, which knows websockets only, takes the sandbox for Runware."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.node import install, run
from tests.sandbox.support import KEY, Caller, Json, serve

CLIENT = Path(__file__).parent / "sdk_js"
PATIENCE_S = 60


@pytest.fixture(scope="session")
def node() -> str:
    return install(CLIENT)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serve(tmp_path) as caller:
        yield caller


async def make(node: str, caller: Caller, *tasks: Json, key: str = KEY) -> list[Any]:
    """Have the client make the videos over one connection, all at once."""
    told = {"url": f"{caller.url.replace('http', 'ws', 1)}/v1", "key": key, "tasks": tasks}
    outcomes: list[Any] = await run(node, CLIENT / "run.js", told, patience_seconds=PATIENCE_S)
    return outcomes


@pytest.mark.parametrize("prompt", ["A hill", "A hill [sandbox:slow=3]"])
async def test_sdk_js_gets_the_result_of_each_task(node: str, caller: Caller, prompt: str) -> None:
    tasks = [caller.task(includeCost=True, positivePrompt=prompt) for _ in range(3)]
    outcomes = await make(node, caller, *tasks)
    assert [outcome["error"] for outcome in outcomes] == [None] * 3
    for task, outcome in zip(tasks, outcomes, strict=True):
        (result,) = outcome["results"]
        assert (result["taskUUID"], result["cost"]) == (task["taskUUID"], 0.8)
        async with caller.session.get(result["videoURL"]) as response:
            assert response.content_type == "video/mp4"
    assert (await caller.ledger())["accepted"] == 3


@pytest.mark.parametrize("place", ["errors", "errors-400"])
async def test_sdk_js_tells_why_a_job_failed(node: str, tmp_path: Path, place: str) -> None:
    async with serve(tmp_path, failure_place=place) as caller:
        good = caller.task()
        bad = caller.task(positivePrompt="A hill [sandbox:moderate]")
        made, failed = await make(node, caller, good, bad)
    assert made["results"][0]["taskUUID"] == good["taskUUID"]
    assert (failed["results"], failed["error"]["taskUUID"]) == (None, bad["taskUUID"])
    assert failed["error"]["code"] == "invalidProviderContent"


async def test_sdk_js_tells_which_parameter_breaks_a_rule(node: str, caller: Caller) -> None:
    (refused,) = await make(node, caller, caller.task(duration=5))
    assert (refused["error"]["code"], refused["error"]["parameter"]) == ("invalidDuration", "duration")
    assert (await caller.ledger())["accepted"] == 0


async def test_sdk_js_is_refused_with_a_wrong_key(node: str, caller: Caller) -> None:
    (refused,) = await make(node, caller, caller.task(), key="wrong")
    assert (refused["results"], refused["error"]["code"]) == (None, "invalidApiKey")
    assert (await caller.ledger())["accepted"] == 0
