"""What a caller sees: answers, refusals, CORS, and the description of it all."""

import io
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.harness import World, running_world

TOKEN = "token-of-the-service"
FUNCTIONS = ("generate-clips", "check-clips-status", "retry-clips")
NOBODY = str(uuid.UUID(int=0, version=4))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path, allowed_origins="https://app.example,http://localhost:*") as running:
        yield running


async def refused(world: World, path: str, data: bytes, kind: str = "application/json") -> tuple[int, Any]:
    body = io.BytesIO(data)
    async with world.session.post(world.url + path, data=body, headers={"content-type": kind}) as response:
        answer = await response.json()
        assert set(answer) == {"success", "error", "code"}
        assert answer["success"] is False
        return response.status, answer


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_functions_answer_with_and_without_the_functions_prefix(world: World, function: str) -> None:
    project_id = await world.store(1)
    await world.generate(project_id)
    for prefix in ("/functions/v1", ""):
        status, answer = await world.post(
            f"{prefix}/{function}", {"project_id": project_id, "more": "ignored"}
        )
        assert (status, answer["success"]) == (200, True)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_request"),
        (b"", 400, "bad_request"),
        (b"[]", 400, "bad_request"),
        (b"{}", 400, "bad_request"),
        (b'{"project_id": 7}', 400, "bad_request"),
        (b'{"project_id": null}', 400, "bad_request"),
        (b"\xff\xfe", 400, "bad_request"),
        (b'{"project_id": "no-uuid"}', 422, "invalid_value"),
        (b'{"project_id": "' + NOBODY.encode() + b'"}', 404, "project_not_found"),
        (b" " * (4 * 1024 * 1024 + 1), 413, "body_too_large"),
    ],
)
async def test_bad_call_gets_a_sentence_and_a_code(
    world: World, function: str, body: bytes, status: int, code: str
) -> None:
    answered, answer = await refused(world, f"/{function}", body)
    assert (answered, answer["code"]) == (status, code)
    assert len(answer["error"]) > 20


@pytest.mark.parametrize("told", [{"script": "a\0b"}, {"scenes": {"1": {"description": "a\0b"}}}])
async def test_text_that_no_database_takes_is_told_as_such(world: World, told: dict[str, object]) -> None:
    status, answer = await world.post("/projects", {"frames": {}, **told})
    assert (status, answer["code"]) == (422, "invalid_value")
    assert "NUL" in answer["error"]
    spoken_of = {"frames": {}, "script": "The character \\u0000."}
    assert (await world.post("/projects", spoken_of))[0] == 201


async def test_form_post_is_refused_so_that_no_strange_page_can_spend(world: World) -> None:
    project_id = await world.store(1)
    body = f'{{"project_id": "{project_id}"}}'.encode()
    status, answer = await refused(world, "/generate-clips", body, "text/plain")
    assert (status, answer["code"]) == (400, "bad_request")
    assert (await world.ledger())["accepted"] == 0


async def test_json_sent_as_text_is_taken_only_with_a_credential_that_was_accepted(tmp_path: Path) -> None:
    text = {"content-type": "text/plain;charset=UTF-8"}
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with running_world(tmp_path, service_token=TOKEN) as world:
        for headers, status in (
            ({**text, **bearer}, 201),
            (text, 401),
            ({**bearer, "content-type": "x/y"}, 400),
        ):
            async with world.session.post(
                f"{world.url}/projects", data=b'{"frames": {}}', headers=headers
            ) as response:
                assert response.status == status
    async with (
        running_world(tmp_path / "open") as world,
        world.session.post(
            f"{world.url}/projects", data=b'{"frames": {}}', headers={**text, **bearer}
        ) as response,
    ):
        assert response.status == 400, "nobody was asked for a credential, so that none was accepted"


async def test_project_without_any_complete_scene_is_409_with_what_is_missing(world: World) -> None:
    frames = {"1": {"first_frame": "https://frames.example/1.png"}, "2": None}
    project_id = await world.store({"1": {}, "2": {}}, frames)
    status, answer = await world.post("/generate-clips", {"project_id": project_id})
    assert (status, answer["code"]) == (409, "frames_not_ready")
    assert "scene 1: last_frame missing" in answer["error"]
    assert "scene 2: first_frame and last_frame missing" in answer["error"]


