"""The commands about whole projects, by their real command line."""

import json
import os
import pty
import stat
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.harness import World, running_world
from tests.process import clips, run_command


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


def keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


async def images(world: World, folder: Path, *names: str) -> None:
    """Put so many different frames into a folder."""
    for number, name in enumerate(names, 1):
        url = f"{world.sandbox_url}/frames/{number}/first.png?size=304x540"
        async with world.session.get(url) as response:
            keep(folder / name, await response.read())


async def stored_frames(world: World, project_id: str) -> dict[str, list[bytes]]:
    """What lies at the URLs of a project's frames, by scene."""
    found: dict[str, list[bytes]] = {}
    for scene, pair in (await world.project(project_id))["frames"].items():
        for end in ("first_frame", "last_frame"):
            async with world.session.get(pair[end]) as response:
                found.setdefault(scene, []).append(await response.read())
    return found


async def projects(world: World) -> list[str]:
    return [one["id"] for one in (await world.get("/projects"))["projects"]]


async def test_folder_of_images_becomes_a_project_whose_clips_can_be_made(
    world: World, tmp_path: Path
) -> None:
    await images(world, tmp_path / "frames", "2_end.png", "2_start.png", "1_end.png", "1_start.png")
    (tmp_path / "frames" / "notes.txt").write_text("No image.")
    code, output = await clips(
        world, tmp_path, "create", "frames", "--title", "Harbour", "--prompt", "A boat leaves."
    )
    assert code == 0, output
    (project_id,) = await projects(world)
    assert output.splitlines() == [
        "Scene 1: from frames/1_start.png to frames/1_end.png",
        "Scene 2: from frames/2_start.png to frames/2_end.png",
        f"Project {project_id}",
        f"{world.url}/#/projects/{project_id}",
        f"Have its clips made with: clips generate {project_id}",
    ]
    detail = await world.project(project_id)
    assert detail["title"] == "Harbour"
    assert detail["scenes"] == {key: {"description": "A boat leaves."} for key in ("1", "2")}
    folder = tmp_path / "frames"
    assert await stored_frames(world, project_id) == {
        key: [(folder / f"{key}_{end}.png").read_bytes() for end in ("start", "end")] for key in ("1", "2")
    }
    code, output = await clips(world, tmp_path, "generate", project_id, "--watch")
    assert code == 0, output


async def test_files_are_paired_as_they_are_named_when_that_is_asked_for(
    world: World, tmp_path: Path
) -> None:
    await images(world, tmp_path, "c.png", "a.png", "b.png")
    code, output = await clips(
        world,
        tmp_path,
        *("create", "--in-order", "c.png", "a.png", "a.png", "b.png", "--json"),
        *("--prompt", "One.", "--prompt", "Two."),
    )
    assert code == 0, output
    told = json.loads(output)
    assert told["page"] == f"{world.url}/#/projects/{told['project_id']}"
    read = {name: (tmp_path / f"{name}.png").read_bytes() for name in "abc"}
    assert await stored_frames(world, told["project_id"]) == {
        "1": [read["c"], read["a"]],
        "2": [read["a"], read["b"]],
    }
    scenes = (await world.project(told["project_id"]))["scenes"]
    assert scenes == {"1": {"description": "One."}, "2": {"description": "Two."}}


async def test_project_is_stored_from_json_as_the_service_takes_it(world: World, tmp_path: Path) -> None:
    body = {"frames": {"7": None}, "scenes": {"7": {"duration": "5"}}, "script": "Harbour"}
    (tmp_path / "project.json").write_text(json.dumps(body))
    code, output = await clips(world, tmp_path, "create", "--json-file", "project.json")
    assert code == 0, output
    detail = await world.project((await projects(world))[0])
    assert {name: detail[name] for name in body} == body
    (tmp_path / "project.json").write_text(json.dumps({**body, "frame": {}}))
    code, output = await clips(world, tmp_path, "create", "--json-file", "project.json")
    assert code == 3
    assert "frame" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Name a folder or image files, or a project as JSON"),
        (("nowhere.png", "1.png"), "nowhere.png is not there. Correct its name; nothing was stored."),
        (("1.png",), "1.png is left over: its scene has no last frame."),
        (("1.png", "2.png", "3_end.png", "4_start.png", "4_end.png"), "3_end.png is left over"),
        (("--in-order", "1.png", "2.png", "3_end.png"), "3_end.png is left over: name a last frame after"),
        (("--in-order", "."), ". is no file."),
        (("empty",), "The folder empty has no PNG, JPEG or WebP file."),
        (
            ("1.png", "2.png", "--prompt", "a", "--prompt", "b"),
            "The number of prompts (2) is not that of the scenes (1).",
        ),
        (("--json-file", "nowhere.json"), "nowhere.json can't be read: No such file or directory."),
        (("--json-file", "1.png"), "1.png is no JSON"),
        (("--json-file", "list.json"), "list.json holds no JSON object."),
        (("--json-file", "list.json", "1.png"), "--json-file goes alone"),
    ],
)
async def test_wrong_use_exits_2_and_stores_nothing(
    world: World, tmp_path: Path, arguments: Sequence[str], told: str
) -> None:
    await images(world, tmp_path, "1.png", "2.png", "3_end.png", "4_start.png", "4_end.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.json").write_text("[]")
    code, output = await clips(world, tmp_path, "create", *arguments)
    assert (code, told in output) == (2, True), output
    assert await projects(world) == []


async def test_file_that_is_no_image_is_named_and_nothing_is_stored(world: World, tmp_path: Path) -> None:
    await images(world, tmp_path, "1.png")
    (tmp_path / "2.png").write_text("No image.")
    code, output = await clips(world, tmp_path, "create", "1.png", "2.png")
    assert code == 3
    assert "2.png is refused. This file is no PNG, JPEG or WebP image." in output
    assert await projects(world) == []


