"""The commands that call a running service, by their real command line."""

import asyncio
import json
import os
import pty
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from service.sandbox.server import Sandbox
from service.serving import listen
from tests.doubles import answering
from tests.harness import World, running_world, sandbox_options
from tests.process import COMMAND, ServiceProcess, clips, environment, run_command

TOKEN = "token-of-the-service"
NOBODY = "0b0e7a52-6a53-4f0e-9d8c-000000000001"
FINISHED_JOB = {
    "scene": "1",
    "task_uuid": "task",
    "status": "succeeded",
    "video_url": "https://im.runware.ai/1.mp4",
    "error": None,
    "cost_usd": None,
    "duration_s": 4,
    "attempt": 1,
    "submitted_at": "2026-01-02T12:00:00Z",
    "settled_at": "2026-01-02T12:00:42Z",
    "settled_by": "poll",
}
GOOD_AND_BAD = {"1": {"description": "Fine."}, "2": {"description": "[sandbox:fail]"}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


async def started(folder: Path, *arguments: str, **variables: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, cwd=folder, env=environment(**variables), stdout=PIPE, stderr=PIPE
    )


async def read_until(stream: asyncio.StreamReader | None, text: str) -> str:
    assert stream is not None
    async with asyncio.timeout(30):
        while text not in (line := (await stream.readline()).decode()):
            assert line, f"{text!r} was never printed"
        return line


async def test_clips_are_made_with_the_model_that_is_named_and_the_project_keeps_it(
    world: World, tmp_path: Path
) -> None:
    project_id = await world.store(1)
    chosen = ("--model", "google:3@3", "--resolution", "1080p", "--audio")
    code, output = await clips(world, tmp_path, "generate", project_id, *chosen, "--watch")
    assert (code, output.splitlines()[-1]) == (0, f"Project {project_id}: 1 of 1 clips, $0.60")
    code, output = await clips(world, tmp_path, "generate", project_id, "--no-audio", "--watch")
    assert (code, output.splitlines()[-1]) == (0, f"Project {project_id}: 1 of 1 clips, $0.40")
    code, output = await clips(world, tmp_path, "generate", project_id, "--audio", "--json")
    assert code == 0, output
    assert (await world.ledger())["accepted"] == 2


async def test_earlier_clips_are_followed_to_their_end_and_kept(world: World, tmp_path: Path) -> None:
    project_id = await world.store(2)
    tasks = sorted([await world.submit_elsewhere("[sandbox:slow=1]") for _ in range(2)])
    world.rewrite(project_id, clips=dict.fromkeys(tasks, "pending"))
    code, output = await clips(world, tmp_path, "generate", project_id, "--adopt")
    assert code == 3
    assert "2 of the 2 earlier clips may still come" in output
    code, output = await clips(world, tmp_path, "status", project_id, "--watch")
    assert code == 0, output
    assert [output.count(f"Earlier clip {number}: done: http") for number in (1, 2)] == [1, 1]
    assert f"clips generate {project_id} --adopt" in output
    code, output = await clips(world, tmp_path, "generate", project_id, "--adopt")
    assert code == 0, output
    assert "Scene 2: done, made before the service kept a ledger: http" in output
    assert [job["task_uuid"] for job in await world.jobs(project_id)] == tasks
    assert (await world.ledger())["accepted"] == 2


async def test_model_that_is_not_allowed_is_refused_with_those_that_are(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    code, output = await clips(world, tmp_path, "generate", project_id, "--model", "luma:ray@3.2")
    assert code == 3
    assert "google:veo@3.1-lite (Veo 3.1 Lite)" in output


async def test_generate_watched_to_the_end_tells_each_clip_once_and_exits_0(
    world: World, tmp_path: Path
) -> None:
    project_id = await world.store(2)
    code, output = await clips(world, tmp_path, "generate", project_id, "--watch")
    assert code == 0, output
    lines = output.splitlines()
    assert lines[-1] == f"Project {project_id}: 2 of 2 clips, $1.60"
    assert [sum(line.startswith(f"Scene {n}: done in 0:0") for line in lines) for n in (1, 2)] == [1, 1]
    assert "\x1b" not in output


async def test_generate_says_of_each_scene_why_it_was_not_submitted(world: World, tmp_path: Path) -> None:
    pair = {"first_frame": f"{world.sandbox_url}/frames/1/first.png"}
    whole = {**pair, "last_frame": f"{world.sandbox_url}/frames/1/last.png"}
    project_id = await world.store({"1": {}, "2": {}}, {"1": whole, "2": pair})
    code, output = await clips(world, tmp_path, "generate", project_id, "--watch")
    assert code == 1
    assert "Scene 2: no clip: last_frame missing" in output
    assert output.endswith("1 of 2 clips, 1 failed, $0.80\n")


async def test_failed_clip_exits_1_and_its_reason_is_shown(world: World, tmp_path: Path) -> None:
    project_id = await world.store(GOOD_AND_BAD)
    await world.generate(project_id)
    await world.settled(project_id)
    code, output = await clips(world, tmp_path, "status", project_id)
    assert code == 1
    assert "Scene 2: failed: The model's provider failed to make this clip" in output


@pytest.mark.parametrize("command", ["generate", "status", "retry"])
async def test_clips_that_were_all_refused_exit_1_with_each_scenes_reason(
    world: World, tmp_path: Path, command: str
) -> None:
    pair = {f"{end}_frame": f"{world.sandbox_url}/frames/1/{end}.png" for end in ("first", "last")}
    scenes = {"1": {"description": "[sandbox:refuse]"}, "2": {}}
    project_id = await world.store(scenes, {"1": pair, "2": {"first_frame": pair["first_frame"]}})
    await world.post("/generate-clips", {"project_id": project_id})
    for more in ((), ("--watch",)):
        code, output = await clips(world, tmp_path, command, project_id, *more)
        lines = [line for line in output.splitlines() if line != "1 clip, price not known."]
        assert code == 1, output
        assert lines[0].startswith("Scene 1: failed: Refused because the prompt says")
        assert lines[1] == "Scene 2: no clip: last_frame missing"
        assert lines[2] == f"Project {project_id}: 0 of 2 clips, 2 failed"


async def test_retry_before_any_generate_exits_4_and_says_how_to_ask(world: World, tmp_path: Path) -> None:
    project_id = await world.store(1)
    code, output = await clips(world, tmp_path, "retry", project_id)
    assert (code, output.count(f"clips generate {project_id}")) == (4, 1)


async def test_status_of_pending_clips_exits_4_and_so_does_nothing_asked(
    world: World, tmp_path: Path
) -> None:
    project_id = await world.store({"1": {"description": "[sandbox:slow=60]"}})
    code, output = await clips(world, tmp_path, "status", project_id)
    assert (code, output.count("clips generate")) == (4, 1)
    await world.generate(project_id)
    code, output = await clips(world, tmp_path, "status", project_id)
    assert code == 4
    assert "Scene 1: generating for 0:0" in output


async def test_retry_of_one_scene_leaves_the_other_failed_ones(world: World, tmp_path: Path) -> None:
    project_id = await world.store({key: {"description": "[sandbox:fail]"} for key in ("1", "2")})
    await world.generate(project_id)
    await world.settled(project_id)
    code, output = await clips(world, tmp_path, "retry", project_id, "--scene", "2", "--watch", "--json")
    assert code == 1
    last = json.loads(output.splitlines()[-1])
    assert [scene["attempt"] for scene in last["scenes"]] == [1, 2]
    code, output = await clips(world, tmp_path, "retry", project_id, "--scene", "9")
    assert code == 3
    assert "has no scene 9" in output


async def test_json_is_one_document_with_counts_and_scenes(world: World, tmp_path: Path) -> None:
    project_id = await world.store(GOOD_AND_BAD)
    await world.generate(project_id)
    jobs = await world.settled(project_id)
    code, output = await clips(world, tmp_path, "status", project_id, "--json")
    report = json.loads(output)
    assert code == 1
    assert report["project_id"] == project_id
    assert report["counts"] == {"total": 2, "completed": 1, "pending": 0, "failed": 1}
    assert report["cost_usd"] == 0.8
    assert [scene["status"] for scene in report["scenes"]] == ["succeeded", "failed"]
    assert report["scenes"][0]["video_url"] == jobs[0]["video_url"]
    assert report["scenes"][1]["error"].startswith("The model's provider failed")


async def test_watched_json_is_a_document_a_line_and_nothing_else(world: World, tmp_path: Path) -> None:
    project_id = await world.store({"1": {"description": "[sandbox:slow=1.5]"}})
    code, output = await clips(world, tmp_path, "generate", project_id, "--json", "--watch")
    said, *reports = output.splitlines()
    assert (code, said) == (0, "1 clip, price not known.")
    assert [json.loads(report)["counts"]["completed"] for report in reports] == [0, 1]


async def failed_project(world: World, seconds: int = 8, scenes: int = 2) -> str:
    """A project of clips that failed, of a model whose price is in the table: 10 cents a second."""
    described = {str(n): {"description": "[sandbox:fail]", "duration": seconds} for n in range(1, scenes + 1)}
    project_id = await world.store(described)
    body = {"project_id": project_id, "model": "google:3@3", "resolution": "1080p"}
    await world.post("/generate-clips", body)
    await world.settled(project_id)
    return project_id


async def test_price_is_told_before_anything_is_sent_and_not_on_stdout(world: World, tmp_path: Path) -> None:
    project_id = await failed_project(world)
    for arguments, said in (
        (("retry", project_id, "--scene", "2"), "1 clip, $0.80.\n"),
        (("generate", project_id, "--scene", "1"), "1 clip, $0.80.\n"),
        (("generate", project_id, "--model", "google:veo@3.1-lite"), "2 clips, $0.48.\n"),
    ):
        process = await started(tmp_path, *arguments, "--json", CLIPS_URL=world.url)
        out, told = await process.communicate()
        assert json.loads(out)["project_id"] == project_id
        assert told.decode() == said


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--confirm-above", "1.59"), {}),
        ((), {"CLIPS_CONFIRM_ABOVE_USD": "1.59"}),
        (("--model", "google:3@2"), {}),
    ],
)
async def test_without_a_terminal_nothing_above_the_sum_or_unknown_is_sent(
    world: World, tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    project_id = await failed_project(world)
    before = (await world.ledger())["accepted"]
    command = ("generate", project_id, *arguments)
    code, output = await run_command(*command, cwd=tmp_path, variables={"CLIPS_URL": world.url, **variables})
    assert (code, "use --yes" in output) == (2, True)
    assert (await world.ledger())["accepted"] == before
    code, output = await clips(world, tmp_path, *command, variables=variables)
    assert code != 2, output
    assert (await world.ledger())["accepted"] == before + 2


async def test_sum_up_to_the_limit_is_spent_without_a_word(world: World, tmp_path: Path) -> None:
    project_id = await failed_project(world)
    command = ("generate", project_id, "--confirm-above", "1.6")
    code, output = await run_command(*command, cwd=tmp_path, variables={"CLIPS_URL": world.url})
    # They fail again, before or after the command has ended.
    assert code in (1, 4)
    assert output.splitlines()[0] == "2 clips, $1.60."
    assert (await world.ledger())["accepted"] == 4


@pytest.mark.parametrize(("answer", "sent"), [(b"y\n", 2), (b"n\n", 0), (b"\n", 0)])
async def test_terminal_is_asked_above_the_sum(
    world: World, tmp_path: Path, answer: bytes, sent: int
) -> None:
    project_id = await failed_project(world)
    before = (await world.ledger())["accepted"]
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("generate", project_id, "--confirm-above", "1"),
        cwd=tmp_path,
        env=environment(CLIPS_URL=world.url),
        stdin=theirs,
        stdout=PIPE,
        stderr=PIPE,
    )
    os.close(theirs)
    assert process.stderr is not None
    async with asyncio.timeout(30):
        told = (await process.stderr.readuntil(b"[y/N] ")).decode()
    assert told == "2 clips, $1.60.\nGo on? [y/N] "
    os.write(ours, answer)
    _, told_after = await process.communicate()
    os.close(ours)
    assert (await world.ledger())["accepted"] == before + sent
    if not sent:
        assert (process.returncode, told_after.decode()) == (130, "Nothing was sent.\n")