@pytest.mark.parametrize("function", ["check-clips-status", "retry-clips"])
async def test_before_any_generate_there_is_nothing_to_check_and_that_is_no_success(
    world: World, function: str
) -> None:
    status, answer = await world.post(f"/{function}", {"project_id": await world.store(2)})
    assert (status, answer["success"], answer["code"]) == (409, False, "nothing_asked")
    assert answer["error"] == "No clip has been asked for yet. Call generate-clips."


async def test_retry_of_a_scene_that_is_not_there_names_it_and_retries_nothing(world: World) -> None:
    project_id = await world.store(1)
    status, answer = await world.post("/retry-clips", {"project_id": project_id, "scenes": ["1", "7"]})
    assert (status, answer["code"]) == (422, "scene_not_found")
    assert "no scene 7" in answer["error"]


async def test_retry_says_what_it_did_not_retry_and_spends_nothing_on_it(world: World) -> None:
    project_id = await world.store({"1": {}, "2": {"description": "[sandbox:fail]"}})
    status, refused = await world.post("/functions/v1/retry-clips", {"project_id": project_id})
    assert (status, refused["code"]) == (409, "nothing_asked")
    assert "note" not in await world.generate(project_id)
    await world.settled(project_id)
    answer = await world.retry(project_id, scenes=["1"])
    assert (answer["results"], answer["note"]) == ([], "Nothing was retried: scene 1 is done.")
    assert (await world.ledger())["accepted"] == 2
    answer = await world.retry(project_id, scenes=["1", "2"])
    assert [one["sceneKey"] for one in answer["results"]] == ["2"]
    assert answer["note"] == "Not retried: scene 1 is done."
    await world.settled(project_id)
    # It may fail again before the call is answered.
    _, answer = await world.post("/functions/v1/retry-clips", {"project_id": project_id})
    assert [one["sceneKey"] for one in answer["results"]] == ["2"]
    assert "note" not in answer


async def test_project_comes_back_under_its_column_names(world: World) -> None:
    body = {
        "frames": {"1": {"first_frame": "https://f.example/1.png", "last_frame": "https://f.example/2.png"}},
        "scenes": {"1": {"description": "Rain.", "duration": "5"}},
        "script": '{"title": "A short story"}',
        "input_image_url": "https://f.example/i.png",
        "audio_recording_url": "https://f.example/a.mp3",
    }
    status, stored = await world.post("/projects", body)
    assert status == 201
    project = await world.project(stored["id"])
    assert {name: project[name] for name in body} == body
    assert (project["clips"], project["video_url"], project["jobs"]) == ({}, None, [])
    listed = (await world.get("/projects"))["projects"]
    assert [one["id"] for one in listed] == [stored["id"]]
    assert project["title"] == listed[0]["title"] == "A short story"


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "9" * 5000, "1.5"])
async def test_list_refuses_a_limit_that_can_not_be(world: World, limit: str) -> None:
    async with world.session.get(f"{world.url}/projects?limit={limit}") as response:
        assert response.status == 422
        assert (await response.json())["code"] == "invalid_value"


async def test_list_is_read_page_by_page_by_words_and_state(world: World) -> None:
    stored = [
        await world.store({"1": {"description": f"{word} {n}"}})
        for n in range(3)
        for word in ("Boat", "Train")
    ]
    boats = stored[::2][::-1]
    first = await world.get("/projects?q=BOAT&limit=2")
    assert [one["id"] for one in first["projects"]] == boats[:2]
    rest = await world.get(f"/projects?q=BOAT&limit=2&cursor={first['next']}")
    assert ([one["id"] for one in rest["projects"]], rest["next"]) == (boats[2:], None)
    assert (await world.get("/projects?limit=6"))["next"] is None
    await world.generate(boats[1])
    await world.settled(boats[1])
    done = await world.get("/projects?state=done")
    assert [(one["id"], one["state"]) for one in done["projects"]] == [(boats[1], "done")]
    assert (await world.get("/projects?state=done&q=train"))["projects"] == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=finished", "'generating', 'failed', 'done', 'idle' or 'deleted'"),
        ("state=", "'generating', 'failed', 'done', 'idle' or 'deleted'"),
        ("cursor=x", "cursor: give the next of an answer as it came"),
        ("cursor=", "leave it out to begin anew"),
        ("q=a%00b", "NUL"),
        (f"q={'a' * 161}", "160"),
        ("limit=1001", "less than or equal to 1000"),
    ],
)
async def test_list_refuses_a_value_that_can_not_be_and_says_what_can(
    world: World, query: str, words: str
) -> None:
    async with world.session.get(f"{world.url}/projects?{query}") as response:
        answer = await response.json()
        assert (response.status, answer["code"]) == (422, "invalid_value")
        assert words in answer["error"]


