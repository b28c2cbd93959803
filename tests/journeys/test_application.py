"""What the web application would say, from `Create Video` to the end, by the answers that it really gets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from service.sandbox.server import Sandbox
from tests.application import RED_TOAST, SILENCE, Said, after_check, after_generate, all_made
from tests.harness import Answer, World, running_service, running_world, sandbox_options

DIRECTIVES = {
    "completed": "",
    "pending": "[sandbox:slow=600]",
    "failed": "[sandbox:fail]",
    "moderated": "[sandbox:moderate]",
    "refused": "[sandbox:refuse]",
}
FUNCTIONS = ("generate-clips", "check-clips-status", "retry-clips")


async def stored(world: World, ends: Sequence[str]) -> str:
    """Store a project whose scenes end so; an `incomplete` one lacks its last frame."""
    pair = {
        f"{end}_frame": f"{world.sandbox_url}/frames/1/{end}.png?size=304x540" for end in ("first", "last")
    }
    scenes, frames = {}, {}
    for number, end in enumerate(ends, 1):
        scenes[str(number)] = {"visual_action": f"Scene {number}. {DIRECTIVES.get(end, '')}"}
        frames[str(number)] = pair if end in DIRECTIVES else {"first_frame": pair["first_frame"]}
    return await world.store(scenes, frames)


async def called(world: World, name: str, project_id: str, **more: Any) -> tuple[int, Answer]:
    return await world.post(f"/functions/v1/{name}", {"project_id": project_id, **more})


async def follow(world: World, project_id: str) -> list[Said]:
    """Create the video as the application does, asking as soon as there is news; gives what it says last."""
    said = [after_generate(*await called(world, "generate-clips", project_id))]
    while said[-1].polls:
        await world.settled(project_id)
        said.append(after_check(*await called(world, "check-clips-status", project_id)))
    return said


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (("completed",) * 3, all_made(3)),
        (("completed", "failed", "completed", "failed", "completed"), all_made(3)),
        (("completed", "refused", "moderated", "incomplete"), all_made(1)),
        (("failed", "moderated"), SILENCE),
        (("failed", "refused", "incomplete"), SILENCE),
        (("refused",) * 3, RED_TOAST),
        (("refused", "incomplete"), RED_TOAST),
        (("incomplete",) * 2, RED_TOAST),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
async def test_application_says_at_last_what_is_so(tmp_path: Path, ends: tuple[str, ...], said: Said) -> None:
    async with running_world(tmp_path) as world:
        project_id = await stored(world, ends)
        assert (await follow(world, project_id))[-1] == said
        shown = (await world.project(project_id))["clips"]
        made = [value for value in shown.values() if value.startswith("http")]
        assert len(made) == ends.count("completed")


async def test_while_one_is_pending_the_application_counts_what_may_still_come(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await stored(world, ("completed", "failed", "pending"))
        await world.generate(project_id)
        await world.until(project_id, lambda jobs: sum(job["settled_at"] is not None for job in jobs) == 2)
        said = after_check(*await called(world, "check-clips-status", project_id))
        assert said == Said("1 of 2 clips", polls=True)


async def test_refused_clips_are_told_with_every_scenes_reason_by_each_call(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await stored(world, ("refused", "incomplete", "refused"))
        for name in FUNCTIONS:
            status, answer = await called(world, name, project_id)
            assert (status, answer["success"], answer["code"]) == (422, False, "nothing_made")
            assert "Scenes 1 and 3: " in answer["error"]
            assert "Scene 2: last_frame missing." in answer["error"]
            listed = answer["details" if name == "check-clips-status" else "results"]
            assert [scene["sceneKey"] for scene in listed] == ["1", "2", "3"]
            assert all(scene["error"] for scene in listed)
            assert list(answer["clips"].values()) == ["failed"] * 2
            assert (answer["total_clips"], answer["failed"], answer["scenes"]) == (0, 3, 3)


async def test_retry_that_makes_nothing_is_no_success_whatever_was_made_before(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await stored(world, ("completed", "refused"))
        await world.generate(project_id)
        await world.settled(project_id)
        status, answer = await called(world, "retry-clips", project_id, scenes=["2"])
        assert (status, answer["code"]) == (422, "nothing_made")
        assert [scene["sceneKey"] for scene in answer["results"]] == ["2"]
        assert (answer["completed"], answer["failed"]) == (1, 1)
        assert (await world.retry(project_id, scenes=["1"]))["results"] == []


async def test_refused_account_stays_an_error_of_its_own(tmp_path: Path) -> None:
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        running_service(sandbox_url, tmp_path / "clips.db", runware_api_key="a-wrong-key") as world,
    ):
        project_id = await stored(world, ("completed",) * 2)
        status, answer = await called(world, "generate-clips", project_id)
        assert (status, answer["code"]) == (502, "provider_refused")
        assert after_generate(status, answer) == RED_TOAST


async def test_application_shows_the_clips_in_the_order_of_their_scenes_also_after_a_retry(
    tmp_path: Path,
) -> None:
    async with running_world(tmp_path, sandbox={"fail_rate": 1}) as world:
        project_id = await stored(world, ("failed",) * 12)
        await world.generate(project_id)
        await world.settled(project_id)
        again = ["2", "5", "6", "12"]
        await world.retry(project_id, scenes=again)
        jobs = await world.settled(project_id)
        assert sorted((await world.project(project_id))["clips"]) == [job["task_uuid"] for job in jobs]
        assert [job["scene"] for job in jobs] == [str(number) for number in range(1, 13)]
        assert [job["scene"] for job in jobs if job["attempt"] == 2] == again
