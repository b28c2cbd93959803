import json

import pytest

from service.doctor.examination import recognised
from service.doctor.findings import Verdict


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
