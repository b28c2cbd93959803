"""The client in other people's pages: the README's React dialog, checked and run."""

import asyncio
import gzip
import re
import shutil
from asyncio.subprocess import PIPE, STDOUT
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route, expect

import service
from service.clips.estimate import UsualTime, share_done
from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import World, running_world
from tests.missing import give_up

in_browser = pytest.mark.asyncio(loop_scope="session")

STUDIO = Path(service.__file__).parent / "studio"
JAVASCRIPT = Path(__file__).parents[1] / "javascript"
# An origin that the service allows by default, and that nothing listens at: the test answers for it.
APPLICATION = "http://localhost:5173"


def example() -> str:
    (code,) = re.findall(r"```tsx\n(.*?)```", (STUDIO / "README.md").read_text("utf-8"), re.DOTALL)
    return str(code)


@pytest.fixture
def react_project(tmp_path: Path) -> Path:
    """A folder with the README's dialog, the client's files, and the pinned packages."""
    if not (JAVASCRIPT / "node_modules").is_dir():
        give_up("the packages of tests/javascript are missing: npm ci --prefix tests/javascript")
    folder = tmp_path / "react"
    folder.mkdir()
    for source in (*(JAVASCRIPT / "react").iterdir(), *(STUDIO / "client").iterdir()):
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(JAVASCRIPT / "node_modules")
    (folder / "dialog.tsx").write_text(example(), "utf-8")
    return folder


async def run(folder: Path, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=STDOUT)
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def test_example_is_shorter_than_40_lines() -> None:
    assert len(example().splitlines()) < 40


@in_browser
async def test_example_fits_the_types_strictly(react_project: Path) -> None:
    await run(react_project, "node_modules/.bin/tsc", "--project", ".")


@in_browser
async def test_wrong_use_is_found_by_the_types(react_project: Path) -> None:
    (react_project / "wrong.ts").write_text(
        'import { createClips } from "./clips.js";\ncreateClips().retry(7);\n', "utf-8"
    )
    with pytest.raises(AssertionError, match=r"wrong\.ts\(2,"):
        await run(react_project, "node_modules/.bin/tsc", "--project", ".")


@in_browser
async def test_example_generates_watches_and_retries_from_another_origin(
    react_project: Path, world: World, open_visit: OpenVisit
) -> None:
    await run(
        react_project,
        "node_modules/.bin/esbuild",
        "main.tsx",
        "--bundle",
        "--format=esm",
        "--jsx=automatic",
        "--define:process.env.NODE_ENV='production'",
        "--outfile=bundle.js",
    )

    async def answer(route: Route) -> None:
        if route.request.url.endswith("/bundle.js"):
            await route.fulfill(path=react_project / "bundle.js")
        else:
            html = '<!doctype html><title>App</title><div id="root"></div>'
            await route.fulfill(
                body=f'{html}<script type="module" src="/bundle.js"></script>', content_type="text/html"
            )

    await world.set_faults(fail_rate=1)
    project_id = await world.store(1)
    async with open_visit(world) as visit:
        visit.hosts.add("localhost:5173")
        # Chromium takes a page that a test answers for as one from the internet.
        await visit.context.grant_permissions(["local-network-access"], origin=APPLICATION)
        await visit.context.route(f"{APPLICATION}/**", answer)
        await visit.page.goto(f"{APPLICATION}/?url={world.url}&project={project_id}")
        await visit.button("Generate clips").click()
        await expect(visit.button("Retry")).to_be_visible()
        await world.set_faults()
        await visit.button("Retry").click()
        await expect(visit.page.get_by_role("status")).to_have_text("1 of 1 clips")
        await expect(visit.page.locator("video")).to_have_count(1)
        await visit.button("Close").click()
        await expect(visit.page.get_by_role("dialog")).to_have_count(0)


@in_browser
async def test_client_and_service_give_the_same_share(visit: Visit) -> None:
    since = datetime(2026, 1, 2, tzinfo=UTC)
    cases = [
        (seconds, usual)
        for usual in (UsualTime(60, 100, 9), UsualTime(5, 5, 3), UsualTime(120, 300, 0))
        for seconds in (-1, 0, 1, 4.5, 5, 59, 60, 80, 100, 250, 301, 5000)
    ]
    asked: list[Any] = [
        (seconds, {"median_s": usual.median_s, "p90_s": usual.p90_s} if usual.samples else None)
        for seconds, usual in cases
    ]
    await visit.open()
    shares = await visit.page.evaluate(
        """async ([cases, since]) => {
            const { shareDone } = await import("/client/clips.js");
            const start = Date.parse(since);
            const job = { waiting_since: since, settled_at: null };
            return cases.map(([seconds, usual]) => shareDone({ ...job, usual }, start + 1000 * seconds));
        }""",
        [asked, since.isoformat()],
    )
    assert shares == pytest.approx([share_done(seconds, usual) for seconds, usual in cases])


