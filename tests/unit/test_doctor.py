import base64
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from service.clips.catalogue import Catalogue
from service.clips.estimate import PastClip, Price
from service.clips.models import FailureKind, GenerationSettings, SettledBy, TaskUUID
from service.clips.outcomes import Succeeded, VideoRefused
from service.doctor.account import Access, accepts_key, access, credit_finding, dollars, key_finding
from service.doctor.answers import (
    balance_finding,
    no_record_finding,
    record_finding,
    resend_finding,
    unknown_job_finding,
)
from service.doctor.examination import page_finding, recognised
from service.doctor.findings import Finding, Verdict, form_of, redacted, report_json
from service.doctor.purchase import Offer, affordable, cheapest, clip_of, covers_second_bill
from service.doctor.results import (
    Delivery,
    Ending,
    clip_finding,
    cost_finding,
    envelope_of,
    expiry_finding,
    ledger_webhook_finding,
    link_finding,
    taken_webhook_finding,
)
from service.runware.account import Account
from service.runware.answers import NoJSON, Reply
from service.runware.models import video_model
from service.settings import IsolatedSettings
from tests.builders import CATALOGUE, FAST, LITE, NOON, PROJECT_ID, VEO, VIDEO_URL, clip, failed, succeeded

JOB = TaskUUID("11111111-1111-4111-8111-111111111111")
URL = "https://api.runware.ai/v1"


def errors(code: str, status: int = 400, **fields: object) -> Reply:
    return Reply(status, {"errors": [{"code": code, "message": "Words.", **fields}]})


def data(*elements: object) -> Reply:
    return Reply(200, {"data": list(elements)})


def answer(code: str) -> str:
    return json.dumps({"success": False, "error": "Words.", "code": code})


@pytest.mark.parametrize(
    ("status", "body", "verdict", "says"),
    [
        (404, answer("clip_not_found"), Verdict.OK, "leads to this service"),
        (401, answer("unauthorized"), Verdict.FAILED, "another WEBHOOK_SECRET"),
        (503, answer("store_unavailable"), Verdict.FAILED, "has no database"),
        (301, "", Verdict.FAILED, "redirects"),
        (404, answer("not_found"), Verdict.FAILED, "not as the clip service"),
        (200, "<html>Parked.</html>", Verdict.FAILED, "not as the clip service"),
        (404, "[]", Verdict.FAILED, "not as the clip service"),
    ],
)
def test_answer_to_a_callback_url_tells_whether_it_is_this_service(
    status: int, body: str, verdict: Verdict, says: str
) -> None:
    finding = recognised("PUBLIC_URL", "https://clips.example", status, body)
    assert finding.verdict is verdict
    assert says in finding.found
    assert (finding.remedy == "") == (verdict is Verdict.OK)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (data({"balance": 5}), Access.ACCEPTED),
        (data(), Access.ACCEPTED),
        (errors("invalidApiKey", 401), Access.REFUSED),
        (errors("invalidApiKey", 400), Access.REFUSED),
        (errors("apiKeyDisabled", 400), Access.REFUSED),
        (Reply(401, NoJSON()), Access.REFUSED),
        (errors("insufficientPermissions", 403), Access.DECLINED),
        (errors("insufficientPermissions", 400), Access.DECLINED),
        (errors("invalidApiKey", 403), Access.REFUSED),
        (errors("invalidTaskType"), Access.DECLINED),
        (Reply(429, NoJSON()), Access.BUSY),
        (errors("internalServerError", 500), Access.BUSY),
        (Reply(301, NoJSON()), Access.REDIRECTED),
        (Reply(200, NoJSON()), Access.ELSEWHERE),
        (Reply(404, {"detail": "Not Found"}), Access.ELSEWHERE),
        (Reply(403, NoJSON()), Access.ELSEWHERE),
        ("no connection to Runware", Access.SILENT),
    ],
)
def test_answer_about_the_account_tells_a_wrong_key_from_no_runware(reply: Reply | str, said: Access) -> None:
    assert access(reply) is said
    finding = key_finding(reply, URL)
    assert finding.verdict is (Verdict.OK if said is Access.ACCEPTED else Verdict.FAILED)
    assert ("RUNWARE_API_KEY" in finding.remedy) == (said in (Access.REFUSED, Access.DECLINED))


