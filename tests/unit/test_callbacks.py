from urllib.parse import parse_qs, urlsplit

import pytest

from service.clips.models import TaskUUID
from service.runware.callbacks import CallbackURLs

TASK = TaskUUID("11111111-1111-4111-8111-111111111111")
OTHER = TaskUUID("22222222-2222-4222-8222-222222222222")
OLD, NEW = "old-secret-0123456789", "new-secret-0123456789"
# Made with another tool: printf 'webhook:<task UUID>' | openssl dgst -sha256 -hmac <secret>
OLD_TOKEN = "0bb7d571ec07cbd4493096cd6411f9d9fb89e653a2ad5a3ade313f585c74d23d"
NEW_TOKEN = "76b5e5122a753acbca573a7261a0a649977696f3e387ad19741b12b146f76abd"


def test_callback_url_carries_the_job_and_its_token() -> None:
    url = urlsplit(CallbackURLs("https://clips.example/base/", [OLD]).url(TASK) or "")
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://clips.example/base/webhooks/runware"
    assert parse_qs(url.query) == {"job": [TASK], "token": [OLD_TOKEN]}


def test_first_secret_signs_and_every_secret_verifies() -> None:
    rotated = CallbackURLs("https://clips.example", [NEW, OLD])
    assert NEW_TOKEN in (rotated.url(TASK) or "")
    assert rotated.verify(TASK, NEW_TOKEN)
    assert rotated.verify(TASK, OLD_TOKEN)


@pytest.mark.parametrize(
    ("task", "token"),
    [
        (TASK, ""),
        (TASK, NEW_TOKEN),
        (OTHER, OLD_TOKEN),
        (TASK, OLD_TOKEN[:-1]),
        (TASK, OLD_TOKEN + "0"),
        (TASK, OLD_TOKEN.upper()),
        (TASK, "ü" * 64),
        ("", OLD_TOKEN),
    ],
)
def test_token_that_is_not_the_jobs_is_refused(task: TaskUUID, token: str) -> None:
    assert not CallbackURLs("https://clips.example", [OLD]).verify(task, token)


def test_without_a_secret_no_token_is_good() -> None:
    assert not CallbackURLs(None, []).verify(TASK, "")


def test_without_a_public_url_there_is_no_callback_url() -> None:
    assert CallbackURLs(None, [OLD]).url(TASK) is None