async def test_service_that_is_too_old_to_tell_prices_is_asked_about_and_then_called(tmp_path: Path) -> None:
    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"results": []} if request.method == "POST" else {"jobs": [FINISHED_JOB]})

    async with answering(respond) as url:
        code, output = await run_command("generate", NOBODY, "--url", url, cwd=tmp_path)
        assert (code, output.startswith("This service is too old to tell a price beforehand.")) == (2, True)
        code, output = await run_command("generate", NOBODY, "--yes", "--url", url, cwd=tmp_path)
        assert (code, output.startswith("This service is too old to tell a price beforehand.")) == (0, True)


async def test_projects_are_listed_newest_first(world: World, tmp_path: Path) -> None:
    stored = [await world.store({"1": {"description": f"Boat {n}", "duration": 4}}) for n in range(3)]
    await world.generate(stored[2])
    await world.settled(stored[2])
    code, output = await clips(world, tmp_path, "projects", "--limit", "2")
    assert code == 0
    head, newest, older, more = output.splitlines()
    assert more.startswith("There are more")
    assert (newest.split()[0], older.split()[0]) == (stored[2], stored[1])
    assert re.fullmatch(r"Project.* Cost  Title *", head)
    assert re.search(r" 1 of 1 +0 +0 +\$0\.80  Boat 2 *$", newest)
    assert re.search(r" 0 of 1 +0 +0 +\$0\.00  Boat 1 *$", older)
    code, output = await clips(world, tmp_path, "projects", "--json")
    listed = json.loads(output)["projects"]
    assert (code, [project["id"] for project in listed]) == (0, stored[::-1])
    assert (listed[0]["title"], listed[0]["cost_usd"]) == ("Boat 2", 0.8)
    assert listed[0]["counts"] == {"total": 1, "completed": 1, "pending": 0, "failed": 0}


