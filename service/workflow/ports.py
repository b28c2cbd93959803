"""What the workflow needs of the world. Adapters fulfil these without importing them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from service.clips.edits import Edit
from service.clips.estimate import PastClip
from service.clips.images import ImageType
from service.clips.listing import Cursor, State
from service.clips.models import (
    Choice,
    Clip,
    Fingerprint,
    Project,
    ProjectId,
    ProjectOverview,
    TaskUUID,
    UserId,
)
from service.clips.outcomes import Outcome

Clock = Callable[[], datetime]
"""Gives the time now, aware and in UTC."""


@dataclass(frozen=True, slots=True)
class ProjectDraft:
    """What a caller stores as a new project: the columns of `projects` that are theirs to write.

    `user_id` is who it will belong to; it comes from the caller's credentials, never from a body.
    """

    frames: Mapping[str, object]
    scenes: Mapping[str, object]
    script: str | None = None
    input_image_url: str | None = None
    audio_recording_url: str | None = None
    user_id: UserId | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A new project that begins as another one stands: with its choice, and `clips` that have ended."""

    id: ProjectId
    draft: ProjectDraft
    choice: Choice
    clips: Sequence[Clip]


@dataclass(frozen=True, slots=True)
class Changed:
    """The current clip of a scene, and the project's sequence number of the scene's last change."""

    sequence: int
    clip: Clip


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new of a project since a sequence number.

    `sequence` is where it stands now, `edited` where the project itself was last edited; `cost_usd` adds
    up every attempt; `clips` has the scenes that changed, each by its current clip.
    """

    sequence: int
    edited: int
    cost_usd: float
    clips: Sequence[Changed]


class Store(Protocol):
    """Projects and the ledger of clips. Every method raises StoreUnavailable, and then has changed nothing.

    It is a StoreRefused where the data is at fault, so that bringing all of it again would be in vain.

    The rows of clips are the truth; whatever writes them rewrites `projects.clips`, and so `updated_at`,
    in the same transaction, and only if that projection has changed. The current clip of a scene is the
    first, in the order of `clips.planning.standing_order`, of the attempts at what was last asked for it.

    Each change of a clip, and each edit of a project's script, scenes, frames or choice, its deletion and its
    return among them, takes the project's next sequence number inside its own transaction, so that the
    numbers follow the order of the commits.
    """

    async def missing_migrations(self) -> Sequence[str]:
        """Reach the database; gives what its schema lacks of this release's, by name.

        Raises StoreFull, if it is known to have no room for a write.
        """

    async def create_project(self, draft: ProjectDraft, now: datetime) -> ProjectId:
        """Store a new project."""

    async def duplicate_project(self, duplicate: Duplicate, now: datetime) -> None:
        """Store a new project and the clips that it begins with, which are its scenes' current ones."""

    async def delete_project(self, project_id: ProjectId, now: datetime) -> datetime | None:
        """Mark a project as deleted, and change nothing else of it; gives since when it is.

        None, if there is no such project. It stays in the ledger and can be read, and its clips go on.
        """

    async def restore_project(self, project_id: ProjectId) -> None:
        """Take the mark away, if there is one."""

    async def choose(self, project_id: ProjectId, choice: Choice, now: datetime) -> None:
        """Make this the project's choice: an edit of it, unless it is so already."""

    async def edit(
        self, project_id: ProjectId, edit: Edit, moved: Sequence[Clip], now: datetime, *, edited: int
    ) -> None:
        """Store an edited project, and in the same transaction what becomes of its clips.

        The `moved` clips get their new scene and fingerprint, and a new version; those of removed scenes are
        current no longer. Raises ProjectEdited, if the project's last edit is not `edited` any more, or if a
        scene that moves has clips that are not among the moved.
        """

    async def project(self, project_id: ProjectId) -> Project | None:
        """Read one project."""

    async def projects(
        self,
        limit: int,
        user_id: UserId | None = None,
        *,
        words: Sequence[str] = (),
        state: State | None = None,
        after: Cursor | None = None,
    ) -> Sequence[ProjectOverview]:
        """Read up to `limit` projects, newest first, in one query; their rows come without scenes and frames.

        Deleted ones are left out, unless `state` asks for them, and for no others.
        With a `user_id`, only those that this user owns; with `words`, as `search_words` gives them, those
        whose title has all of them; with `after`, those that come after that place. Only what is given is
        read, however many projects there are, but for `words`: then titles are read until there are enough.
        """

    async def changes(self, since: Mapping[ProjectId, int]) -> Mapping[ProjectId, Changes]:
        """Read what is new of these projects since these sequence numbers, 0 being before everything.

        Projects without news are left out, and so are those that are not there.
        """

    async def past_clips(self, limit: int) -> Sequence[PastClip]:
        """Read the newest successful clips, newest first, of which each tells how long such clips take.

        Those that a person asked for again, or that came along with a duplicate, do not.
        """

    async def attempts(self, project_id: ProjectId, fingerprints: Collection[Fingerprint]) -> Sequence[Clip]:
        """Read all clips that were ever made for these fingerprints of the project."""

    async def lease_project(
        self, project_id: ProjectId, owner: str, now: datetime, leased_until: datetime
    ) -> bool:
        """Lease the right to decide about a project's earlier jobs; gives whether `owner` has it now."""

    async def release_project(self, project_id: ProjectId, owner: str) -> None:
        """Give the lease back, if `owner` still has it."""

    async def record(
        self,
        project_id: ProjectId,
        chosen: Sequence[Clip],
        now: datetime,
        *,
        edited: int | None = None,
        owner: str | None = None,
    ) -> Sequence[Clip]:
        """Make the chosen clips their scenes' current ones, and store those that are new.

        Gives, in order, the clips as stored. A new one is stored only if nothing at its fingerprint is
        pending or succeeded by then, and nobody was first with the attempt; else what stands there is given.
        Raises ProjectEdited, if the project's last edit is not `edited` any more, so that the choice is
        outdated; ProjectBusy, if an `owner` is named who does not have the project's lease any more.
        """

    async def current_clips(self, project_id: ProjectId) -> Sequence[Clip]:
        """Read each scene's current clip."""

    async def all_clips(self, project_id: ProjectId) -> Sequence[Clip]:
        """Read every clip that was ever recorded for a project, whether it is current or not."""

    async def clips(self, task_uuids: Collection[TaskUUID]) -> Sequence[Clip]:
        """Read clips by their task UUIDs; one that is not there is left out."""

    async def save(self, changed: Sequence[Clip], now: datetime) -> Collection[TaskUUID]:
        """Store changed clips in one write, each only if its `version` is still the stored one.

        Gives the task UUIDs of those that were stored; the others have been changed by someone else since.
        One whose `sends` rises is also left out if a clip at its fingerprint has succeeded: that must not
        be sent.
        """

    async def save_earlier(self, project_id: ProjectId, ends: Mapping[TaskUUID, str], now: datetime) -> None:
        """Write ends into `projects.clips` of a project of which the ledger has no clip: an edit of it.

        Each end is "failed" or a video's URL, and is written only where the clip is "pending" by then; if the
        ledger has a clip of the project, nothing is.
        """

    async def claim(self, owner: str, now: datetime, leased_until: datetime, limit: int) -> Sequence[Clip]:
        """Lease up to `limit` unsettled clips that nobody holds a lease on, oldest first.

        They are read without what asking about them does not need: frames and prompt are empty.
        """


