"""What the commands about whole projects do, from the call to the exit code."""

import json
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from service.terminal.client import CallRefused, ServiceClient
from service.terminal.drafts import ImageDraft
from service.terminal.reports import ExitCode
from service.terminal.running import run_to_end

_STOPPED = "Stopped. See what there is with: clips projects"

_Told = tuple[Mapping[str, Any], str]
"""What a command tells a program, as JSON, and a person."""


@dataclass(frozen=True, slots=True)
class ProjectCommands:
    """Where the service is, and how its answers are shown. Each method gives the exit code."""

    url: str
    token: str | None
    as_json: bool

    def create(self, draft: ImageDraft | Mapping[str, Any]) -> int:
        """Store a project of image files, which are uploaded, or one as the service takes it."""

        async def work(client: ServiceClient) -> _Told:
            body = await self._uploaded(client, draft) if isinstance(draft, ImageDraft) else draft
            project_id = await client.create(body)
            page = client.page(project_id)
            said = f"Project {project_id}\n{page}\nHave its clips made with: clips generate {project_id}"
            return {"project_id": str(project_id), "page": page}, said

        return self._run(work)

    def open(self, project_id: UUID) -> int:
        """Open a project's page in the browser; where there is none, its address is all that is shown."""

        async def work(client: ServiceClient) -> _Told:
            await client.project(project_id)
            page = client.page(project_id)
            opened = webbrowser.open(page)
            if not opened:
                sys.stderr.write("No browser can be opened here: open this address in yours.\n")
            return {"project_id": str(project_id), "page": page, "opened": opened}, page

        return self._run(work)

    def duplicate(self, project_id: UUID) -> int:
        """Store a copy of a project with its finished clips."""

        async def work(client: ServiceClient) -> _Told:
            new_id = await client.duplicate(project_id)
            page = client.page(new_id)
            said = f"Project {new_id} is a copy of {project_id}, with its finished clips.\n{page}"
            return {"project_id": str(new_id), "copy_of": str(project_id), "page": page}, said

        return self._run(work)

    def cancel(self, project_id: UUID, scenes: Sequence[str]) -> int:
        """Cancel clips that were not sent yet, of these scenes or of all."""

        async def work(client: ServiceClient) -> _Told:
            told = await client.cancel(project_id, scenes or None)
            cancelled = [one.scene for one in told if one.error is None]
            left = {one.scene: one.error for one in told if one.error is not None}
            lines = [f"Scene {scene}: cancelled; it costs nothing." for scene in cancelled]
            lines += [f"Scene {scene}: {reason}" for scene, reason in left.items()]
            document = {"project_id": str(project_id), "cancelled": cancelled, "not_cancelled": left}
            return document, "\n".join(lines)

        return self._run(work)

    def delete(self, project_id: UUID) -> int:
        """Delete a project with a way back."""

        async def work(client: ServiceClient) -> _Told:
            deleted_at = await client.delete(project_id)
            said = f"Project {project_id} is deleted. Bring it back with: clips restore {project_id}"
            return {"project_id": str(project_id), "deleted_at": deleted_at.isoformat()}, said

        return self._run(work)

    def restore(self, project_id: UUID) -> int:
        """Bring a deleted project back."""

        async def work(client: ServiceClient) -> _Told:
            await client.restore(project_id)
            page = client.page(project_id)
            return {"project_id": str(project_id), "page": page}, f"Project {project_id} is back.\n{page}"

        return self._run(work)

    async def _uploaded(self, client: ServiceClient, draft: ImageDraft) -> Mapping[str, Any]:
        if not self.as_json:
            for scene in draft.scenes:
                sys.stdout.write(f"Scene {scene.key}: from {scene.first} to {scene.last}\n")
        return draft.body({path: await _upload(client, path) for path in draft.files})

    def _run(self, work: Callable[[ServiceClient], Awaitable[_Told]]) -> int:
        async def tell() -> int:
            async with ServiceClient.connecting(self.url, self.token) as client:
                document, said = await work(client)
                sys.stdout.write(f"{json.dumps(document) if self.as_json else said}\n")
                return ExitCode.ALL_DONE

        return run_to_end(tell(), _STOPPED)


async def _upload(client: ServiceClient, path: Path) -> str:
    try:
        return await client.upload(path)
    except OSError as error:
        raise CallRefused(f"{path} can't be read: {error.strerror}. Nothing was stored.") from None
