import re
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families

from service.clips.models import Clip, FailureKind
from service.errors import MalformedResult, Unauthorized
from service.metrics import Metrics
from service.web.handlers import METRICS_MEDIA_TYPE
from tests.builders import NOON, clip, failed, succeeded
from tests.scrape import Scrape


def after(*ended: Clip) -> Scrape:
    metrics = Metrics()
    for one in ended:
        metrics.clip_settled(one)
    return Scrape(metrics.text())


def test_ends_count_by_status_failure_and_path() -> None:
    seen = after(succeeded(clip("1")), succeeded(clip("2")), failed(clip("3"), FailureKind.SAFETY))
    assert seen("clips_settled_total", status="succeeded", failure="none", settled_by="webhook") == 2
    assert seen("clips_settled_total", status="failed", failure="safety", settled_by="poll") == 1
    assert seen("clips_settled_total") == 3


def test_dollars_of_failures_stand_apart_and_an_unknown_cost_adds_nothing() -> None:
    seen = after(
        succeeded(clip("1")),
        replace(succeeded(clip("2")), cost_usd=None),
        replace(failed(clip("3")), cost_usd=2),
    )
    assert seen("cost_usd_total", status="succeeded") == 0.5
    assert seen("cost_usd_total", status="failed") == 2


def test_only_successes_tell_how_long_a_clip_takes() -> None:
    seen = after(
        succeeded(clip("1"), NOON + timedelta(seconds=100)), failed(clip("2"), at=NOON + timedelta(hours=1))
    )
    assert (seen("clip_seconds_count"), seen("clip_seconds_sum")) == (1, 100)
    assert (seen("clip_seconds_bucket", le="90.0"), seen("clip_seconds_bucket", le="120.0")) == (0, 1)


def test_every_known_series_stands_at_zero_before_its_first_event() -> None:
    seen = after()
    for kind in FailureKind:
        assert seen("clips_settled_total", failure=kind, settled_by="poll") == 0
    for outcome in ("changed", "duplicate"):
        assert seen("webhooks_total", outcome=outcome) == 0
    for kind_of_failure in ("unavailable", "refused"):
        assert seen("store_failures_total", kind=kind_of_failure) == 0


def test_refused_webhooks_count_by_the_code_of_their_error() -> None:
    metrics = Metrics()
    metrics.webhook_refused(Unauthorized("Job 17 is not yours."))
    metrics.webhook_refused(MalformedResult("No JSON."))
    seen = Scrape(metrics.text())
    assert seen("webhooks_total", outcome="unauthorized") == 1
    assert seen("webhooks_total", outcome="malformed_result") == 1
    assert "17" not in metrics.text()


def test_strange_methods_and_routes_share_one_series() -> None:
    metrics = Metrics()
    for n in range(50):
        metrics.request_answered(None, f"METHOD-{n}", 405, 0.01)
    seen = Scrape(metrics.text())
    assert seen("http_request_seconds_count", route="other", method="other", status="4xx") == 50
    assert "METHOD" not in metrics.text()


def test_two_services_of_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.clips_sent_again(3)
    assert Scrape(one.text())("poll_clips_sent_again_total") == 3
    assert Scrape(other.text())("poll_clips_sent_again_total") == 0


def test_text_names_each_metric_once_with_its_meaning() -> None:
    text = Metrics().text()
    families = list(text_string_to_metric_families(text))
    assert all(family.name.startswith("clip_service_") and family.documentation for family in families)
    assert len({family.name for family in families}) == len(families) == len(re.findall("# TYPE", text))
    assert "_created" not in text


@pytest.mark.parametrize("part", CONTENT_TYPE_PLAIN_0_0_4.split("; "))
def test_content_type_is_that_of_the_text_format(part: str) -> None:
    assert part in METRICS_MEDIA_TYPE.split("; ")