@pytest.mark.parametrize("query", ["status=done", "limit=5&Q=boat", "user_id=x"])
async def test_misspelt_parameter_is_refused_with_those_that_there_are(world: World, query: str) -> None:
    async with world.session.get(f"{world.url}/projects?{query}") as response:
        assert response.status == 422
        assert "It takes q, state, cursor, limit." in (await response.json())["error"]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"frames": []}', b'{"frames": {}, "typo": 1}', b'{"frames": {"1": 5}}']
)
async def test_project_of_a_wrong_shape_is_refused(world: World, body: bytes) -> None:
    assert (await refused(world, "/projects", body))[0] == 400


@pytest.mark.parametrize("project_id", [NOBODY, "no-uuid", "a%00b", "..%2f", "'"])
async def test_unknown_project_is_404(world: World, project_id: str) -> None:
    async with world.session.get(f"{world.url}/projects/{project_id}") as response:
        assert response.status == 404
        assert (await response.json())["success"] is False


async def test_misspelt_parameter_is_answered_with_the_one_that_was_meant(world: World) -> None:
    async with world.session.get(f"{world.url}/projects?stat=done") as response:
        answer = await response.json()
    assert (response.status, answer["code"]) == (422, "invalid_value")
    assert "/projects takes no parameter stat. Did you mean state? It takes q, state," in answer["error"]


@pytest.mark.parametrize(
    ("call", "field", "close"),
    [
        ("generate-clips", "modle", "model"),
        ("generate-clips", "resoluton", "resolution"),
        ("generate-clips", "adpot", "adopt"),
        ("retry-clips", "sences", "scenes"),
    ],
)
async def test_misspelt_field_of_a_function_is_refused_before_money_is_spent_on_something_else(
    world: World, call: str, field: str, close: str
) -> None:
    project_id = await world.store(1)
    body = {"project_id": project_id, field: "1080p"}
    status, answer = await world.post(f"/functions/v1/{call}", body)
    assert (status, answer["code"]) == (422, "invalid_value")
    assert f"this call has no field {field}. Did you mean {close}?" in answer["error"]
    assert (await world.ledger())["accepted"] == 0


async def test_misspelt_id_of_a_project_is_answered_with_the_fields_name(world: World) -> None:
    status, answer = await world.post("/generate-clips", {"projectId": NOBODY})
    assert (status, answer["success"]) == (422, False)
    assert "this call has no field projectId. Did you mean project_id?" in answer["error"]


async def test_other_fields_of_a_function_are_ignored_as_ever(world: World) -> None:
    body = {"project_id": await world.store(1), "project": "mine", "source": "app", "scene_count": 1}
    status, answer = await world.post("/generate-clips", body)
    assert (status, answer["total_clips"]) == (200, 1)


async def test_misspelt_field_of_a_new_project_is_refused_with_the_one_that_was_meant(world: World) -> None:
    status, answer = await world.post("/projects", {"frames": {}, "scene": {}, "colour": "red"})
    assert (status, answer["code"]) == (400, "bad_request")
    assert "scene: this call has no such field. Did you mean scenes?" in answer["error"]
    assert "colour: this call has no such field.)" in answer["error"]


@pytest.mark.parametrize(
    ("scene", "problem"),
    [
        ({"description": "a" * 3001}, "scene 7: its description has 3001 characters"),
        ({"visual_action": ["Rain falls. " * 200] * 2}, "scene 7: its visual_action has 4799 characters"),
        ({"description": "a"}, "scene 7: its description has 1 character, and a prompt needs 2"),
    ],
)
async def test_text_that_no_prompt_can_tell_is_refused_when_it_is_stored(
    world: World, scene: dict[str, object], problem: str
) -> None:
    status, answer = await world.post("/projects", {"frames": {}, "scenes": {"1": {}, "7": scene}})
    assert (status, answer["code"]) == (422, "invalid_value")
    assert problem in answer["error"]
    assert (await world.get("/projects"))["projects"] == []


