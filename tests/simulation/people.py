"""People at their browsers: they press, edit and press again, and at last want to see what they asked for."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from service.clips.edits import Patch
from service.clips.models import Choice, Project, ProjectId, SceneKey
from service.errors import ProjectBusy, ProjectChanged, ProjectDeleted, ProjectEdited, ServiceError
from service.workflow.generate import Generated
from service.workflow.ports import ProjectDraft
from service.workflow.watch import Update
from tests.simulation.copies import ME, Copy
from tests.simulation.scenario import Action, Verb

if TYPE_CHECKING:
    from tests.simulation.world import World

_TAKES = 3
# However long it takes until nothing is in doubt any more: twice this many times the time of a clip.
_LAST_PRESSES = 40
_MOST_EDITS = 5
_PAST_THE_SERVICE = 0.5
# The least, and how much longer at most.
_WATCHES_S = (6.0, 40.0)


class People:
    """All people of one project. They know it by its id, and what stands in it by what they wrote."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._project = ProjectId("")
        self._calls = 0
        self._under_way = 0
        self._marks = 0
        self._marking = 0
        self._deleted: bool | None = False

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
        await self._restore()
        for _ in range(_LAST_PRESSES):
            ends = [await self._generate(None), *[await self._filled(one) for one in self._duplicates()]]
            await asyncio.sleep(world.scenario.clip_timeout_s / 10)
            answered = all(isinstance(end, Generated) and not end.problems for end in ends)
            if answered and world.ledger.all_made() and world.runware.idle:
                break
        else:
            world.loop.violate(
                f"every clip comes: not all have; the last press was answered by {_in_short(ends[0])}"
            )
        for project in map(ProjectId, world.ledger.projects()):
            world.ledger.check_end(project, await self._cost(project))

    def _duplicates(self) -> Sequence[ProjectId]:
        return [ProjectId(project) for project in self._world.ledger.projects()[1:]]

    async def _filled(self, duplicate: ProjectId) -> object:
        return await self._world.call(lambda copy: copy.generator.generate(duplicate, ME, None))

    async def _cost(self, project: ProjectId) -> float:
        for _ in range(_LAST_PRESSES):
            found = await self._world.call(lambda copy: copy.opened.changes({project: 0}))
            if isinstance(found, Mapping):
                return float(found[project].cost_usd)
            await asyncio.sleep(5.0)
        return -1.0

    async def _do(self, action: Action) -> None:
        await asyncio.sleep(action.at_s)
        scene = str(action.scene % self._world.scenario.scenes + 1)
        self._world.note(f"somebody: {action.verb} ({scene})")
        end = await self._doing(action, SceneKey(scene))
        self._world.note(f"{action.verb} ({scene}) is answered by {_in_short(end)}")

    def _doing(self, action: Action, scene: SceneKey) -> Coroutine[Any, Any, object]:
        moment = action.moment
        scenes = [scene] if moment < 0.5 else None
        choice = Choice(resolution="1080p" if moment < 0.5 else "720p")
        doings: Mapping[Verb, Callable[[], Coroutine[Any, Any, object]]] = {
            "generate": lambda: self._generate(None),
            "choose": lambda: self._generate(choice),
            "retry": lambda: self._made(lambda copy: copy.generator.retry(self._project, scenes, ME)),
            "check": lambda: self._world.call(lambda copy: copy.checker.check(self._project, ME)),
            "cancel": lambda: self._cancel(scenes),
            "edit": lambda: self._edit(scene, moment),
            "reorder": lambda: self._reorder(action.scene),
            "watch": lambda: self._watch(_WATCHES_S[0] + moment * _WATCHES_S[1]),
            "delete": self._delete,
            "restore": self._restored,
            "duplicate": lambda: self._world.call(lambda copy: copy.projects.duplicate(self._project, ME)),
        }
        return doings[action.verb]()

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
        deleted, marks = self._deleted, self._marks
        end = await self._world.call(work)
        self._under_way -= 1
        if marks == self._marks and deleted is not None:
            if isinstance(end, Generated) and deleted:
                self._world.loop.violate("deleted: clips were made for a project that was")
            if isinstance(end, ProjectDeleted) and not deleted:
                self._world.loop.violate(f"turned away: {end}")
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

    async def _delete(self) -> bool:
        return await self._marked(_delete, deleted=True)

    async def _restored(self) -> bool:
        return await self._marked(_restore, deleted=False)

    async def _marked(
        self, work: Callable[[Copy, ProjectId], Coroutine[Any, Any, bool]], *, deleted: bool
    ) -> bool:
        """Delete or restore the project; gives whether that was acknowledged.

        Whether it is deleted is known only if no other such call may have come before or after this one: one
        without an answer may come at any time.
        """
        alone, self._deleted = not self._marking, None
        self._world.ledger.deleted = False
        self._marking, self._marks = self._marking + 1, self._marks + 1
        marks = self._marks
        acknowledged = await self._world.call(lambda copy: work(copy, self._project)) is True
        if acknowledged:
            self._marking -= 1
        if acknowledged and alone and marks == self._marks:
            self._deleted = self._world.ledger.deleted = deleted
        return acknowledged

    async def _restore(self) -> None:
        for _ in range(_LAST_PRESSES):
            if await self._restored():
                return
            await asyncio.sleep(5.0)

    async def _watch(self, seconds: float) -> object:
        """Watch the project as a browser does: connect anew, wherever, from what is known by then."""
        loop, screen = self._world.loop, Screen()
        until, end = loop.time() + seconds, None
        while loop.time() < until and not isinstance(end, ProjectDeleted):
            screen.since = loop.time()
            end = await self._world.call(lambda copy: self._read(copy, screen, until), seconds)
        return end

    async def _read(self, copy: Copy, screen: "Screen", until: float) -> None:
        ledger = self._world.ledger
        updates = await copy.watch(self._project, screen.sequence)
        async with aclosing(updates):
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        update = await anext(updates)
                except TimeoutError:
                    ledger.check_shown(self._project, screen.tasks, screen.texts, screen.since)
                    return
                except StopAsyncIteration:
                    await asyncio.sleep(1.0)
                    return
                if not screen.take(update):
                    self._world.loop.violate(f"shown: {update.state.sequence} after {screen.sequence}")
                for clip in update.state.clips.values():
                    ledger.check_told(clip.task_uuid, clip.version, (clip.status, clip.video_url))