def test_key_that_may_not_read_the_account_is_accepted_if_it_is_answered_otherwise() -> None:
    declined = errors("insufficientPermissions", 403)
    finding = key_finding(declined, URL, otherwise_accepted=True)
    assert finding.verdict is Verdict.WARNING
    assert "It accepts the key" in finding.found
    refused = key_finding(errors("invalidApiKey", 401), URL, otherwise_accepted=True)
    assert refused.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("reply", "accepted"),
    [
        (data(), True),
        (errors("taskNotFound", 404, taskUUID=JOB), True),
        (errors("insufficientPermissions", 403), False),
        (errors("invalidApiKey", 401), False),
        (Reply(503, NoJSON()), False),
        ("no connection to Runware", False),
    ],
)
def test_question_about_no_job_is_answered_to_a_good_key_only(reply: Reply | str, accepted: bool) -> None:
    assert accepts_key(reply) is accepted


@pytest.mark.parametrize(
    ("balance", "usd_per_second", "verdict", "value"),
    [
        (12.0, 0.3, Verdict.OK, "10"),
        (11.99, 0.3, Verdict.WARNING, "9"),
        (1.2, 0.3, Verdict.WARNING, "1"),
        (1.19, 0.3, Verdict.FAILED, "0"),
        (0.36, 0.03, Verdict.WARNING, "3"),
        (0.0, None, Verdict.FAILED, "0"),
        (-3.0, None, Verdict.FAILED, "0"),
        (0.01, None, Verdict.OK, ""),
        (None, 0.3, Verdict.WARNING, ""),
    ],
)
def test_credit_is_counted_in_clips_of_the_default_model(
    balance: float | None, usd_per_second: float | None, verdict: Verdict, value: str
) -> None:
    price = None if usd_per_second is None else Price(usd_per_second, "table")
    finding = credit_finding(Account(balance, "number"), video_model(VEO), CATALOGUE.default, price)
    assert (finding.verdict, finding.value) == (verdict, value)


@pytest.mark.parametrize(
    ("usd", "shown"), [(0.12, "$0.12"), (50, "$50.00"), (0.096, "$0.0960"), (0.1, "$0.10")]
)
def test_amounts_are_shown_to_the_cent_or_as_they_are_known(usd: float, shown: str) -> None:
    assert dollars(usd) == shown


def catalogue(*airs: str) -> Catalogue:
    return Catalogue([video_model(air) for air in airs], CATALOGUE.default)


def past(air: str, cost_usd: float, *, resolution: str = "720p", audio: bool = False) -> PastClip:
    return PastClip(air, resolution, audio, duration_s=4, seconds=60, cost_usd=cost_usd)


@pytest.mark.parametrize(
    ("airs", "made", "expected"),
    [
        ((VEO, FAST, LITE), [], (LITE, "720p", 0.12)),
        ((VEO, FAST), [], (FAST, "1080p", 0.4)),
        ((FAST, "klingai:kling-video@3-standard"), [], ("klingai:kling-video@3-standard", "720p", 0.252)),
        # The past counts more than the table, and what has sound is not meant.
        ((VEO, FAST, LITE), [past(LITE, 0.5)], (FAST, "1080p", 0.4)),
        ((VEO, LITE), [past(VEO, 0.04, audio=True)], (LITE, "720p", 0.12)),
        ((VEO,), [past(VEO, 0.8)], (VEO, "720p", 0.8)),
    ],
)
def test_cheapest_silent_clip_among_the_models_allowed_is_offered(
    airs: tuple[str, ...], made: list[PastClip], expected: tuple[str, str, float]
) -> None:
    offer = cheapest(catalogue(*airs), made)
    assert offer is not None
    assert (offer.model.air, offer.settings.resolution, offer.usd) == expected
    assert not offer.settings.generate_audio


