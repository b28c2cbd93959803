"""What the doctor concludes from the answers of a running service."""

import json

import pytest

from service.clips.frames import FramesWay
from service.doctor.findings import Verdict
from service.doctor.standing import (
    Counted,
    Said,
    is_read_on_the_way,
    page_of_service_finding,
    readiness_findings,
    release_finding,
    service_finding,
    settings_findings,
    token_finding,
    webhooks_finding,
)
from service.errors import Unauthorized
from service.metrics import Metrics
from tests.builders import clip, failed

URL = "https://clips.example.com"
READY = {"ready": True, "store": "reachable", "poller": "alive", "missing_migrations": []}


def said(body: object, status: int = 200) -> Said:
    return Said(status, json.dumps(body))


def metrics(*, webhooks: bool = True, frames: FramesWay = FramesWay.FETCHED) -> Metrics:
    metrics = Metrics()
    metrics.set_up(release="1.2.3", store="sqlite", webhooks=webhooks, uploaded_frames=frames)
    return metrics


@pytest.mark.parametrize(
    ("answer", "verdict", "says"),
    [
        (said({"status": "ok"}), Verdict.OK, f"It answers at {URL}."),
        ("Connection refused", Verdict.FAILED, "can't be reached: Connection refused"),
        (Said(302, ""), Verdict.FAILED, "redirects (HTTP 302), which is not followed"),
        (Said(200, "<html>"), Verdict.FAILED, "not as the clip service does (HTTP 200)"),
        (said({"status": "ok"}, 502), Verdict.FAILED, "(HTTP 502)"),
        (said([]), Verdict.FAILED, "not as the clip service does"),
    ],
)
def test_only_the_service_is_taken_for_the_service(answer: Said | str, verdict: Verdict, says: str) -> None:
    finding = service_finding(URL, answer)
    assert (finding.verdict, says in finding.found) == (verdict, True), finding
    assert bool(finding.remedy) is (verdict is Verdict.FAILED)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (said({"info": {"version": "1.2.3"}}), Verdict.OK),
        (said({"info": {"version": "1.2.2"}}), Verdict.WARNING),
        (said({"info": {"version": "\x1b[31m"}}), Verdict.UNTOLD),
        (said({"info": 3}), Verdict.UNTOLD),
        ("no answer in time", Verdict.UNTOLD),
    ],
)
def test_release_is_compared_with_that_of_the_command(answer: Said | str, verdict: Verdict) -> None:
    assert release_finding(answer, "1.2.3").verdict is verdict


def test_service_that_is_ready_has_its_database_and_its_poller() -> None:
    assert [finding.verdict for finding in readiness_findings(said(READY))] == [Verdict.OK, Verdict.OK]


@pytest.mark.parametrize(
    ("change", "part", "says"),
    [
        ({"store": "unreachable"}, "Database", "can't reach it"),
        ({"store": "full"}, "Database", "disk is full"),
        (
            {"store": "outdated", "missing_migrations": ["2026_projects"]},
            "Database",
            "lacks 2026_",
        ),
        ({"poller": "stalled"}, "Poller", "has stalled"),
    ],
)
def test_what_is_not_ready_fails_with_a_remedy(change: dict[str, object], part: str, says: str) -> None:
    (failed,) = (f for f in readiness_findings(said(READY | change, 503)) if f.verdict is Verdict.FAILED)
    assert failed.part == part
    assert says in failed.found
    assert failed.remedy


def test_readiness_that_can_not_be_read_is_no_good_sign() -> None:
    for answer in (Said(502, "<html>"), said({"ready": True}), "no answer in time"):
        (failed,) = readiness_findings(answer)
        assert failed.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("config", "verdict", "says"),
    [
        ({"sign_in": "none"}, Verdict.OK, "this machine alone"),
        ({"sign_in": "token"}, Verdict.OK, "by the SERVICE_TOKEN"),
        ({"sign_in": "supabase", "anon_key": "k"}, Verdict.OK, "users can sign in"),
        ({"sign_in": "supabase", "anon_key": None}, Verdict.WARNING, "Nobody can sign in"),
        ({}, Verdict.UNTOLD, "does not tell"),
    ],
)
def test_page_tells_who_signs_in_on_it(config: dict[str, object], verdict: Verdict, says: str) -> None:
    finding = page_of_service_finding(said(config))
    assert (finding.verdict, says in finding.found) == (verdict, True), finding


@pytest.mark.parametrize(
    ("status", "sent", "verdict"),
    [
        (200, True, Verdict.OK),
        (200, False, Verdict.OK),
        (401, False, Verdict.UNTOLD),
        (401, True, Verdict.FAILED),
        (502, True, Verdict.FAILED),
    ],
)
def test_token_is_judged_by_what_it_opens(status: int, *, sent: bool, verdict: Verdict) -> None:
    finding = token_finding(Said(status, ""), sent=sent)
    assert finding.verdict is verdict
    assert bool(finding.remedy) is (verdict is not Verdict.OK)


def test_settings_of_the_service_are_read_from_its_metrics() -> None:
    told = {f.part: f.verdict for f in settings_findings(metrics(frames=FramesWay.OUT_OF_REACH).text())}
    assert told == {"Store": Verdict.OK, "Webhooks": Verdict.OK, "Frames": Verdict.FAILED}


def test_service_without_public_url_is_warned_of_its_webhooks() -> None:
    finding = webhooks_finding(Counted.of(metrics(webhooks=False).text()))
    assert (finding.verdict, "Set PUBLIC_URL" in finding.remedy) == (Verdict.WARNING, True)


def test_webhooks_that_never_come_are_told_from_those_that_were_not_needed_yet() -> None:
    counted = metrics()
    assert webhooks_finding(Counted.of(counted.text())).verdict is Verdict.OK
    counted.clip_settled(failed(clip()))
    missed = webhooks_finding(Counted.of(counted.text()))
    assert missed.verdict is Verdict.WARNING
    assert "the poller found 1 result." in missed.found
    counted.webhook_taken(changed=True)
    assert webhooks_finding(Counted.of(counted.text())).verdict is Verdict.OK


def test_webhooks_that_were_refused_are_told() -> None:
    counted = metrics()
    counted.webhook_refused(Unauthorized("Words."))
    finding = webhooks_finding(Counted.of(counted.text()))
    assert finding.verdict is Verdict.WARNING
    assert "1 was refused for its token" in finding.found


def test_older_service_and_strange_metrics_are_untold() -> None:
    for text in (Metrics().text(), "no metrics { at all", ""):
        (finding,) = settings_findings(text)
        assert finding.verdict is Verdict.UNTOLD


@pytest.mark.parametrize(
    ("url", "is_read"),
    [
        ("http://clips.example.com", True),
        ("http://203.0.114.7:8000", True),
        ("https://clips.example.com", False),
        ("http://localhost:8000", False),
        ("http://10.0.0.7:8000", False),
        ("http://clips:8000", False),
    ],
)
def test_token_goes_over_http_only_where_the_internet_is_not_on_the_way(url: str, *, is_read: bool) -> None:
    assert is_read_on_the_way(url) is is_read
