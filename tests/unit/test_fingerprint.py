from dataclasses import replace

import pytest

from service.clips.fingerprint import fingerprint
from service.clips.models import ClipRequest, ProjectId, SceneKey
from tests.builders import PROJECT_ID, SETTINGS, request


def test_fingerprint_of_a_fixed_request_never_changes() -> None:
    """A release that derived it otherwise would pay again for every clip there is."""
    assert (
        fingerprint(PROJECT_ID, request())
        == "d6628f3fd871447a8bdac8a78f6eb86a07729d0fa8d688b305ceb6b673b583d8"
    )


@pytest.mark.parametrize(
    "other",
    [
        request(scene=SceneKey("2"), first_frame=request().first_frame, last_frame=request().last_frame),
        request(first_frame="https://frames.example/x.png"),
        request(last_frame="https://frames.example/x.png"),
        request(first_frame=request().last_frame, last_frame=request().first_frame),
        request(prompt="A boat returns."),
        request(duration_s=6),
        request(settings=replace(SETTINGS, model="google:3@3")),
        request(settings=replace(SETTINGS, resolution="1080p")),
        request(settings=replace(SETTINGS, generate_audio=True)),
        request(settings=replace(SETTINGS, extra={"seed": 7})),
    ],
)
def test_whatever_changes_the_video_changes_the_fingerprint(other: ClipRequest) -> None:
    assert fingerprint(PROJECT_ID, other) != fingerprint(PROJECT_ID, request())


def test_projects_do_not_share_clips() -> None:
    assert fingerprint(ProjectId("other"), request()) != fingerprint(PROJECT_ID, request())