def test_nothing_is_offered_whose_price_nobody_knows() -> None:
    assert cheapest(catalogue(VEO, "bytedance:seedance@1.5-pro"), []) is None
    finding = affordable(None, catalogue(VEO), 100, 100)
    assert isinstance(finding, Finding)
    assert "RUNWARE_MODELS" in finding.remedy


def offered() -> Offer:
    offer = cheapest(CATALOGUE, [])
    assert offer is not None
    return offer


@pytest.mark.parametrize(
    ("at_most_usd", "balance", "bought"),
    [
        (0.12, 0.12, True),
        (0.12, None, True),
        (0.1199, 50, False),
        (0.2, 0.11, False),
        (0.2, 0.0, False),
    ],
)
def test_clip_is_bought_only_within_the_sum_and_the_credit(
    at_most_usd: float, balance: float | None, bought: bool
) -> None:
    assert isinstance(affordable(offered(), CATALOGUE, at_most_usd, balance), Offer) is bought


@pytest.mark.parametrize(
    ("at_most_usd", "cost_usd", "covered"),
    [(0.24, None, True), (0.24, 0.12, True), (0.23, None, False), (0.24, 0.13, False), (0.24, 0.1, True)],
)
def test_second_bill_is_risked_only_within_the_sum_at_the_dearer_price(
    at_most_usd: float, cost_usd: float | None, covered: bool
) -> None:
    assert covers_second_bill(offered(), at_most_usd, cost_usd) is covered


def test_frames_are_small_pictures_that_every_model_takes() -> None:
    request = clip_of(offered(), PROJECT_ID, NOON).request
    assert request.first_frame != request.last_frame
    for frame in (request.first_frame, request.last_frame):
        assert len(frame) < 4096
        head, content = frame.split(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            picture.load()
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (320, 320))
            assert picture.getpixel((0, 0)) != picture.getpixel((0, 319))


def test_clip_is_sent_without_what_the_installation_adds_to_its_tasks() -> None:
    default = GenerationSettings(VEO, "720p", generate_audio=True, extra={"numberResults": 4})
    offer = cheapest(Catalogue(CATALOGUE.models, default), [])
    assert offer is not None
    assert offer.settings.extra == {}


def test_form_of_an_answer_has_no_value_that_could_be_secret() -> None:
    body = {
        "data": [
            {"taskType": "videoInference", "taskUUID": JOB, "videoURL": f"{VIDEO_URL}?sig=s", "cost": 0.12},
            {"code": "a sentence with a key", "status": "success", "NSFWContent": False, "error": None},
            *[1, 2, 3],
        ]
    }
    assert form_of(body) == {
        "data": [
            {"taskType": "videoInference", "taskUUID": "text", "videoURL": "text", "cost": "number"},
            {"code": "text", "status": "success", "NSFWContent": "true or false", "error": None},
            "number",
            "2 more",
        ]
    }
    assert form_of(NoJSON()) == "no JSON"


def test_report_holds_the_findings_in_order_without_their_secrets() -> None:
    first = redacted(
        Finding("Runware", Verdict.FAILED, "It refuses KEY.", "Not KEY."), lambda s: s.replace("KEY", "***")
    )
    second = Finding("Clip", Verdict.OK, "Made.", value="succeeded", form={"http": 200})
    written = json.loads(report_json([first, second], {"model": LITE}, NOON))
    assert (written["model"], written["at"]) == (LITE, "2026-01-02T12:00:00+00:00")
    assert [finding["part"] for finding in written["findings"]] == ["Runware", "Clip"]
    assert written["findings"][0]["found"] == "It refuses ***."
    assert written["findings"][1]["form"] == {"http": 200}


@pytest.mark.parametrize(
    ("reply", "verdict", "value"),
    [
        (data(), Verdict.OK, "empty"),
        (errors("taskNotFound", 404, taskUUID=JOB), Verdict.OK, "not-found"),
        (errors("taskNotFound", 200), Verdict.OK, "not-found"),
        (errors("somethingNew", 400), Verdict.WARNING, ""),
        (Reply(200, NoJSON()), Verdict.WARNING, ""),
        ("no connection", Verdict.UNTOLD, ""),
    ],
)
def test_answers_for_no_job_are_told_apart(reply: Reply | str, verdict: Verdict, value: str) -> None:
    finding = unknown_job_finding(reply)
    assert (finding.verdict, finding.value) == (verdict, value)