async def test_project_is_deleted_listed_and_restored(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    code, output = await clips(world, tmp_path, "delete", project_id, "--yes")
    assert (code, output) == (
        0,
        f"Project {project_id} is deleted. Bring it back with: clips restore {project_id}\n",
    )
    assert await projects(world) == []
    code, output = await clips(world, tmp_path, "status", project_id)
    assert code == 3
    assert f"clips restore {project_id}" in output
    code, output = await clips(world, tmp_path, "projects", "--state", "deleted", "--json")
    assert [one["id"] for one in json.loads(output)["projects"]] == [project_id]
    code, output = await clips(world, tmp_path, "restore", project_id)
    assert (code, output.splitlines()[0]) == (0, f"Project {project_id} is back.")
    assert await projects(world) == [project_id]


async def test_delete_says_when_as_json(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    code, output = await clips(world, tmp_path, "delete", project_id, "--yes", "--json")
    (deleted,) = (await world.get("/projects?state=deleted"))["projects"]
    told = json.loads(output)
    assert (code, told["project_id"]) == (0, project_id)
    assert told["deleted_at"].replace("+00:00", "Z") == deleted["deleted_at"]


async def test_delete_without_a_terminal_to_ask_on_deletes_nothing(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    code, output = await clips(world, tmp_path, "delete", project_id)
    assert code == 2
    assert "Say --yes as well." in output
    assert await projects(world) == [project_id]


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 0), ("n", 1, 1)])
async def test_delete_asks_on_a_terminal(
    world: World, tmp_path: Path, answer: str, code: int, left: int
) -> None:
    project_id = await world.store(1)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        variables = {"CLIPS_URL": world.url}
        found, output = await run_command(
            "delete", project_id, cwd=tmp_path, variables=variables, stdin=theirs
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert found == code, output
    assert f"Delete project {project_id}? clips restore {project_id} brings it back." in output
    assert len(await projects(world)) == left


async def test_duplicate_is_told_with_its_page_and_its_clips_as_such(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    await world.generate(project_id)
    await world.settled(project_id)
    code, output = await clips(world, tmp_path, "duplicate", project_id, "--json")
    assert code == 0, output
    new_id = json.loads(output)["project_id"]
    code, output = await clips(world, tmp_path, "generate", new_id)
    assert code == 0
    assert "Scene 1: done, copied from the original: http" in output
    assert (await world.ledger())["accepted"] == 1


async def test_open_has_the_browser_show_the_projects_page(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    page = f"{world.url}/#/projects/{project_id}"
    code, output = await clips(world, tmp_path, "open", project_id, variables={"BROWSER": f"{browser} %s"})
    assert (code, output) == (0, f"{page}\n")
    assert (tmp_path / "opened").read_text() == f"{page}\n"


async def test_open_prints_the_address_where_there_is_no_browser(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    nothing = {"PATH": str(tmp_path), "BROWSER": "nothing-of-this-name"}
    code, output = await clips(world, tmp_path, "open", project_id, variables=nothing)
    assert code == 0, output
    assert "No browser can be opened here: open this address in yours." in output
    assert f"{world.url}/#/projects/{project_id}\n" in output


async def test_only_named_scenes_are_made(world: World, tmp_path: Path) -> None:
    project_id = await world.store(3)
    code, output = await clips(
        world, tmp_path, "generate", project_id, "--scene", "3", "--scene", "1", "--watch"
    )
    assert (code, [line.split(":")[0] for line in output.splitlines() if ": done" in line]) == (
        1,
        ["Scene 1", "Scene 3"],
    )
    assert "Scene 2: no clip: No clip has been asked for yet" in output
    assert (await world.ledger())["accepted"] == 2


async def test_waiting_clips_are_cancelled_and_a_sent_one_is_said_to_come(tmp_path: Path) -> None:
    full = {"throttle_402_above": 1, "min_seconds": 60, "max_seconds": 60}
    async with running_world(tmp_path, sandbox=full) as world:
        project_id = await world.store(3)
        await world.generate(project_id)
        await world.until(project_id, lambda jobs: [job["stage"] for job in jobs].count("throttled") == 2)
        code, output = await clips(world, tmp_path, "cancel", project_id)
        assert (code, output.count(": cancelled; it costs nothing.")) == (0, 2)
        assert output.count(": It was sent to Runware, which has no way to cancel a job") == 1
        code, output = await clips(world, tmp_path, "cancel", project_id)
        assert (code, "Nothing was cancelled. Scene" in output) == (3, True)


async def test_cancelled_scenes_are_told_as_json(tmp_path: Path) -> None:
    full = {"throttle_402_above": 1, "min_seconds": 60, "max_seconds": 60}
    async with running_world(tmp_path, sandbox=full) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        jobs = await world.until(project_id, lambda jobs: "throttled" in [job["stage"] for job in jobs])
        (waiting,) = [job["scene"] for job in jobs if job["stage"] == "throttled"]
        code, output = await clips(world, tmp_path, "cancel", project_id, "--scene", waiting, "--json")
        assert code == 0, output
        told = {"project_id": project_id, "cancelled": [waiting], "not_cancelled": {}}
        assert json.loads(output) == told


@pytest.mark.parametrize("command", [("open",), ("delete", "--yes"), ("restore",), ("duplicate",)])
async def test_project_that_is_not_there_exits_3(
    world: World, tmp_path: Path, command: Sequence[str]
) -> None:
    code, output = await clips(world, tmp_path, *command, str(uuid.uuid4()))
    assert code == 3
    assert "There is no project" in output