@in_browser
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
async def test_stream_is_read_however_its_bytes_are_cut(visit: Visit, cut: int) -> None:
    project_id = await visit.world.store(2)
    await visit.open()
    told = await visit.page.evaluate(
        """async ([id, cut]) => {
            const { createClips } = await import("/client/clips.js");
            const original = window.fetch;
            window.fetch = async (...call) => {
                const response = await original(...call);
                if (!response.headers.get("content-type").startsWith("text/event-stream")) return response;
                const pieces = new TransformStream({
                    transform(chunk, out) {
                        for (let at = 0; at < chunk.length; at += cut) out.enqueue(chunk.slice(at, at + cut));
                    },
                });
                return new Response(response.body.pipeThrough(pieces), response);
            };
            const clips = createClips();
            return new Promise((resolve, reject) => {
                const stop = clips.watch(id, (project) => {
                    if (project.counts.completed < 2) return;
                    stop();
                    resolve(project.jobs.map((job) => job.scene));
                }, { onError: reject });
                clips.generate(id).catch(reject);
            });
        }""",
        [project_id, cut],
    )
    assert told == ["1", "2"]


@in_browser
async def test_error_has_code_and_status(visit: Visit) -> None:
    await visit.open()
    told = await visit.page.evaluate(
        """async () => {
            const { createClips, ClipsError } = await import("/client/clips.js");
            const facts = (error) => [error instanceof ClipsError, error.code, error.status];
            const failure = (call) => call.catch(facts);
            return [
                await failure(createClips().generate("00000000-0000-4000-8000-000000000000")),
                await failure(createClips({ url: location.origin + "/nowhere" }).projects()),
            ];
        }"""
    )
    assert told == [[True, "project_not_found", 404], [True, "not_found", 404]]


@in_browser
async def test_project_is_duplicated_removed_listed_and_restored(visit: Visit) -> None:
    project_id = await visit.world.store(1)
    await visit.open()
    new_id, removed, deleted, kept, restored = await visit.page.evaluate(
        """async (id) => {
            const { createClips } = await import("/client/clips.js");
            const clips = createClips();
            const copy = await clips.duplicate(id);
            const removed = await clips.remove(id);
            const { projects } = await clips.projects({ state: "deleted" });
            const kept = (await clips.projects()).projects.map((project) => project.id);
            return [copy, removed, projects, kept, await clips.restore(id)];
        }""",
        project_id,
    )
    assert kept == [new_id]
    assert [(one["id"], one["deleted_at"]) for one in deleted] == [(project_id, removed["deleted_at"])]
    assert removed["id"] == restored == project_id


@in_browser
@pytest.mark.parametrize("streams", [True, False], ids=["by its stream", "by asking"])
async def test_who_watches_a_project_is_told_once_that_it_was_deleted(visit: Visit, *, streams: bool) -> None:
    project_id = await visit.world.store(1)
    await visit.open()
    told = await visit.page.evaluate(
        """async ([id, streams]) => {
            const { createClips } = await import("/client/clips.js");
            const original = window.fetch;
            if (!streams)
                window.fetch = (url, options) =>
                    url.endsWith("/events") ? Promise.reject(new TypeError("cut")) : original(url, options);
            const clips = createClips();
            const errors = [];
            await new Promise((resolve) => {
                let removed = false;
                clips.watch(id, () => {
                    if (!removed) clips.remove(id);
                    removed = true;
                }, { onError: (error) => {
                    errors.push([error.code, error.status]);
                    // One that is told again would come within the pauses of a reconnection.
                    setTimeout(resolve, 1500);
                } });
            });
            return errors;
        }""",
        [project_id, streams],
    )
    assert told == [["project_deleted", 410]]