class Uploads(Protocol):
    """Where frames are kept that people upload. Both methods raise StoreUnavailable."""

    async def keep(self, image: bytes, image_type: ImageType) -> str:
        """Keep an image for good; gives its URL, without a host where the service itself gives it out.

        Only those know the URL who have been given it.
        """

    async def find(self, name: str) -> tuple[Path, ImageType] | None:
        """Find an image that the service itself gives out, by its URL's last part; None for any other."""


class Provider(Protocol):
    """Runware, as the workflow sees it. No method raises for what Runware answers or fails to."""

    async def bytes_sent(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, int]:
        """Say of each clip how many bytes its frames add to a request; 0 where the provider fetches them."""

    async def submit(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, Outcome]:
        """Send the tasks of at most one batch, and give an outcome for each.

        Frames that the provider can't fetch are read now. Failed, for a clip of which that is not possible.
        """

    async def ask(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str
    ) -> Mapping[TaskUUID, Outcome]:
        """Ask how these tasks stand; an outcome for each, Unclear for those not answered in time.

        Those who ask at once take turns by `whose` questions they are. Absent, for a task that the answer
        does not mention: that proves nothing.
        """

    async def trace(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str
    ) -> Mapping[TaskUUID, Outcome]:
        """Look for these tasks in the archive of all that was ever sent; Unknown for each of no record.

        The last response to the task counts: an outcome, or Acknowledged, if only the request is known.
        """
