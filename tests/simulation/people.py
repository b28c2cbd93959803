"""People at their browsers: they press, edit and press again, and at last want to see what they asked for."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from service.clips.edits import Patch
from service.clips.models import Choice, ProjectId, SceneKey
from service.errors import ProjectBusy, ProjectChanged, ProjectEdited, ServiceError
from service.workflow.generate import Generated
from service.workflow.ports import ProjectDraft
from tests.simulation.copies import ME, Copy
from tests.simulation.scenario import Action

if TYPE_CHECKING:
    from tests.simulation.world import World

_TAKES = 3
# However long it takes until nothing is in doubt any more: twice this many times the time of a clip.
_LAST_PRESSES = 40
_MOST_EDITS = 5
_PAST_THE_SERVICE = 0.5


class People:
    """All people of one project. They know it by its id, and what stands in it by what they wrote."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._project = ProjectId("")
        self._calls = 0
        self._under_way = 0

    async def store_project(self, draft: ProjectDraft) -> None:
        while not self._project:
            end = await self._world.call(lambda copy: _create(copy, draft))
            if isinstance(end, str) and not self._world.ledger.has_project():
                self._world.loop.violate("acknowledged: the project was stored, and is not there")
            if self._world.ledger.has_project():
                self._project = ProjectId(self._world.ledger.project()["id"])

    async def act(self) -> None:
        """Do what the scenario says, each at its time, whatever became of the actions before."""
        doing = [asyncio.ensure_future(self._do(action)) for action in self._world.scenario.actions]
        for one in doing:
            await one

    async def come_to_an_end(self) -> None:
        """Press until every scene has its video and no job is under way; then see that all is well."""
        world = self._world
        for _ in range(_LAST_PRESSES):
            end = await self._generate(None)
            await asyncio.sleep(world.scenario.clip_timeout_s / 10)
            answered = isinstance(end, Generated) and not end.problems
            if answered and world.ledger.all_made() and world.runware.idle:
                break
        else:
            world.loop.violate(
                f"every clip comes: not all have; the last press was answered by {_in_short(end)}"
            )
        world.ledger.check_end(await self._cost())

    async def _cost(self) -> float:
        for _ in range(_LAST_PRESSES):
            found = await self._world.call(lambda copy: copy.opened.changes({self._project: 0}))
            if isinstance(found, Mapping):
                return float(found[self._project].cost_usd)
            await asyncio.sleep(5.0)
        return -1.0

    async def _do(self, action: Action) -> None:
        await asyncio.sleep(action.at_s)
        scene = str(action.scene % self._world.scenario.scenes + 1)
        self._world.note(f"somebody: {action.verb} ({scene})")
        end: object = None
        match action.verb:
            case "generate":
                end = await self._generate(None)
            case "choose":
                end = await self._generate(Choice(resolution="1080p" if action.moment < 0.5 else "720p"))
            case "retry":
                scenes = [SceneKey(scene)] if action.moment < 0.5 else None
                end = await self._made(lambda copy: copy.generator.retry(self._project, scenes, ME))
            case "check":
                end = await self._world.call(lambda copy: copy.checker.check(self._project, ME))
            case "edit":
                end = await self._edit(scene, action.moment)
            case "reorder":
                end = await self._reorder(action.scene)
            case "cancel":
                end = await self._cancel([SceneKey(scene)] if action.moment < 0.5 else None)
        self._world.note(f"{action.verb} ({scene}) is answered by {_in_short(end)}")

    async def _generate(self, choice: Choice | None) -> Generated | ServiceError | None:
        world = self._world
        edited = world.ledger.project()["edited"]
        end = await self._made(lambda copy: copy.generator.generate(self._project, ME, choice))
        if isinstance(end, Generated) and choice is None and world.ledger.project()["edited"] == edited:
            # People who asked after the last edit, and were answered, have been promised these.
            promised = {text for scene, text in self._texts().items() if scene not in end.problems}
            world.ledger.promised |= promised
            world.ledger.check_last_word()
        return end

    async def _made(
        self, work: Callable[[Copy], Coroutine[Any, Any, Generated]]
    ) -> Generated | ServiceError | None:
        """Have clips made; sees that nobody is turned away without a reason."""
        ledger = self._world.ledger
        edits, self._calls, self._under_way = ledger.project()["edited"], self._calls + 1, self._under_way + 1
        calls, alone = self._calls, self._under_way == 1
        end = await self._world.call(work)
        self._under_way -= 1
        edits = ledger.project()["edited"] - edits
        if isinstance(end, ProjectEdited) and edits < _MOST_EDITS:
            self._world.loop.violate(f"turned away: {end}")
        if isinstance(end, ProjectBusy) and alone and calls == self._calls and ledger.steady:
            self._world.loop.violate(f"turned away: {end}")
        return end

    def _texts(self) -> Mapping[str, str]:
        return {scene: told["description"] for scene, told in self._world.ledger.scenes().items()}

    async def _edit(self, scene: str, moment: float) -> object:
        # A text goes with its scene, wherever that is by now.
        number = self._texts().get(scene, "").rpartition(" ")[2].strip(".")
        told = {"description": f"Take {int(moment * _TAKES)} of scene {number}."}
        if moment < _PAST_THE_SERVICE:
            self._world.ledger.edit(lambda scenes: scenes.update({scene: told}))
            return None
        return await self._edited(Patch(scenes={scene: told}))

    async def _reorder(self, by: int) -> object:
        keys = sorted(self._texts())
        by = by % len(keys)
        return await self._edited(Patch(order=keys[by:] + keys[:by]))

    async def _edited(self, patch: Patch) -> object:
        edits = self._world.ledger.project()["edited"]
        end = await self._world.call(lambda copy: copy.editor.edit(self._project, patch, ME))
        if isinstance(end, ProjectChanged) and self._world.ledger.project()["edited"] - edits < _MOST_EDITS:
            self._world.loop.violate(f"turned away: {end}")
        return end

    async def _cancel(self, scenes: Sequence[SceneKey] | None) -> object:
        return await self._world.call(lambda copy: copy.canceller.cancel(self._project, scenes, ME))


async def _create(copy: Copy, draft: ProjectDraft) -> ProjectId:
    return await copy.store.create_project(draft, copy.clock())


def _in_short(end: object) -> str:
    if isinstance(end, ServiceError):
        return f"{end.code}: {end}"
    if isinstance(end, Generated):
        told = [f"{scene.scene} {scene.status}" for scene in end.progress.scenes]
        return f"{told}, problems {dict(end.problems)}, warnings {dict(end.warnings)}"
    return "nobody" if end is None else type(end).__name__