@pytest.mark.parametrize(
    ("reply", "verdict", "value"),
    [
        (data(), Verdict.OK, "empty"),
        (data({"taskType": "getTaskDetails", "request": [], "response": {}}), Verdict.OK, "blank"),
        (errors("taskNotFound", 404), Verdict.OK, "not-found"),
        (errors("invalidTaskType", 400), Verdict.WARNING, "refused"),
        (Reply(200, []), Verdict.WARNING, ""),
        ("no connection", Verdict.UNTOLD, ""),
    ],
)
def test_answers_for_no_record_are_told_apart(reply: Reply | str, verdict: Verdict, value: str) -> None:
    finding = no_record_finding(reply)
    assert (finding.verdict, finding.value) == (verdict, value)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "value"),
    [
        (True, True, Verdict.OK, "at once"),
        (False, True, Verdict.WARNING, "later"),
        (False, False, Verdict.WARNING, "none"),
    ],
)
def test_record_that_comes_late_asks_for_a_longer_grace(
    before: bool, after: bool, verdict: Verdict, value: str
) -> None:
    kept, empty = data({"request": [{"model": LITE}], "response": {}}), data({"request": [], "response": {}})
    finding = record_finding(kept if before else empty, kept if after else empty)
    assert (finding.verdict, finding.value) == (verdict, value)
    assert ("SUBMISSION_GRACE_SECONDS" in finding.remedy) is not before


@pytest.mark.parametrize(
    ("before", "after", "verdict", "value", "says"),
    [
        (Account(50, "object"), Account(49.5, "object"), Verdict.OK, "object", "$50.00 before"),
        (Account(50, "number"), Account(50, "number"), Verdict.OK, "number", "does not show in it yet"),
        (Account(None, "none"), Account(None, "none"), Verdict.UNTOLD, "none", "no balance"),
        ("refused", "refused", Verdict.UNTOLD, "none", "no balance"),
    ],
)
def test_balance_is_told_with_its_form_and_the_charge(
    before: Account | str, after: Account | str, verdict: Verdict, value: str, says: str
) -> None:
    finding = balance_finding(before, after, succeeded(clip()))
    assert (finding.verdict, finding.value, says in finding.found) == (verdict, value, True)


def test_charge_for_a_failed_clip_is_a_warning() -> None:
    end = failed(clip())
    charged = balance_finding(Account(50, "object"), Account(49.88, "object"), end)
    free = balance_finding(Account(50, "object"), Account(50, "object"), end)
    assert (charged.verdict, free.verdict) == (Verdict.WARNING, Verdict.OK)
    assert "$0.12 are gone" in charged.found


def ending(url: str = VIDEO_URL, **result: object) -> Ending:
    told = {"taskUUID": JOB, "status": "success", "videoURL": url, **result}
    return Ending(2, Succeeded(url), NOON, data(told))


def test_frames_that_the_model_refuses_are_told_with_the_setting_to_change() -> None:
    refused = replace(failed(clip(), FailureKind.REJECTED), settled_by=SettledBy.SUBMISSION)
    finding = clip_finding(refused, Ending(0), ["*.runware.ai"])
    assert finding.verdict is Verdict.FAILED
    assert f"leave {VEO} out of RUNWARE_MODELS" in finding.remedy


def test_video_outside_the_allowed_hosts_is_told_with_the_setting_to_change() -> None:
    end = Ending(1, VideoRefused("its host cdn.example is not in VIDEO_HOSTS"), NOON, data())
    finding = clip_finding(clip(), end, ["*.runware.ai"])
    assert (finding.verdict, finding.value) == (Verdict.FAILED, "refused")
    assert "VIDEO_HOSTS=*.runware.ai,THAT-HOST" in finding.remedy