async def test_projects_are_found_by_words_and_state_and_more_of_them_are_told(
    world: World, tmp_path: Path
) -> None:
    boats = [await world.store({"1": {"description": f"Boat {n}"}}) for n in range(2)]
    await world.store({"1": {"description": "Train"}})
    await world.generate(boats[0])
    await world.settled(boats[0])
    code, output = await clips(world, tmp_path, "projects", "--q", "BOAT", "--limit", "1")
    assert code == 0
    assert output.splitlines()[1].split()[0] == boats[1]
    assert output.endswith("There are more: narrow the list with --q or --state, or raise --limit.\n")
    code, output = await clips(world, tmp_path, "projects", "--q", "boat", "--state", "done", "--json")
    found = json.loads(output)
    assert (code, [one["id"] for one in found["projects"]], found["more"]) == (0, [boats[0]], False)
    assert await clips(world, tmp_path, "projects", "--state", "failed") == (0, "No project matches.\n")


async def test_service_that_knows_no_filters_is_not_taken_at_its_word(tmp_path: Path) -> None:
    async def respond(_request: web.BaseRequest) -> web.Response:
        return web.json_response({"projects": []})

    async with answering(respond) as url:
        code, output = await run_command("projects", "--state", "done", "--url", url, cwd=tmp_path)
        assert (code, "is too old to look for projects" in output) == (3, True)
        code, output = await run_command("projects", "--url", url, cwd=tmp_path)
        assert (code, output) == (0, "There is no project yet.\n")


