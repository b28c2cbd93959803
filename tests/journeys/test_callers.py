"""Who may call what, over HTTP: users of a Supabase project, their projects, and everyone else."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.identities import (
    ALICE,
    ANON_KEY,
    BOB,
    SERVICE_ROLE_KEY,
    SERVICE_TOKEN,
    Headers,
    Place,
    bearer,
    running_place,
)
from tests.postgrest import Supabase

FUNCTIONS = ("generate-clips", "check-clips-status", "retry-clips")
NOBODYS_PROJECT = str(uuid.UUID(int=0, version=4))


@pytest.fixture
async def place(tmp_path: Path, supabase: Supabase) -> AsyncIterator[Place]:
    async with running_place(tmp_path, supabase) as running:
        yield running


@pytest.fixture
async def open_place(tmp_path: Path, supabase: Supabase) -> AsyncIterator[Place]:
    async with running_place(tmp_path, supabase, allow_anon=True) as running:
        yield running


def calls(project_id: str) -> list[tuple[str, str, object]]:
    """Each call that is about one project."""
    functions = [("POST", f"/functions/v1/{name}", {"project_id": project_id}) for name in FUNCTIONS]
    edit = ("PATCH", f"/projects/{project_id}", {"title": "A quiet bay"})
    return [*functions, edit, ("GET", f"/projects/{project_id}", None)]


def every_call(project_id: str) -> list[tuple[str, str, object]]:
    """These, those about the project as a whole, and the ones that answer with no JSON."""
    return [
        *calls(project_id),
        ("GET", f"/projects/{project_id}/clips/1.mp4", None),
        ("GET", f"/projects/{project_id}/events", None),
        ("POST", f"/projects/{project_id}/copies", None),
        ("POST", f"/projects/{project_id}/restore", None),
        ("DELETE", f"/projects/{project_id}", None),
    ]


async def test_someone_elses_project_is_answered_as_one_that_is_not_there(place: Place) -> None:
    project_id = await place.store(place.signed_in(ALICE))
    for theirs, missing in zip(every_call(project_id), every_call(NOBODYS_PROJECT), strict=True):
        seen = []
        for (method, path, body), asked_for in ((theirs, project_id), (missing, NOBODYS_PROJECT)):
            async with place.world.session.request(
                method, place.world.url + path, headers=place.signed_in(BOB), json=body
            ) as response:
                text = (await response.text()).replace(asked_for, "ID")
                headers = {name: value for name, value in response.headers.items() if name != "Date"}
                seen.append((response.status, text, headers))
        assert seen[0] == seen[1]
        assert seen[0][0] == 404
    assert (await place.world.ledger())["accepted"] == 0


async def test_deleted_project_is_gone_for_its_owner_and_was_never_there_for_others(place: Place) -> None:
    owner, project_id = place.signed_in(ALICE), await place.store(place.signed_in(ALICE))
    status, answer = await place.call("DELETE", f"/projects/{project_id}", owner)
    assert (status, answer["id"]) == (200, project_id)
    for method, path, body in every_call(project_id)[:-2]:
        status, answer = await place.call(method, path, owner, body)
        assert (status, answer["code"]) == (410, "project_deleted"), path
        assert f"clips restore {project_id}" in answer["error"]
    for theirs, missing in zip(every_call(project_id), every_call(NOBODYS_PROJECT), strict=True):
        answers = []
        for (method, path, body), asked_for in ((theirs, project_id), (missing, NOBODYS_PROJECT)):
            status, answer = await place.call(method, path, place.signed_in(BOB), body)
            assert status == 404
            answers.append(str(answer).replace(asked_for, "ID"))
        assert answers[0] == answers[1]
    assert await place.listed(owner) == set()
    status, answer = await place.call("POST", f"/projects/{project_id}/restore", owner)
    assert (status, answer) == (200, {"id": project_id})
    assert await place.listed(owner) == {project_id}


@pytest.mark.parametrize(
    "credential", [SERVICE_TOKEN, SERVICE_ROLE_KEY, None], ids=["token", "service key", "owner"]
)
async def test_project_answers_to_its_owner_and_to_operators(place: Place, credential: str | None) -> None:
    owner = place.signed_in(ALICE)
    project_id = await place.store(owner)
    headers = owner if credential is None else bearer(credential)
    for method, path, body in calls(project_id):
        status, answer = await place.call(method, path, headers, body)
        assert status == 200, answer
    assert answer["user_id"] == ALICE


async def test_operators_copy_of_a_project_belongs_to_its_owner_alone(place: Place) -> None:
    alice = place.signed_in(ALICE)
    path = f"/projects/{await place.store(alice)}/copies"
    status, copy = await place.call("POST", path, bearer(SERVICE_TOKEN))
    assert status == 201
    assert (await place.call("GET", f"/projects/{copy['id']}", alice))[1]["user_id"] == ALICE
    assert (await place.call("GET", f"/projects/{copy['id']}", place.signed_in(BOB)))[0] == 404


async def test_project_without_an_owner_answers_to_every_signed_in_user(place: Place) -> None:
    project_id = await place.store(bearer(SERVICE_TOKEN))
    for user_id in (ALICE, BOB):
        for method, path, body in calls(project_id):
            status, answer = await place.call(method, path, place.signed_in(user_id), body)
            assert status == 200, answer
    assert answer["user_id"] is None


async def test_list_has_a_users_own_projects_only_and_all_for_operators(place: Place) -> None:
    alices = await place.store(place.signed_in(ALICE))
    bobs = await place.store(place.signed_in(BOB))
    nobodys = await place.store(bearer(SERVICE_ROLE_KEY))
    assert await place.listed(place.signed_in(ALICE)) == {alices}
    assert await place.listed(place.signed_in(BOB)) == {bobs}
    assert await place.listed(bearer(SERVICE_TOKEN)) == {alices, bobs, nobodys}


async def test_owner_can_not_be_chosen_in_the_body(place: Place) -> None:
    body = {"frames": {}, "user_id": BOB}
    status, answer = await place.call("POST", "/projects", place.signed_in(ALICE), body)
    assert (status, answer["code"]) == (400, "bad_request")


async def test_webhook_reaches_a_clip_whoever_owns_its_project(tmp_path: Path, supabase: Supabase) -> None:
    async with running_place(tmp_path, supabase, poll_interval_seconds=600) as place:
        owner = place.signed_in(ALICE)
        project_id = await place.store(owner)
        async with aiohttp.ClientSession(headers=owner) as session:
            world = replace(place.world, session=session)
            await world.generate(project_id)
            (job,) = await world.settled(project_id)
    assert (job["status"], job["settled_by"]) == ("succeeded", "webhook")


@pytest.mark.parametrize(
    ("headers", "remedy"),
    [
        ({}, "signed-in user"),
        ({"Authorization": "Bearer "}, "signed-in user"),
        ({"Authorization": "Basic x", "apikey": SERVICE_ROLE_KEY}, "signed-in user"),
        (bearer("x.y.z"), "Sign in again"),
        (bearer(SERVICE_TOKEN[:-1]), "Sign in again"),
        (bearer(ANON_KEY), "ALLOW_ANON"),
        ({**bearer(ANON_KEY), "apikey": SERVICE_ROLE_KEY}, "ALLOW_ANON"),
        ({"apikey": ANON_KEY}, "ALLOW_ANON"),
        ({"apikey": SERVICE_TOKEN}, "Sign in again"),
    ],
)
async def test_whoever_is_not_known_may_do_nothing_and_is_told_what_to_do(
    place: Place, headers: Headers, remedy: str
) -> None:
    project_id = await place.store(bearer(SERVICE_TOKEN))
    listed: list[tuple[str, str, object]] = [
        ("GET", "/projects", None),
        ("POST", "/projects", {"frames": {}}),
    ]
    for method, path, body in [*every_call(project_id), *listed]:
        status, answer = await place.call(method, path, headers, body)
        assert (status, answer["code"]) == (401, "unauthorized")
        assert remedy in answer["error"]
    assert (await place.world.ledger())["accepted"] == 0


async def test_expired_sign_in_is_told_as_such(place: Place) -> None:
    status, answer = await place.call("GET", "/projects", place.signed_in(ALICE, exp=1_700_000_000))
    assert (status, answer["code"]) == (401, "unauthorized")
    assert "it has expired" in answer["error"]


async def test_key_counts_in_its_own_header_if_there_is_no_authorization(place: Place) -> None:
    assert await place.listed({"apikey": SERVICE_ROLE_KEY}) == set()


async def test_user_is_asked_to_come_again_while_the_signing_keys_are_out_of_reach(place: Place) -> None:
    place.project.jwks_status = 500
    status, answer = await place.call("GET", "/projects", place.signed_in(ALICE))
    assert (status, answer["code"]) == (503, "keys_unavailable")
    assert await place.listed(bearer(SERVICE_TOKEN)) == set()


@pytest.mark.parametrize("headers", [bearer(ANON_KEY), {"apikey": ANON_KEY}])
async def test_anonymous_caller_reaches_projects_without_an_owner_only(
    open_place: Place, headers: Headers
) -> None:
    alices = await open_place.store(open_place.signed_in(ALICE))
    own = await open_place.store(headers)
    for method, path, body in calls(own):
        status, answer = await open_place.call(method, path, headers, body)
        assert status == 200, answer
    for method, path, body in every_call(alices):
        status, answer = await open_place.call(method, path, headers, body)
        assert (status, answer["code"]) == (404, "project_not_found")


async def test_anonymous_caller_has_no_list_of_projects(open_place: Place) -> None:
    status, answer = await open_place.call("GET", "/projects", bearer(ANON_KEY))
    assert (status, answer["code"]) == (401, "unauthorized")
    assert "Sign in" in answer["error"]


async def test_anonymous_sign_in_owns_what_it_stores(open_place: Place) -> None:
    visitor = open_place.signed_in(BOB, is_anonymous=True)
    project_id = await open_place.store(visitor)
    assert await open_place.listed(visitor) == {project_id}
    status, _ = await open_place.call("GET", f"/projects/{project_id}", bearer(ANON_KEY))
    assert status == 404


@pytest.mark.parametrize("allow_anon", [False, True])
async def test_letting_everyone_in_is_warned_of_at_start(
    tmp_path: Path, supabase: Supabase, allow_anon: bool
) -> None:
    with capture_logs() as logged:
        async with running_place(tmp_path, supabase, allow_anon=allow_anon):
            pass
    warned = any("ALLOW_ANON" in line["event"] and line["log_level"] == "warning" for line in logged)
    assert warned is allow_anon


async def test_with_supabase_even_this_machine_must_sign_in(tmp_path: Path, supabase: Supabase) -> None:
    async with running_place(tmp_path, supabase, service_token=None) as place:
        status, _ = await place.call("GET", "/projects", {})
        assert status == 401
        assert await place.listed(place.signed_in(ALICE)) == set()
