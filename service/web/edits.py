"""What `PATCH /projects/{id}` takes: a merge patch, and which edit of the project it was made for."""

import re
from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request

from service.clips.edits import MAX_SCENES, Patch
from service.web.errors import BadRequest
from service.web.schemas import ByScene, ProjectDetail, SceneName, Scenes, Text

MERGE_PATCH = "application/merge-patch+json"
# A proxy that compresses answers makes tags weak.
_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_MAX_DIGITS = 15


def _no_null(title: object) -> object:
    if title is None:
        raise ValueError(
            "a title can't be removed, only replaced: leave it out to keep the one that there is"
        )
    return title


class EditCall(BaseModel):
    """A JSON merge patch (RFC 7396) of a project: what is left out stays, null removes.

    A scene that is null in both `frames` and `scenes` is removed. `order` names all scene keys in their new
    order: the scene at place i then has the i-th of the project's keys, and its clips move along.
    """

    model_config = ConfigDict(extra="forbid")

    # By a factory, since a default of null in the description would contradict it.
    title: Annotated[Text | None, BeforeValidator(_no_null, json_schema_input_type=str)] = Field(
        default_factory=lambda: None
    )
    frames: ByScene = Field(default_factory=dict)
    scenes: Scenes = Field(default_factory=dict)
    order: Annotated[list[SceneName] | None, Field(max_length=MAX_SCENES)] = None

    def patch(self) -> Patch:
        """Give it as the rules take it."""
        return Patch(self.title, self.frames, self.scenes, self.order)


def read_if_match(request: Request) -> Collection[int] | None:
    """Read which edits of the project the caller knows; None if any may be the last. Raises BadRequest."""
    header = request.headers.get("if-match", "*").strip()
    if header == "*":
        return None
    tags = _TAG.findall(header)
    if not tags:
        raise BadRequest(
            'If-Match must be the ETag of the project as you read it, such as "7" with its quotation marks, '
            "or *. Correct it and call again."
        )
    return {int(tag) for tag in tags if tag.isascii() and tag.isdigit() and len(tag) <= _MAX_DIGITS}


def etag(project: ProjectDetail) -> str:
    """Name a project's last edit, as If-Match takes it."""
    return f'"{project.edited}"'