async def test_retry_of_a_scene_that_is_done_says_that_nothing_was_retried(
    world: World, tmp_path: Path
) -> None:
    project_id = await world.store(1)
    await world.generate(project_id)
    await world.settled(project_id)
    code, output = await clips(world, tmp_path, "retry", project_id, "--scene", "1")
    assert code == 0
    assert "Nothing was retried: scene 1 is done." in output


async def test_watch_outlives_a_service_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        aiohttp.ClientSession() as session,
        ServiceProcess(sandbox_url, tmp_path) as service,
    ):
        world = service.world(session)
        project_id = await world.store({"1": {"description": "[sandbox:slow=4]"}})
        watch = await started(tmp_path, "generate", project_id, "--watch", "--yes", CLIPS_URL=service.url)
        await read_until(watch.stdout, "Scene 1: generating")
        await service.kill()
        lost = await read_until(watch.stderr, "Connection lost, trying again.")
        assert f"The service at {service.url} can't be reached" in lost
        await service.start()
        await read_until(watch.stderr, "Connected again.")
        await read_until(watch.stdout, "Scene 1: done")
        await watch.communicate()
        assert watch.returncode == 0


@pytest.mark.parametrize("arguments", [(), ("--json",)])
async def test_interrupted_watch_exits_130_and_says_that_the_clips_go_on(
    world: World, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    project_id = await world.store({"1": {"description": "[sandbox:slow=60]"}})
    watch = await started(
        tmp_path, "generate", project_id, "--watch", "--yes", *arguments, CLIPS_URL=world.url
    )
    await read_until(watch.stdout, "generating" if not arguments else "pending")
    watch.send_signal(signal.SIGINT)
    _, said = await watch.communicate()
    assert watch.returncode == 130
    assert (
        said.decode()
        == "1 clip, price not known.\nStopped watching. Clips that were submitted are still being made.\n"
    )


async def test_token_comes_from_the_environment_and_its_lack_is_told(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with running_world(tmp_path, service_token=TOKEN, headers=headers) as world:
        for variables in ({}, {"CLIPS_TOKEN": "wrong", "SERVICE_TOKEN": TOKEN}):
            code, output = await clips(world, tmp_path, "projects", variables=variables)
            assert code == 3
            assert "set CLIPS_TOKEN" in output
        for variables in ({"CLIPS_TOKEN": TOKEN}, {"CLIPS_TOKEN": "", "SERVICE_TOKEN": TOKEN}):
            code, output = await clips(world, tmp_path, "projects", variables=variables)
            assert (code, output) == (0, "There is no project yet.\n")


@pytest.mark.parametrize("command", ["generate", "status", "retry", "download"])
async def test_unknown_project_exits_3_with_the_services_sentence(
    world: World, tmp_path: Path, command: str
) -> None:
    watch = () if command == "download" else ("--watch",)
    code, output = await clips(world, tmp_path, command, NOBODY, *watch)
    assert (code, output.startswith(f"There is no project {NOBODY}.")) == (3, True)


async def test_service_that_can_not_be_reached_exits_3_and_says_where_it_was_sought(tmp_path: Path) -> None:
    listening, url = listen()
    listening.close()
    code, output = await run_command("status", NOBODY, "--watch", "--url", url, cwd=tmp_path)
    assert code == 3
    assert output.startswith(f"The service at {url} can't be reached: Connection refused.")


async def test_https_for_a_service_that_speaks_http_is_told_as_that(world: World, tmp_path: Path) -> None:
    mixed_up = world.url.replace("http:", "https:")
    code, output = await run_command("status", NOBODY, "--url", mixed_up, cwd=tmp_path)
    assert code == 3
    assert output.startswith(
        f"The service at {mixed_up} can't be reached: it speaks http, not https: "
        "write http:// in its address."
    )


async def test_misspelt_option_is_answered_with_the_one_that_was_meant(tmp_path: Path) -> None:
    code, output = await run_command("generate", NOBODY, "--modle", "google:3@3", cwd=tmp_path)
    assert code == 2
    assert "No such option: --modle" in output
    assert "--model" in output


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def made(world: World, scenes: Mapping[str, Any] | int) -> str:
    project_id = await world.store(scenes)
    await world.generate(project_id)
    await world.settled(project_id)
    return project_id


async def test_download_saves_each_clip_under_its_name_and_keeps_what_is_there(
    world: World, tmp_path: Path
) -> None:
    project_id = await made(world, 2)
    folder = tmp_path / "saved" / "clips"
    code, output = await clips(world, tmp_path, "download", project_id, "--to", str(folder))
    assert code == 0, output
    *told, summary = output.splitlines()
    assert [line.partition(" (")[0] for line in told] == [
        f"Scene {n}: saved as {folder}/Scene-1-scene-{n}.mp4" for n in (1, 2)
    ]
    assert summary == f"2 of 2 clips are in {folder}"
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["Scene-1-scene-1.mp4", "Scene-1-scene-2.mp4"]
    for file, job in zip(files, await world.jobs(project_id), strict=True):
        async with world.session.get(job["video_url"]) as response:
            assert file.read_bytes() == await response.read()
    before = [file.stat().st_mtime_ns for file in files]
    code, output = await clips(world, tmp_path, "download", project_id, "--to", str(folder), "--scene", "1")
    assert (code, output.splitlines()[0]) == (0, f"Scene 1: is there already as {files[0]}")
    code, output = await clips(world, tmp_path, "download", project_id, "--to", str(folder), "--force")
    assert code == 0
    assert "is there already" not in output
    after = [file.stat().st_mtime_ns for file in files]
    assert all(new > old for old, new in zip(before, after, strict=True))


async def test_download_never_replaces_another_clip_unless_it_is_told_to(
    world: World, tmp_path: Path
) -> None:
    project_id = await made(world, 1)
    file = tmp_path / "Scene-1-scene-1.mp4"
    file.write_bytes(b"an earlier clip")
    code, output = await clips(world, tmp_path, "download", project_id)
    assert code == 1
    assert "is there with another size. Move it away, or replace it by --force." in output
    assert file.read_bytes() == b"an earlier clip"
    code, output = await clips(world, tmp_path, "download", project_id, "--force")
    assert code == 0
    assert file.read_bytes()[4:8] == b"ftyp"


async def test_download_tells_of_each_clip_why_it_is_not_saved(world: World, tmp_path: Path) -> None:
    project_id = await made(world, GOOD_AND_BAD)
    code, output = await clips(world, tmp_path, "download", project_id, "--scene", "2", "--scene", "9")
    assert code == 1
    assert "Scene 2: not saved: The model's provider failed" in output
    assert f"Scene 9: not saved: Scene 9 of project {project_id} has no finished clip." in output
    for video in (tmp_path / "videos").iterdir():
        video.unlink()
    code, output = await clips(world, tmp_path, "download", project_id, "--json")
    report = json.loads(output)
    assert code == 1
    assert report["project_id"] == project_id
    assert [(clip["scene"], clip["status"]) for clip in report["clips"]] == [("1", "failed"), ("2", "failed")]
    assert "no longer at its link" in report["clips"][0]["error"]
    assert not any(name.endswith((".mp4", ".part")) for name in names(tmp_path))


async def test_download_of_pending_clips_exits_4_and_so_does_nothing_asked(
    world: World, tmp_path: Path
) -> None:
    project_id = await world.store({"1": {"description": "Fine."}, "2": {"description": "[sandbox:slow=60]"}})
    code, output = await clips(world, tmp_path, "download", project_id)
    assert (code, output) == (
        4,
        f"No clip has been asked for yet. Ask for them with: clips generate {project_id}\n",
    )
    await world.generate(project_id)
    await world.until(project_id, lambda jobs: jobs[0]["status"] == "succeeded")
    code, output = await clips(world, tmp_path, "download", project_id)
    assert code == 4
    assert "Scene 2: still being made\n1 of 2 clips are in .\n" in output


@pytest.mark.parametrize(
    "name",
    ["../evil.mp4", "/etc/evil.mp4", ".hidden.mp4", "C:evil.mp4", "-rf.mp4", "a\x1b[2J.mp4", "evil.sh", ""],
)
async def test_file_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    async def respond(request: web.BaseRequest) -> web.Response:
        if not request.path.endswith(".mp4"):
            return web.json_response({"jobs": [FINISHED_JOB]})
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        return web.Response(body=b"video", headers={"Content-Disposition": disposition})

    folder = tmp_path / "to"
    async with answering(respond) as url:
        code, output = await run_command("download", NOBODY, "--url", url, "--to", str(folder), cwd=tmp_path)
    assert code == 3
    assert "without a proper file name" in output
    assert names(folder) == set()
    assert names(tmp_path) == {"to"}


async def test_download_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.endswith(".mp4"):
            return web.json_response({"jobs": [FINISHED_JOB]})
        response = web.StreamResponse(
            headers={"Content-Disposition": 'attachment; filename="a-scene-1.mp4"', "Content-Length": "99"}
        )
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    folder = tmp_path / "to"
    async with answering(respond) as url:
        code, output = await run_command("download", NOBODY, "--url", url, "--to", str(folder), cwd=tmp_path)
    assert code == 1
    assert "Scene 1: not saved: It broke off. Run the command again." in output
    assert names(folder) == set()


async def test_folder_that_can_not_be_made_exits_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, output = await run_command("download", NOBODY, "--to", "file/within", cwd=tmp_path)
    assert code == 2
    assert output.startswith("--to is wrong: file/within can't be made: ")


async def test_terminal_gets_a_bar_while_a_clip_is_saved_and_its_cursor_back(
    world: World, tmp_path: Path
) -> None:
    project_id = await made(world, 1)
    ours, theirs = pty.openpty()
    variables = {"CLIPS_URL": world.url, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "download", project_id, cwd=tmp_path, env=environment(**variables), stdout=theirs
    )
    os.close(theirs)
    shown = await asyncio.to_thread(_read_terminal, ours)
    assert await process.wait() == 0
    assert "Scene 1: saved as Scene-1-scene-1.mp4" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "no-uuid"),
        ("download", NOBODY, "--to", __file__),
        ("status", NOBODY, "--url", "ftp://clips.example"),
        ("status", NOBODY, "--url", "http://user:secret@clips.example"),
        ("projects", "--limit", "0"),
        ("projects", "--state", "finished"),
    ],
)
async def test_wrong_use_exits_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, output = await run_command(*arguments, cwd=tmp_path)
    assert code == 2
    assert "Error: Invalid value" in output


