"""How the web application calls: `functions.invoke` of the real supabase-js, and a browser's preflight."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.guide import PUBLIC_URL, blocks
from tests.harness import PATIENCE_S
from tests.identities import (
    ALICE,
    ANON_KEY,
    BOB,
    SERVICE_ROLE_KEY,
    Place,
    bearer,
    running_place,
)
from tests.node import install, run
from tests.postgrest import Supabase
from tests.supabase_keys import JWT_SECRET, SupabaseKeys

CLIENT = Path(__file__).parents[1] / "supabase_js"
ORIGIN = "https://app.example"
NOBODYS_PROJECT = "00000000-0000-4000-8000-000000000000"
# In every copy of an older web application; it has neither audience nor user.
OLD_ANON_KEY = SupabaseKeys("").anon_key


@pytest.fixture(scope="session")
def node() -> str:
    return install(CLIENT)


@pytest.fixture
async def place(tmp_path: Path, supabase: Supabase) -> AsyncIterator[Place]:
    async with running_place(
        tmp_path, supabase, allowed_origins=ORIGIN, supabase_jwt_secret=JWT_SECRET
    ) as running:
        yield running


async def invoke(
    node: str,
    place: Place,
    *calls: tuple[str, object],
    key: str = ANON_KEY,
    token: str | None = None,
    sign_in: str = "accessToken",
    url: str | None = None,
    options: str | None = None,
) -> Sequence[dict[str, Any]]:
    """Make the calls as whoever has the token, by a client of `url`, else of the service's address.

    `options` is the line `global: …` of the client's options, as a web application has it in its code.
    """
    told = {
        "url": url or place.world.url,
        "key": key,
        "token": token,
        "sign_in": sign_in if token else None,
        "global": options,
        "calls": [{"name": name, "body": body} for name, body in calls],
    }
    results: list[dict[str, Any]] = await run(node, CLIENT / "invoke.mjs", told, patience_seconds=PATIENCE_S)
    return results


@pytest.mark.parametrize("key", [ANON_KEY, OLD_ANON_KEY], ids=["publishable key", "anon key"])
@pytest.mark.parametrize("sign_in", ["accessToken", "setAuth", "header"])
async def test_signed_in_user_makes_clips_and_asks_how_they_stand(
    node: str, place: Place, key: str, sign_in: str
) -> None:
    project_id = await place.store(place.signed_in(ALICE))
    body = {"project_id": project_id}
    generated, checked = await invoke(
        node,
        place,
        ("generate-clips", body),
        ("check-clips-status", body),
        key=key,
        token=place.project.user_token(ALICE),
        sign_in=sign_in,
    )
    assert (generated["error"], checked["error"]) == (None, None)
    for answer in (generated["data"], checked["data"]):
        assert (answer["success"], answer["project_id"], answer["total_clips"]) == (True, project_id, 1)
    (result,) = generated["data"]["results"]
    (detail,) = checked["data"]["details"]
    assert result["success"] is True
    assert result["taskUUID"] == detail["jobId"]
    assert list(checked["data"]["clips"]) == [detail["jobId"]]


async def test_service_role_key_calls_as_an_operator(node: str, place: Place) -> None:
    body = {"project_id": await place.store(place.signed_in(ALICE))}
    (generated,) = await invoke(node, place, ("generate-clips", body), key=SERVICE_ROLE_KEY)
    assert generated["data"]["total_clips"] == 1


async def test_error_comes_back_as_http_error_with_its_sentence(node: str, place: Place) -> None:
    alices = await place.store(place.signed_in(ALICE))
    theirs, missing, wrong = await invoke(
        node,
        place,
        ("generate-clips", {"project_id": alices}),
        ("check-clips-status", {"project_id": NOBODYS_PROJECT}),
        ("generate-clips", {}),
        token=place.project.user_token(BOB),
    )
    for result, status in ((theirs, 404), (missing, 404), (wrong, 400)):
        assert (result["data"], result["error"], result["status"]) == (None, "FunctionsHttpError", status)
        assert result["answer"]["success"] is False
        assert len(result["answer"]["error"]) > 20
    assert theirs["answer"]["error"].replace(alices, NOBODYS_PROJECT) == missing["answer"]["error"]


@pytest.mark.parametrize("key", [ANON_KEY, OLD_ANON_KEY], ids=["publishable key", "anon key"])
async def test_nobody_spends_with_the_public_key_alone(node: str, place: Place, key: str) -> None:
    body = {"project_id": await place.store(bearer(SERVICE_ROLE_KEY))}
    (refused,) = await invoke(node, place, ("generate-clips", body), key=key)
    assert (refused["error"], refused["status"]) == ("FunctionsHttpError", 401)
    assert refused["answer"]["success"] is False
    assert "sign in" in refused["answer"]["error"]
    assert (await place.world.ledger())["accepted"] == 0


@pytest.mark.parametrize("key", [ANON_KEY, OLD_ANON_KEY], ids=["publishable key", "anon key"])
async def test_public_key_alone_is_enough_where_that_is_allowed(
    node: str, tmp_path: Path, supabase: Supabase, key: str
) -> None:
    async with running_place(tmp_path, supabase, allow_anon=True, supabase_jwt_secret=JWT_SECRET) as place:
        body = {"project_id": await place.store(bearer(SERVICE_ROLE_KEY))}
        (generated,) = await invoke(node, place, ("generate-clips", body), key=key)
    assert generated["data"]["total_clips"] == 1


@pytest.mark.parametrize("key", [ANON_KEY, OLD_ANON_KEY], ids=["publishable key", "anon key"])
async def test_old_and_new_public_key_are_both_recognised_without_the_shared_secret(
    node: str, tmp_path: Path, supabase: Supabase, key: str
) -> None:
    keys = f"{ANON_KEY},{OLD_ANON_KEY}"
    async with running_place(tmp_path, supabase, allow_anon=True, supabase_anon_key=keys) as place:
        body = {"project_id": await place.store(bearer(SERVICE_ROLE_KEY))}
        (generated,) = await invoke(node, place, ("generate-clips", body), key=key)
        assert (await place.world.get("/studio/config"))["anon_key"] == ANON_KEY
    assert generated["data"]["total_clips"] == 1


async def test_body_that_is_a_string_is_taken_as_the_json_that_it_is(node: str, place: Place) -> None:
    project_id = await place.store(place.signed_in(ALICE))
    body = json.dumps({"project_id": project_id})
    generated, wrong = await invoke(
        node,
        place,
        ("generate-clips", body),
        ("generate-clips", "no JSON"),
        token=place.project.user_token(ALICE),
    )
    assert (generated["error"], generated["data"]["project_id"]) == (None, project_id)
    assert (wrong["status"], wrong["answer"]["code"]) == (400, "bad_request")


async def test_project_without_any_clip_comes_back_as_an_error_that_tells_of_each_scene(
    node: str, place: Place
) -> None:
    frames = dict.fromkeys(("first_frame", "last_frame"), f"{place.world.sandbox_url}/frames/1/first.png")
    project = {"frames": {"1": frames}, "scenes": {"1": {"visual_action": "[sandbox:refuse]"}}}
    _, stored = await place.call("POST", "/projects", place.signed_in(ALICE), project)
    asked = {"project_id": stored["id"]}
    names = ("check-clips-status", "generate-clips", "check-clips-status")
    early, generated, checked = await invoke(
        node, place, *((name, asked) for name in names), token=place.project.user_token(ALICE)
    )
    for result, status, code in (
        (early, 409, "nothing_asked"),
        (generated, 422, "nothing_made"),
        (checked, 422, "nothing_made"),
    ):
        assert (result["data"], result["error"]) == (None, "FunctionsHttpError")
        assert (result["status"], result["answer"]["code"]) == (status, code)
    for scene in (*generated["answer"]["results"], *checked["answer"]["details"]):
        assert scene["error"] in generated["answer"]["error"]


async def test_documented_line_takes_a_client_of_the_supabase_project_to_the_service(
    node: str, place: Place
) -> None:
    body = {"project_id": await place.store(place.signed_in(ALICE))}
    (line,) = (line for line in blocks("js")[0].splitlines() if "global:" in line)
    clips, status, retried, other = await invoke(
        node,
        place,
        ("generate-clips", body),
        ("check-clips-status", body),
        ("retry-clips", body),
        ("another-function", body),
        token=place.project.user_token(ALICE),
        url=place.project.url,
        options=line.replace(PUBLIC_URL, place.world.url),
    )
    assert [answer["error"] for answer in (clips, status, retried)] == [None] * 3
    assert clips["data"]["project_id"] == body["project_id"]
    assert clips["data"]["total_clips"] == status["data"]["total_clips"] == 1
    assert place.world.url not in line, "the client itself is of the Supabase project"
    assert (other["error"], other["status"]) == ("FunctionsHttpError", 404), "only our calls leave Supabase"


async def test_documented_lines_tell_why_a_call_failed_and_what_is_missing(node: str, tmp_path: Path) -> None:
    script = f"""{blocks("js")[1]}
        const body = JSON.stringify({{ error: "No clip could be made.", code: "nothing_made" }});
        const error = (context) => ({{ message: "non-2xx", context }});
        const contexts = [new Response(body), new Response("<h1>"), new TypeError("no network"), undefined];
        const reasons = await Promise.all(contexts.map((context) => reason(error(context))));
        const rests = [{{ failed: 0, scenes: 5 }}, {{ failed: 2, scenes: 5 }}].map(shortfall);
        console.log(JSON.stringify([reasons, rests]));
    """
    file = tmp_path / "lines.mjs"
    file.write_text(script, "utf-8")
    reasons, rests = await run(node, file, None, patience_seconds=PATIENCE_S)
    assert reasons == ["No clip could be made.", "non-2xx", "non-2xx", "non-2xx"]
    assert rests == ["", "2 of 5 scenes have no clip."]


async def test_documented_function_tells_an_answer_from_none_with_sentence_and_code(
    node: str, place: Place, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(CLIENT / "node_modules")
    script = f"""{blocks("js")[2]}
        import {{ createClient }} from "@supabase/supabase-js";
        const [key, token, ...urls] = {json.dumps([ANON_KEY, place.project.user_token(ALICE)])}.concat(
          {json.dumps([place.world.url, "http://127.0.0.1:9"])},
        );
        const told = [];
        for (const url of urls) {{
          const client = createClient(url, key, {{
            auth: {{ persistSession: false }},
            realtime: {{ transport: class {{}} }},
            accessToken: async () => token,
          }});
          const body = {{ project_id: "{NOBODYS_PROJECT}" }};
          const {{ error }} = await client.functions.invoke("generate-clips", {{ body }});
          told.push(await refusal(error));
        }}
        console.log(JSON.stringify(told));
        process.exit(0);
    """
    file = tmp_path / "refusal.mjs"
    file.write_text(script, "utf-8")
    refused, unreachable = await run(node, file, None, patience_seconds=PATIENCE_S)
    assert (refused["code"], refused["status"]) == ("project_not_found", 404)
    assert refused["sentence"].startswith(f"There is no project {NOBODYS_PROJECT}.")
    assert unreachable == {
        "sentence": "The service can't be reached.",
        "code": "unreachable",
        "status": 0,
    }


# As a browser writes them: in lower case, sorted, with commas alone.
PREFLIGHTS = [
    "apikey,authorization,content-type,x-client-info",
    "apikey,authorization,content-type,x-client-info,x-region",
    "apikey,authorization,baggage,content-type,traceparent,tracestate,x-client-info,x-retry-count",
]


async def preflight(place: Place, origin: str, asked: str) -> tuple[int, dict[str, str]]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Dest": "empty",
    }
    url = f"{place.world.url}/functions/v1/generate-clips"
    async with place.world.session.options(url, headers=headers) as response:
        return response.status, {name.lower(): value for name, value in response.headers.items()}


@pytest.mark.parametrize("asked", PREFLIGHTS)
async def test_browser_on_the_web_applications_page_may_call_before_anyone_has_signed_in(
    place: Place, asked: str
) -> None:
    status, headers = await preflight(place, ORIGIN, asked)
    assert status == 200
    assert headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in headers["access-control-allow-methods"]
    allowed = {name.strip().lower() for name in headers["access-control-allow-headers"].split(",")}
    assert allowed >= set(asked.split(","))


@pytest.mark.parametrize("asked", PREFLIGHTS)
@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil.example", "null"])
async def test_browser_on_another_page_may_not_call(place: Place, origin: str, asked: str) -> None:
    status, headers = await preflight(place, origin, asked)
    assert status == 400
    assert "access-control-allow-origin" not in headers


async def test_refusal_can_be_read_by_the_web_application(place: Place) -> None:
    headers = {"Origin": ORIGIN, "apikey": ANON_KEY}
    async with place.world.session.post(
        f"{place.world.url}/functions/v1/generate-clips", json={}, headers=headers
    ) as response:
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
