"""What a person does on the page, and what must never happen meanwhile."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, ConsoleMessage, Error, Locator, Page, Request, expect

from tests.harness import PATIENCE_S, World

# Git ignores it: for a person to look at.
SCREENSHOTS = Path(__file__).parent / "screenshots"
PATIENCE_MS = PATIENCE_S * 1000
# Chromium says so of each answer that is an error and of each connection that breaks; both are tested for.
_EXPECTED_ERROR = "Failed to load resource"

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Visit:
    """A page at a service. `check` fails if it asked another host, broke its policy or threw."""

    world: World
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.hosts = {urlsplit(url).netloc for url in (self.world.url, self.world.sandbox_url)}

    def guard(self, page: Page) -> None:
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("request", self._request)

    def check(self) -> None:
        assert self.complaints == []

    async def open(self, path: str = "/") -> None:
        await self.page.goto(self.world.url + path)

    async def open_project(self, project_id: str) -> None:
        await self.open(f"/#/projects/{project_id}")
        await expect(self.scene("1")).to_be_visible()

    def scene(self, key: str) -> Locator:
        return self.page.locator("scene-card").filter(
            has=self.page.get_by_role("heading", name=f"Scene {key}", exact=True)
        )

    def state(self, key: str) -> Locator:
        return self.scene(key).locator(".state")

    def button(self, name: str) -> Locator:
        """A button by its name, with whatever price stands after that."""
        return self.page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}( · .*)?$"))

    def connection(self, state: str) -> Locator:
        return self.page.locator(f'.connection[data-connection="{state}"]')

    @property
    def width(self) -> int:
        """The window's, in pixels."""
        size = self.page.viewport_size
        assert size is not None
        return size["width"]

    @property
    def toast(self) -> Locator:
        return self.page.locator("#toast")

    async def drop(self, target: Locator, files: Mapping[str, bytes], kind: str = "image/png") -> None:
        """Drop files on an element, as from a file manager."""
        content = [(name, base64.b64encode(data).decode()) for name, data in files.items()]
        transfer = await self.page.evaluate_handle(
            """([files, type]) => {
                const transfer = new DataTransfer();
                for (const [name, content] of files) {
                    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
                    transfer.items.add(new File([bytes], name, { type }));
                }
                return transfer;
            }""",
            [content, kind],
        )
        for event in ("dragover", "drop"):
            await target.dispatch_event(event, {"dataTransfer": transfer})

    async def frame(self, scene: int, end: str) -> bytes:
        """One of the sandbox's sample frames."""
        url = f"{self.world.sandbox_url}/frames/{scene}/{end}.png?size=360x640"
        async with self.world.session.get(url) as response:
            return await response.read()

    async def shot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    async def violations(self) -> Sequence[str]:
        """What axe finds, by WCAG 2.2 AA and its own best practices."""
        # Colours are judged when they have arrived.
        await self.page.evaluate(
            "Promise.allSettled(document.getAnimations()"
            ".filter((one) => one.effect.getTiming().iterations !== Infinity).map((one) => one.finished))"
        )
        found = await Axe().run(self.page)
        return [
            f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in found.response["violations"]
            for node in violation["nodes"]
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED_ERROR):
            self.complaints.append(message.text)

    def _page_error(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _request(self, request: Request) -> None:
        if not request.url.startswith("blob:") and urlsplit(request.url).netloc not in self.hosts:
            self.complaints.append(f"asked another host: {request.url}")


async def video_facts(card: Locator) -> dict[str, Any]:
    """Play a scene's clip until it moves; gives its `readyState`, `duration` and `currentTime`."""
    facts: dict[str, Any] = await card.locator("video").evaluate(
        """async (video) => {
            video.muted = true;
            await video.play();
            while (video.currentTime === 0) await new Promise(requestAnimationFrame);
            return { readyState: video.readyState, duration: video.duration, currentTime: video.currentTime };
        }"""
    )
    return facts
