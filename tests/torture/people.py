"""People, who press generate and retry on either copy, whatever happens to it."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count

import aiohttp

from tests.harness import Answer, World
from tests.torture.house import House

_CALLS = ("generate-clips", "retry-clips", "check-clips-status")
_REST_S = 0.3


@dataclass(slots=True)
class People:
    """Those of a house, with what they were answered: by status, 0 for no answer."""

    house: House
    seed: int
    projects: dict[str, int] = field(default_factory=dict)
    """How many scenes each project has."""
    answers: Counter[int] = field(default_factory=Counter)
    _random: random.Random = field(init=False)
    _numbers: Iterator[int] = field(default_factory=count, init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def store(self, scenes: int) -> str:
        """Store a project, of whose clips every tenth fails once; gives its id. Tries until it is stored."""
        while True:
            if project_id := await self.try_to_store(scenes):
                return project_id
            await asyncio.sleep(_REST_S)

    async def try_to_store(self, scenes: int, world: World | None = None) -> str | None:
        """Try once."""
        world = world or self._random.choice(self.house.worlds)
        status, answer = await self._post(world, "/projects", self._draft(scenes))
        if status != HTTPStatus.CREATED:
            return None
        self.projects[answer["id"]] = scenes
        return str(answer["id"])

    async def make(self, project_id: str) -> None:
        """Press generate until a call says that every clip of the project is there or will come."""
        while sum(project == project_id for project, _ in self.house.promises) < self.projects[project_id]:
            await self.press("generate-clips", project_id)
            await asyncio.sleep(_REST_S)

    async def press(self, call: str, project_id: str, world: World | None = None) -> None:
        """Press a button once, and remember what was promised."""
        world = world or self._random.choice(self.house.worlds)
        _, answer = await self._post(world, f"/functions/v1/{call}", {"project_id": project_id})
        promised = [result["sceneKey"] for result in answer.get("results", ()) if result["success"]]
        self.house.promises |= {(project_id, scene) for scene in promised}

    async def press_on(self) -> None:
        """Press any button of any project on any copy, again and again."""
        while True:
            if self.projects:
                await self.press(self._random.choice(_CALLS), self._random.choice(list(self.projects)))
            await asyncio.sleep(self._random.uniform(0, 2 * _REST_S))

    async def _post(self, world: World, path: str, body: object) -> tuple[int, Answer]:
        try:
            status, answer = await world.post(path, body)
        except aiohttp.ContentTypeError as error:
            status, answer = error.status, {"error": error.message}
        except (aiohttp.ClientError, TimeoutError):
            status, answer = 0, {}
        self.answers[status] += 1
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self.house.violations[f"crash: {path} was answered {answer}"] = None
        return status, answer

    def _draft(self, scenes: int) -> object:
        """Make a project whose prompts no other has, since Runware fails the first job of a prompt once."""
        number = next(self._numbers)
        frames = f"{self.house.sandbox_url}/frames/1/{{}}.png?size=304x540"
        pair = {f"{end}_frame": frames.format(end) for end in ("first", "last")}
        told = {
            str(n): {
                "description": f"Scene {n} of {number}.{' [sandbox:fail-once]' * (n % 10 == 1)}",
                "duration": 4,
            }
            for n in range(1, scenes + 1)
        }
        return {"scenes": told, "frames": dict.fromkeys(told, pair)}