async def test_token_that_no_header_can_hold_exits_2_and_is_not_shown(tmp_path: Path) -> None:
    code, output = await run_command("projects", cwd=tmp_path, variables={"CLIPS_TOKEN": "two words"})
    assert code == 2
    assert "CLIPS_TOKEN" in output
    assert "two words" not in output


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, "<h1>Welcome</h1>", "answered with something else than the clip service does"),
        (200, "{}", "answered with something else than the clip service does"),
        (301, "", "answered 301 Moved Permanently, and not in the words of the clip service"),
        (502, "<h1>Bad gateway</h1>", "answered 502 Bad Gateway, and not in the words of the clip service"),
    ],
)
async def test_answer_of_another_server_is_told_without_its_page(
    tmp_path: Path, status: int, body: str, sentence: str
) -> None:
    async def respond(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "https://elsewhere.example"})

    async with answering(respond) as url:
        code, output = await run_command("status", NOBODY, "--json", "--url", url, cwd=tmp_path)
    assert code == 3
    assert sentence in output
    assert "<h1>" not in output


async def test_error_page_of_a_proxy_does_not_end_a_watch(tmp_path: Path) -> None:
    jobs: dict[str, Any] = {"jobs": []}
    answers = iter([web.Response(status=502, text="<h1>Bad gateway</h1>"), web.json_response(jobs)])

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"details": []}) if request.method == "POST" else next(answers)

    async with answering(respond) as url:
        code, output = await run_command("status", NOBODY, "--watch", "--url", url, cwd=tmp_path)
    assert code == 4
    assert "Connection lost, trying again." in output
    assert "Connected again." in output


async def test_terminal_gets_a_table_whose_cursor_comes_back(world: World, tmp_path: Path) -> None:
    project_id = await world.store({"1": {"description": "[sandbox:slow=1]"}})
    ours, theirs = pty.openpty()
    variables = {"CLIPS_URL": world.url, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("generate", project_id, "--watch", "--yes"),
        cwd=tmp_path,
        env=environment(**variables),
        stdout=theirs,
    )
    os.close(theirs)
    shown = await asyncio.to_thread(_read_terminal, ours)
    assert await process.wait() == 0
    assert "Progress" in shown
    assert "generating" in shown
    assert "1 of 1 clips, $0.80" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "\x1b[3" not in shown, "NO_COLOR is set"


def _read_terminal(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb", buffering=0) as terminal:
        chunks: list[bytes] = []
        # Linux ends a terminal that nobody writes to any more with an error.
        try:
            while chunk := terminal.read(4096):
                chunks.append(chunk)
        except OSError:
            pass
    return b"".join(chunks).decode()
