import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service.logs import Redactor, configure_logs

KEY = "the-api-key-itself"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:]
    configure_logs("json", [KEY], stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"key {KEY}!", "key ***!"),
        (
            "https://x.example/webhooks/runware?job=1&token=2 done",
            "https://x.example/webhooks/runware?*** done",
        ),
        ("https://x.example/a.mp4#token", "https://x.example/a.mp4?***"),
        ("postgresql://user:pw@host/db", "postgresql://***@host/db"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("HTTPS://x.example/a?X-Amz-Signature=S", "HTTPS://x.example/a?***"),
        ("https://b.example/it's.png?a=(b'c)&sig=S3 end", "https://b.example/it's.png?*** end"),
        ("s3://bucket/key?token=T", "s3://bucket/key?***"),
        (r"https:\/\/x.example\/a?token=T", r"https:\/\/x.example\/a?***"),
        ("/webhooks/runware?job=1&token=T", "/webhooks/runware?job=1&token=***"),
        ("Basic dXNlcjpwdw==", "Basic ***"),
        ("a plain sentence, with 5 words", "a plain sentence, with 5 words"),
    ],
)
def test_secrets_are_taken_out_of_text(text: str, shown: str) -> None:
    assert Redactor([KEY]).text(text) == shown


def test_no_secret_passes_at_any_depth_nor_in_a_traceback(lines: io.StringIO) -> None:
    log = structlog.get_logger("test")
    failure = RuntimeError(f"could not reach https://x.example/?token=signed with {KEY}")
    try:
        raise failure
    except RuntimeError:
        log.exception(
            "failed", where=[{"url": "https://x.example/?token=signed"}], key=KEY, what=RuntimeError(KEY)
        )
    logging.getLogger("library").error("from a library: %s and https://y.example/?sig=signed", KEY)
    shown = lines.getvalue()
    assert KEY not in shown
    assert "signed" not in shown
    assert "could not reach https://x.example/?***" in shown
    assert len(shown.splitlines()) == 2


def test_json_lines_keep_their_numbers(lines: io.StringIO) -> None:
    structlog.get_logger("test").info("clip succeeded", seconds=1.5, attempt=1, cost_usd=None)
    line = json.loads(lines.getvalue())
    assert (line["event"], line["seconds"], line["attempt"], line["cost_usd"]) == (
        "clip succeeded",
        1.5,
        1,
        None,
    )
    assert line["level"] == "info"
    assert "timestamp" in line