def test_video_that_the_ledger_does_not_have_yet_is_left_to_the_poller() -> None:
    finding = clip_finding(clip(), ending(), ["*.runware.ai"])
    assert (finding.verdict, finding.value) == (Verdict.WARNING, "unsettled")


def test_time_out_is_no_end_since_a_late_video_still_counts() -> None:
    finding = clip_finding(failed(clip(), FailureKind.TIMEOUT), Ending(9), ["*.runware.ai"])
    assert (finding.verdict, finding.value) == (Verdict.FAILED, "pending")


def delivery(body: object, seconds: float = 1.5, answered: int = 200) -> Delivery:
    content = json.dumps(body).encode()
    return Delivery(NOON + timedelta(seconds=seconds), content, "application/json", answered)


@pytest.mark.parametrize(
    ("body", "envelope"),
    [
        ({"taskUUID": JOB}, "flat"),
        ({"data": []}, "data"),
        ([{}], "list"),
        ({"errors": []}, "errors"),
        ({}, "unknown"),
        ("text", "unknown"),
        (NoJSON(), "unknown"),
    ],
)
def test_envelopes_are_named(body: object, envelope: str) -> None:
    assert envelope_of(body) == envelope


def test_webhook_is_told_with_its_time_its_form_and_how_often_it_came() -> None:
    calls = [delivery({"data": [{"taskUUID": JOB}]}), delivery({"data": []})]
    finding = taken_webhook_finding(calls, succeeded(clip()), ending(), 30)
    assert (finding.verdict, finding.value) == (Verdict.OK, "data")
    assert "1.5 s after a poll told the end" in finding.found
    assert "It came 2 times." in finding.found
    early = taken_webhook_finding([delivery({"taskUUID": JOB}, -1)], succeeded(clip()), ending(), 30)
    assert "before a poll told the end" in early.found


def test_webhook_that_the_service_could_not_read_is_a_failure() -> None:
    finding = taken_webhook_finding([delivery({}, answered=422)], succeeded(clip()), ending(), 30)
    assert (finding.verdict, finding.value) == (Verdict.FAILED, "unknown")
    assert "HTTP 422" in finding.found


def test_missing_webhook_blames_the_address_only_if_one_was_due() -> None:
    due = taken_webhook_finding([], succeeded(clip()), ending(), 30)
    not_sure = taken_webhook_finding([], failed(clip()), Ending(3), 30)
    assert (due.verdict, not_sure.verdict) == (Verdict.WARNING, Verdict.OK)
    assert "PUBLIC_URL" in due.remedy


@pytest.mark.parametrize(
    ("by", "verdict"),
    [(SettledBy.WEBHOOK, Verdict.OK), (SettledBy.POLL, Verdict.UNTOLD), (None, Verdict.UNTOLD)],
)
def test_ledger_shows_a_webhook_only_if_that_was_first(by: SettledBy | None, verdict: Verdict) -> None:
    assert ledger_webhook_finding(replace(succeeded(clip()), settled_by=by)).verdict is verdict


@pytest.mark.parametrize(
    ("polled", "pushed", "verdict", "value"),
    [
        ({"cost": 0.5}, {"data": [{"cost": 0.5}]}, Verdict.OK, "poll, webhook"),
        ({"cost": 0.5}, {"taskUUID": JOB}, Verdict.OK, "poll"),
        ({}, {"cost": 0.5}, Verdict.OK, "webhook"),
        ({}, {}, Verdict.WARNING, "none"),
    ],
)
def test_places_of_the_cost_are_told(
    polled: dict[str, Any], pushed: object, verdict: Verdict, value: str
) -> None:
    finding = cost_finding(ending(**polled), delivery(pushed), 0.5, 0.5)
    assert (finding.verdict, finding.value) == (verdict, value)


def test_clip_that_is_dearer_than_expected_is_a_warning() -> None:
    dearer = cost_finding(ending(cost=0.5), None, 0.5, 0.12)
    assert dearer.verdict is Verdict.WARNING
    assert "$0.50, where $0.12 was expected" in dearer.found