async def test_longest_text_is_stored_and_sent_as_it_is(world: World) -> None:
    project_id = await world.store({"1": {"description": "a" * 3000}})
    await world.generate(project_id)
    (job,) = await world.settled(project_id)
    assert job["status"] == "succeeded"


async def test_longer_text_that_the_web_application_stored_is_cut_as_ever(world: World) -> None:
    project_id = await world.store(1)
    world.rewrite(project_id, scenes={"1": {"description": "Rain falls. " * 400}})
    await world.generate(project_id)
    (job,) = await world.settled(project_id)
    assert job["status"] == "succeeded"


async def test_unknown_path_and_method_get_the_same_form_of_answer(world: World) -> None:
    async with world.session.get(f"{world.url}/nowhere") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "not_found"
    async with world.session.get(f"{world.url}/generate-clips") as response:
        assert response.status == 405
        assert (await response.json())["code"] == "method_not_allowed"


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:5173", "http://localhost"])
async def test_preflight_of_supabase_js_is_granted(world: World, origin: str) -> None:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,apikey,content-type,x-client-info",
    }
    async with world.session.options(f"{world.url}/functions/v1/generate-clips", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == origin
        allowed = response.headers["Access-Control-Allow-Headers"].lower()
        assert all(name in allowed for name in ("authorization", "apikey", "content-type", "x-client-info"))


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.evil.example",
        "http://localhost.evil.example:80",
        "http://localhost:8000.evil.example",
        "http://localhost:",
        "null",
    ],
)
async def test_preflight_of_a_strange_origin_is_refused(world: World, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with world.session.options(f"{world.url}/generate-clips", headers=headers) as response:
        assert response.status == 400
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_error_answers_can_be_read_by_the_browser_too(world: World) -> None:
    headers = {"Origin": "https://app.example"}
    async with world.session.post(f"{world.url}/generate-clips", json={}, headers=headers) as response:
        assert response.status == 400
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"


async def test_with_a_service_token_every_call_but_the_public_ones_needs_it(tmp_path: Path) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with running_world(tmp_path, service_token=TOKEN) as world:
        protected = [("POST", f"/{name}") for name in FUNCTIONS]
        protected += [("POST", "/projects"), ("GET", "/projects"), ("GET", f"/projects/{NOBODY}")]
        for method, path in protected:
            for header in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Basic {TOKEN}"},
                {"apikey": TOKEN},
            ):
                async with world.session.request(method, world.url + path, headers=header) as response:
                    assert response.status == 401, (method, path, header)
                    assert response.headers["WWW-Authenticate"] == "Bearer"
        async with world.session.get(f"{world.url}/projects", headers=bearer) as response:
            assert response.status == 200
        for path in ("/healthz", "/readyz", "/openapi.json"):
            async with world.session.get(world.url + path) as response:
                assert response.status == 200, path


async def test_without_a_token_only_localhost_is_answered_so_that_no_page_can_rebind_its_name(
    world: World,
) -> None:
    project_id = await world.store(1)
    for host in (
        "attacker.example",
        "attacker.example:8000",
        "127.0.0.1.attacker.example",
        "10.0.0.1",
        "a{b.example",
        "evil.example:",
        "[::1",
        "",
    ):
        headers = {"Host": host}
        status, _ = await world.post("/generate-clips", {"project_id": project_id}, headers=headers)
        assert status == 401
    assert (await world.ledger())["accepted"] == 0


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
async def test_number_that_is_no_json_is_not_stored(world: World, number: str) -> None:
    body = f'{{"frames": {{"1": {{"first_frame": {number}}}}}}}'.encode()
    status, answer = await refused(world, "/projects", body)
    assert (status, answer["code"]) == (422, "invalid_value")


async def test_project_of_too_many_scenes_is_refused(world: World) -> None:
    body = json.dumps({"frames": {str(n): None for n in range(10_001)}}).encode()
    assert (await refused(world, "/projects", body))[0] == 422


async def test_health_tells_states_and_nothing_else(world: World) -> None:
    assert await world.get("/healthz") == {"status": "ok"}
    assert await world.get("/readyz") == {
        "ready": True,
        "store": "reachable",
        "poller": "alive",
        "missing_migrations": [],
    }


async def test_unreachable_store_is_told_by_readiness_and_answered_with_503(world: World) -> None:
    project_id = await world.store(1)
    world.break_database()
    async with world.session.get(f"{world.url}/readyz") as response:
        assert response.status == 503
        answer = await response.json()
        assert (answer["ready"], answer["store"], answer["poller"]) == (False, "unreachable", "alive")
    status, answer = await world.post("/generate-clips", {"project_id": project_id})
    assert (status, answer["code"]) == (503, "store_unavailable")
    assert str(world.database.parent) not in answer["error"]


