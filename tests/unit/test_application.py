"""What the web application would say of every mix of ends: never anything that is not so."""

import json
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.requests import Request

from service.clips.models import Clip, ClipStatus, SceneKey
from service.clips.progress import Progress, progress
from service.errors import FramesNotReady, ServiceError
from service.web.answers import generate_answer, status_answer
from service.web.errors import service_error
from service.workflow.generate import Generated
from tests.application import RED_TOAST, SILENCE, Said, after_check, after_generate, all_made, under_way
from tests.builders import PROJECT_ID, clip, failed, succeeded

ENDS = ("completed", "pending", "failed", "incomplete")
INCOMPLETE = "last_frame missing"

Mix = tuple[str, ...]


def mixes() -> Sequence[Mix]:
    return [mix for scenes in range(1, 6) for mix in product(ENDS, repeat=scenes)]


def standing(mix: Mix) -> Progress:
    made: list[Clip] = []
    problems: dict[SceneKey, str | None] = {}
    for number, end in enumerate(mix, 1):
        one = clip(str(number))
        problems[one.scene] = INCOMPLETE if end == "incomplete" else None
        if end == "completed":
            made.append(succeeded(one))
        elif end == "pending":
            made.append(clip(str(number), status=ClipStatus.PENDING))
        elif end == "failed":
            made.append(failed(one))
    return progress(made, problems)


def generated(mix: Mix) -> BaseModel:
    shown = standing(mix)
    if not shown.scenes:
        raise FramesNotReady("No scene has both of its frames.")
    problems = {scene.scene: INCOMPLETE for scene in shown.scenes if scene.clip is None}
    return generate_answer(PROJECT_ID, Generated(shown, shown.scenes, problems, {}))


def checked(mix: Mix) -> BaseModel:
    return status_answer(PROJECT_ID, standing(mix))


async def answered(answer: Callable[[Mix], BaseModel], mix: Mix) -> tuple[int, dict[str, Any]]:
    """Give status and body as they go over the wire."""
    try:
        return 200, json.loads(answer(mix).model_dump_json(by_alias=True))
    except ServiceError as error:
        response = await service_error(Request({"type": "http"}), error)
        return response.status_code, json.loads(bytes(response.body))


def truths(mix: Mix) -> set[Said]:
    """Give all that may be said of a project whose scenes ended so."""
    completed, pending = mix.count("completed"), mix.count("pending")
    if pending:
        return {under_way(completed, completed + pending)}
    if completed:
        return {all_made(completed), under_way(completed, completed)}
    return {RED_TOAST, SILENCE}


async def test_what_is_said_after_generate_is_true_of_every_mix() -> None:
    for mix in mixes():
        said = after_generate(*await answered(generated, mix))
        assert said in truths(mix), mix
        assert said == RED_TOAST or said.polls or set(mix) == {"completed"}, mix


async def test_what_is_said_after_a_check_is_true_of_every_mix_and_ends_when_all_has_ended() -> None:
    for mix in mixes():
        said = after_check(*await answered(checked, mix))
        assert said in truths(mix), mix
        assert said.polls is ("pending" in mix), mix


@pytest.mark.parametrize(
    ("mix", "first", "last"),
    [
        (("completed",) * 5, all_made(5), all_made(5)),
        (("completed",) * 3 + ("failed",) * 2, under_way(3, 3), all_made(3)),
        (("pending", "completed", "failed"), under_way(1, 2), under_way(1, 2)),
        (("failed",) * 3, RED_TOAST, SILENCE),
        (("incomplete",) * 2, RED_TOAST, SILENCE),
        (("failed", "incomplete"), RED_TOAST, SILENCE),
        (("completed", "incomplete"), under_way(1, 1), all_made(1)),
    ],
)
async def test_two_of_five_that_failed_are_not_said_to_be_made(mix: Mix, first: Said, last: Said) -> None:
    assert after_generate(*await answered(generated, mix)) == first
    assert after_check(*await answered(checked, mix)) == last


async def test_every_scene_is_told_of_and_counted_whatever_became_of_it() -> None:
    for mix in mixes():
        if set(mix) == {"incomplete"}:
            continue
        for answer, listed in ((generated, "results"), (checked, "details")):
            _, body = await answered(answer, mix)
            assert [one["sceneKey"] for one in body[listed]] == [str(n) for n in range(1, len(mix) + 1)]
            counts = [body[name] for name in ("completed", "pending", "failed")]
            assert (sum(counts), body["scenes"]) == (len(mix), len(mix))
            assert body["total_clips"] == body["completed"] + body["pending"]
            assert len(body["clips"]) == len(mix) - mix.count("incomplete")
            assert list(body["clips"].values()).count("failed") == mix.count("failed")


async def test_error_of_a_project_without_any_clip_has_the_reasons() -> None:
    for answer in (generated, checked):
        status, body = await answered(answer, ("failed", "incomplete", "failed"))
        assert (status, body["success"], body["code"]) == (422, False, "nothing_made")
        assert body["error"] == (
            "No clip could be made. Scenes 1 and 3: The model failed. Scene 2: last_frame missing. "
            "Correct what is wrong, then generate the clips again."
        )