@dataclass(slots=True)
class Screen:
    """What a browser shows of a project: each scene's task and text, as of which sequence number.

    It has been connected to one copy `since` that time.
    """

    since: float = 0.0
    sequence: int = 0
    tasks: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def take(self, update: Update) -> bool:
        """Show an update, as the events tell it; gives whether it is newer than what was shown."""
        state = update.state
        if update.whole:
            self.tasks.clear()
            self.texts = {scene: told["description"] for scene, told in _scenes(state.project).items()}
        told = state.clips.values() if update.whole else state.changed_since(update.since)
        self.tasks.update({str(clip.scene): clip.task_uuid for clip in told})
        before, self.sequence = self.sequence, state.sequence
        return self.sequence > before


def _scenes(project: Project) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", project.scenes)


async def _delete(copy: Copy, project: ProjectId) -> bool:
    await copy.projects.delete(project, ME)
    return True


async def _restore(copy: Copy, project: ProjectId) -> bool:
    await copy.projects.restore(project, ME)
    return True


async def _create(copy: Copy, draft: ProjectDraft) -> ProjectId:
    return await copy.store.create_project(draft, copy.clock())


def _in_short(end: object) -> str:
    if isinstance(end, ServiceError):
        return f"{end.code}: {end}"
    if isinstance(end, Generated):
        told = [f"{scene.scene} {scene.status}" for scene in end.progress.scenes]
        return f"{told}, problems {dict(end.problems)}, warnings {dict(end.warnings)}"
    return "nobody" if end is None else type(end).__name__