async def test_wrong_method_is_told_all_methods_of_the_path(world: World) -> None:
    document = await world.get("/openapi.json")
    assert {"get", "post"} == set(document["paths"]["/projects"])
    for path, methods in document["paths"].items():
        allowed = {method.upper() for method in methods} | ({"HEAD"} if "get" in methods else set())
        named = re.sub(r"\{[^}]*\}", "nothing", path)
        async with world.session.put(world.url + named) as response:
            assert response.status == 405, path
            assert set(response.headers["Allow"].split(", ")) == allowed, path
    async with world.session.post(f"{world.url}/client/clips.js") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


async def test_description_tells_the_form_of_each_parameter(world: World) -> None:
    document = await world.get("/openapi.json")
    paths, schemas = document["paths"], document["components"]["schemas"]
    project = paths["/projects/{project_id}"]["get"]["parameters"][0]["schema"]
    assert project == {"type": "string", "format": "uuid"}
    webhook = paths["/webhooks/runware"]["post"]
    assert webhook["requestBody"]["content"]["application/json"]["schema"]
    assert {one["name"] for one in webhook["parameters"]} == {"job", "token"}
    assert schemas["WebhookBody"]["anyOf"][0]["type"] == "object"
    uploads = set(paths["/uploads"]["post"]["requestBody"]["content"])
    assert uploads == {"image/png", "image/jpeg", "image/webp"}
    script = schemas["NewProject"]["properties"]["script"]["anyOf"][0]
    assert re.search(script["pattern"], "A boat leaves.\nIt arrives.")
    assert not re.search(script["pattern"], "A boat\0")
    listed = {one["name"]: one["schema"] for one in paths["/projects"]["get"]["parameters"]}
    assert (listed["limit"]["minimum"], listed["limit"]["type"]) == (1, "integer")
    watched = paths["/projects/{project_id}/events"]["get"]
    assert [one["name"] for one in watched["parameters"]] == ["project_id", "Last-Event-ID"]


async def test_description_is_valid_openapi_and_covers_every_call(world: World) -> None:
    document = await world.get("/openapi.json")
    OpenAPIV31SpecValidator(dict(document)).validate()
    expected = {f"{prefix}/{name}" for name in FUNCTIONS for prefix in ("/functions/v1", "")}
    expected |= {"/projects", "/projects/{project_id}", "/projects/{project_id}/events"}
    expected |= {"/cancel-clips", "/functions/v1/cancel-clips"}
    expected |= {"/projects/{project_id}/clips/{scene}.mp4"}
    expected |= {
        "/projects/{project_id}/restore",
        "/projects/{project_id}/copies",
        "/projects/{project_id}/quotes",
    }
    expected |= {"/studio/config", "/studio/estimates", "/uploads", "/uploads/{name}"}
    expected |= {"/webhooks/runware", "/healthz", "/readyz", "/metrics"}
    assert set(document["paths"]) == expected
    generate = document["paths"]["/generate-clips"]["post"]
    assert {"200", "400", "401", "404", "409", "410", "413", "422", "502", "503"} == set(
        generate["responses"]
    )
    assert set(document["paths"]["/readyz"]["get"]["responses"]) == {"200", "400", "503"}
    listed = {one["name"]: one["schema"] for one in document["paths"]["/projects"]["get"]["parameters"]}
    assert list(listed) == ["q", "state", "cursor", "limit"]
    assert (listed["limit"]["maximum"], listed["limit"]["default"]) == (1000, 100)
    answer = document["components"]["schemas"]["GenerateAnswer"]["properties"]
    counts = {"total_clips", "completed", "pending", "failed", "scenes"}
    assert {"success", "project_id", "all_complete", *counts} <= set(answer)
    told = {f"#/components/schemas/{name}" for name in ("GenerateFailure", "ErrorAnswer")}
    refused = generate["responses"]["422"]["content"]["application/json"]["schema"]
    assert {one["$ref"] for one in refused["anyOf"]} == told
    assert (
        answer.items()
        <= {
            **document["components"]["schemas"]["GenerateFailure"]["properties"],
            "success": answer["success"],
        }.items()
    )
