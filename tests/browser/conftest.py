"""One Chromium for all tests of this folder, a fresh profile and a fresh service for each."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.visit import Visit
from tests.harness import World, running_world
from tests.missing import give_up

CHROMIUM = "/usr/bin/chromium"

OpenVisit = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        give_up(f"{CHROMIUM} is missing: apt-get install chromium")
    # Chromium's own sandbox doesn't work for root, whom containers usually run tests as.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


@pytest.fixture
def open_visit(browser: Browser) -> OpenVisit:
    """Give what opens a visit to a service; its `options` are those of a browser context."""

    @asynccontextmanager
    async def opened(world: World, **options: Any) -> AsyncIterator[Visit]:
        context = await browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        async with context:
            visit = Visit(world, context, await context.new_page())
            visit.guard(visit.page)
            yield visit
            visit.check()

    return opened


@pytest_asyncio.fixture(loop_scope="session")
async def visit(world: World, open_visit: OpenVisit) -> AsyncIterator[Visit]:
    async with open_visit(world) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session", params=[(1280, 860), (390, 844)], ids=["1280", "390"])
async def sized_visit(
    world: World, open_visit: OpenVisit, request: pytest.FixtureRequest
) -> AsyncIterator[Visit]:
    """A visit on a desk, and one on a telephone."""
    width, height = request.param
    async with open_visit(world, viewport={"width": width, "height": height}) as opened:
        yield opened
