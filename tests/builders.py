"""Small values that many tests begin with."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from service.clips.catalogue import Catalogue
from service.clips.fingerprint import fingerprint
from service.clips.models import (
    Clip,
    ClipRequest,
    ClipStatus,
    Failure,
    FailureKind,
    GenerationSettings,
    Project,
    ProjectId,
    SceneKey,
    SettledBy,
    TaskUUID,
)
from service.clips.planning import Planner
from service.runware.models import video_model

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
PROJECT_ID = ProjectId("0b0e7a52-6a53-4f0e-9d8c-000000000001")
SETTINGS = GenerationSettings(model="google:3@2", resolution="720p", generate_audio=False)
VEO, FAST, LITE = "google:3@2", "google:3@3", "google:veo@3.1-lite"
CATALOGUE = Catalogue([video_model(air) for air in (VEO, FAST, LITE)], SETTINGS)
PLANNER = Planner(CATALOGUE)
VIDEO_URL = "https://im.runware.ai/video/1.mp4"


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


class MovableClock:
    """The real time, plus what it was moved by."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, **units: float) -> None:
        self._ahead += timedelta(**units)


def frames(*scenes: int, host: str = "https://frames.example") -> dict[str, Any]:
    return {
        str(scene): {"first_frame": f"{host}/{scene}/first.png", "last_frame": f"{host}/{scene}/last.png"}
        for scene in scenes
    }


def project(**columns: Any) -> Project:
    return Project(**{"id": PROJECT_ID, "created_at": NOON, "updated_at": NOON, **columns})


def request(scene: str = "1", **fields: Any) -> ClipRequest:
    start = ClipRequest(
        scene=SceneKey(scene),
        first_frame=f"https://frames.example/{scene}/first.png",
        last_frame=f"https://frames.example/{scene}/last.png",
        prompt="A boat leaves.",
        duration_s=4,
        settings=SETTINGS,
    )
    return replace(start, **fields)


def clip(
    scene: str = "1", *, project_id: ProjectId = PROJECT_ID, prompt: str = "A boat leaves.", **fields: Any
) -> Clip:
    """A clip that was just recorded; `fields` change that."""
    wanted = request(scene, prompt=prompt)
    start = Clip(
        task_uuid=TaskUUID(str(uuid.uuid4())),
        project_id=project_id,
        request=wanted,
        fingerprint=fingerprint(project_id, wanted),
        attempt=1,
        status=ClipStatus.SUBMITTING,
        submitted_at=NOON,
    )
    return replace(start, **fields)


def succeeded(start: Clip, at: datetime = NOON, url: str = VIDEO_URL) -> Clip:
    return replace(
        start,
        status=ClipStatus.SUCCEEDED,
        video_url=url,
        settled_at=at,
        settled_by=SettledBy.WEBHOOK,
        cost_usd=0.5,
    )


def failed(start: Clip, kind: FailureKind = FailureKind.PROVIDER, at: datetime = NOON) -> Clip:
    failure = Failure(kind, "inferenceError", "The model failed.")
    return replace(start, status=ClipStatus.FAILED, failure=failure, settled_at=at, settled_by=SettledBy.POLL)