@pytest.mark.parametrize(
    ("status", "empty_s", "size", "verdict", "value"),
    [
        (200, 0, 10, Verdict.OK, "at once"),
        (200, 3, 10, Verdict.WARNING, "empty at first"),
        (200, 30, 0, Verdict.WARNING, "empty"),
        (403, 0, 0, Verdict.WARNING, "403"),
        (302, 0, 12, Verdict.WARNING, "302"),
    ],
)
def test_link_is_told_by_whether_it_gives_bytes(
    status: int, empty_s: float, size: int, verdict: Verdict, value: str
) -> None:
    finding = link_finding("vm.runware.ai", status, empty_s, size)
    assert (finding.verdict, finding.value) == (verdict, value)


@pytest.mark.parametrize(
    ("url", "result", "value"),
    [
        (VIDEO_URL, {}, "not told"),
        (f"{VIDEO_URL}?X-Amz-Expires=60&X-Amz-Signature=secret", {}, "told"),
        (VIDEO_URL, {"expiresAt": "2026-02-01"}, "told"),
    ],
)
def test_end_of_the_link_is_told_where_anything_says_so(
    url: str, result: dict[str, object], value: str
) -> None:
    finding = expiry_finding(url, ending(url, **result), None)
    assert finding.value == value
    assert "secret" not in finding.found
    assert ("RUNWARE_TTL_SECONDS" in finding.remedy) == (value == "not told")


@pytest.mark.parametrize(
    ("reply", "second_bill_usd", "verdict", "value"),
    [
        (errors("conflictTaskUUID"), 0.0, Verdict.OK, "conflict"),
        (errors("conflictTaskUUID"), None, Verdict.OK, "conflict"),
        (errors("conflictTaskUUID"), 0.12, Verdict.WARNING, "billed"),
        (data({"taskUUID": JOB}), 0.12, Verdict.WARNING, "billed"),
        (data({"taskUUID": JOB}), 0.0, Verdict.WARNING, "taken"),
        (data({"taskUUID": JOB}), -5.0, Verdict.WARNING, "taken"),
        (data({"taskUUID": JOB}), 0.01, Verdict.WARNING, "taken"),
        (data({"taskUUID": JOB}), None, Verdict.WARNING, "taken"),
        (errors("insufficientCredits", 402), 0.0, Verdict.UNTOLD, "refused"),
        ("no connection", 0.0, Verdict.UNTOLD, ""),
    ],
)
def test_second_send_is_judged_by_its_answer_and_by_the_balance(
    reply: Reply | str, second_bill_usd: float | None, verdict: Verdict, value: str
) -> None:
    finding = resend_finding(reply, JOB, second_bill_usd, 0.12)
    assert (finding.verdict, finding.value) == (verdict, value)


SUPABASE: dict[str, Any] = {
    "supabase_url": "https://abc.supabase.co",
    "supabase_service_role_key": "sb_secret_of-the-test-project",
}
PUBLIC: dict[str, Any] = {"supabase_anon_key": "sb_publishable_of-the-test-project"}
TOKEN: dict[str, Any] = {"service_token": "token-of-the-service"}


@pytest.mark.parametrize(
    ("set_too", "verdict", "says"),
    [
        ({**PUBLIC, **TOKEN}, Verdict.OK, "operators by the SERVICE_TOKEN"),
        (TOKEN, Verdict.OK, "users can't"),
        (PUBLIC, Verdict.OK, "The project's users can sign in on it."),
        ({**PUBLIC, "allow_anon": True}, Verdict.WARNING, "nobody sees a project"),
        ({}, Verdict.WARNING, "Nobody can sign in on it"),
    ],
)
def test_page_is_well_only_where_somebody_can_see_a_project_on_it(
    set_too: dict[str, Any], verdict: Verdict, says: str
) -> None:
    finding = page_finding(IsolatedSettings(runware_api_key="key", **SUPABASE, **set_too))
    assert finding.verdict is verdict
    assert says in finding.found
    assert bool(finding.remedy) is (verdict is Verdict.WARNING)