@in_browser
async def test_error_of_a_project_without_any_clip_tells_of_each_scene(visit: Visit) -> None:
    project_id = await visit.world.store({"1": {"description": "[sandbox:refuse]"}, "2": {}})
    await visit.open()
    told = await visit.page.evaluate(
        """async (id) => {
            const { createClips } = await import("/client/clips.js");
            const clips = createClips();
            const facts = ({ code, answer }) => [code, answer];
            return [
                await clips.status(id).catch(facts),
                await clips.retry(id, { scenes: ["1"] }).catch(facts),
                await clips.generate(id).then(({ total_clips, scenes }) => [total_clips, scenes]),
                await clips.retry(id, { scenes: ["1"] }).catch(facts),
            ];
        }""",
        project_id,
    )
    assert [told[0][0], told[1][0], told[2]] == ["nothing_asked", "nothing_asked", [1, 2]]
    code, answer = told[3]
    (result,) = answer["results"]
    assert (code, result["sceneKey"]) == ("nothing_made", "1")
    assert result["error"] in answer["error"]


@in_browser
async def test_page_of_another_origin_edits_and_is_told_of_somebody_elses_edit(
    world: World, open_visit: OpenVisit
) -> None:
    project_id = await world.store(2)

    async def answer(route: Route) -> None:
        await route.fulfill(body="<!doctype html><title>App</title>", content_type="text/html")

    async with open_visit(world) as visit:
        visit.hosts.add("localhost:5173")
        await visit.context.grant_permissions(["local-network-access"], origin=APPLICATION)
        await visit.context.route(f"{APPLICATION}/**", answer)
        await visit.page.goto(APPLICATION)
        told = await visit.page.evaluate(
            """async ([url, id]) => {
                const { createClips } = await import(`${url}/client/clips.js`);
                const clips = createClips({ url });
                const { edited } = await clips.project(id);
                const first = await clips.edit(id, { title: "Harbour", order: ["2", "1"] }, { edited });
                const refused = ({ code, status }) => [code, status];
                const late = await clips.edit(id, { title: "Bay" }, { edited }).catch(refused);
                const blind = await clips.edit(id, { scenes: { 1: { duration: null } } });
                const { results } = await clips.generate(id, { scenes: ["2"] });
                const scenes = results.map((result) => result.sceneKey);
                const cancelling = clips.cancel(id, { scenes: ["1"] });
                const cancelled = await cancelling.catch(({ code, answer }) => [code, answer.results]);
                return { first: first.title, late, blind, scenes, cancelled };
            }""",
            [world.url, project_id],
        )
    assert (told["first"], told["late"], told["scenes"]) == ("Harbour", ["project_changed", 412], ["2"])
    code, (result,) = told["cancelled"]
    assert (code, result["sceneKey"], result["success"]) == ("nothing_cancelled", "1", False)
    assert told["blind"]["title"] == "Harbour"
    assert told["blind"]["scenes"] == {
        "1": {"description": "Scene 2."},
        "2": {"description": "Scene 1.", "duration": 4},
    }


@in_browser
async def test_refused_token_is_asked_for_anew_once_and_only_if_it_comes_from_a_function(
    tmp_path: Path, open_visit: OpenVisit
) -> None:
    token = "token-of-the-service"
    async with running_world(tmp_path, service_token=token) as world, open_visit(world) as visit:
        await visit.open()
        told = await visit.page.evaluate(
            """async (good) => {
                const { createClips } = await import("/client/clips.js");
                const asked = [];
                const giving = (first, then) => (after) => (asked.push(after?.refused), after ? then : first);
                const outcome = async (token) => {
                    const { status = 200 } = await createClips({ token }).projects().catch((error) => error);
                    return status;
                };
                return {
                    renewed: await outcome(giving("old", good)),
                    same: await outcome(giving("old", "old")),
                    none: await outcome(giving("old", undefined)),
                    refusedAgain: await outcome(giving("old", "older")),
                    text: await outcome("old"),
                    asked,
                };
            }""",
            token,
        )
    assert told.pop("asked") == [None, "old"] * 4
    assert told == {"renewed": 200, "same": 401, "none": 401, "refusedAgain": 401, "text": 401}


def test_page_and_client_are_small() -> None:
    """As the studio's README says; the sign-in of Supabase is loaded only where it is used."""
    vendored = STUDIO / "vendor" / "supabase-auth.js"
    files = [*STUDIO.glob("page/*.js"), *STUDIO.glob("page/*.css"), STUDIO / "client" / "clips.js"]
    size, vendor_size = (
        sum(len(gzip.compress(file.read_bytes())) for file in some) for some in (files, [vendored])
    )
    assert size < 85_000
    assert vendor_size < 26_000
