"""What every answer carries, so that a browser does nothing with it that it should not."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import service
from tests.harness import World, running_world

STUDIO = Path(service.__file__).parent / "studio"
FOLDERS = {"page": "/studio", "client": "/client", "vendor": "/vendor"}
PROXY_HEADERS = {
    "Forwarded": "for=203.0.113.7;host=clips.example",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "clips.example",
    "Via": "1.1 proxy.example",
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


def static_paths() -> Iterator[str]:
    yield "/"
    for folder, path in FOLDERS.items():
        for file in (STUDIO / folder).iterdir():
            yield f"{path}/{file.name}"


async def every_call(world: World) -> list[tuple[str, str]]:
    """Each call by method and path, of a project and a clip that are not there."""
    paths = (await world.get("/openapi.json"))["paths"]
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "nothing", path))
        for path, methods in paths.items()
        for method in methods
    ]


async def test_no_answer_can_be_framed_sniffed_or_tells_its_address(world: World) -> None:
    calls = await every_call(world)
    assert len(calls) > 15
    calls += [("GET", path) for path in (*static_paths(), "/openapi.json", "/nowhere")]
    for method, path in calls:
        async with world.session.request(method, world.url + path) as response:
            told = response.headers
            assert "frame-ancestors 'none'" in told["Content-Security-Policy"], (method, path)
            assert told["X-Frame-Options"] == "DENY", (method, path)
            assert told["X-Content-Type-Options"] == "nosniff", (method, path)
            assert told["Referrer-Policy"] == "no-referrer", (method, path)


async def test_what_is_private_is_kept_in_no_cache(world: World) -> None:
    project_id = await world.store(1)
    for path in ("/projects", f"/projects/{project_id}", f"/projects/{project_id}/events", "/projects/x"):
        async with world.session.get(world.url + path) as response:
            assert "no-store" in response.headers["Cache-Control"], path


async def test_page_is_served_at_its_one_address_alone(world: World) -> None:
    async with world.session.get(f"{world.url}/studio/index.html") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "not_found"


@pytest.mark.parametrize("header", PROXY_HEADERS)
async def test_without_a_token_a_call_through_a_proxy_is_refused(world: World, header: str) -> None:
    headers = {header: PROXY_HEADERS[header]}
    async with world.session.get(f"{world.url}/projects", headers=headers) as response:
        assert response.status == 401
        assert "came through a proxy" in (await response.json())["error"]
    async with world.session.get(f"{world.url}/healthz", headers=headers) as response:
        assert response.status == 200


async def test_with_a_token_a_call_through_a_proxy_is_let_in(tmp_path: Path) -> None:
    token = "token-of-the-service"
    async with running_world(tmp_path, service_token=token) as world:
        headers = PROXY_HEADERS | {"Authorization": f"Bearer {token}"}
        async with world.session.get(f"{world.url}/projects", headers=headers) as response:
            assert response.status == 200
