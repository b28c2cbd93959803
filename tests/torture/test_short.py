"""The short form of a campaign, for each change of the service; `test_long` has the long one."""

from pathlib import Path

import pytest

from tests.torture.campaign import run
from tests.torture.databases import Database

RUNWARE = {
    "answer_delay_seconds": 0.2,
    "webhook_drop_rate": 0.3,
    "webhook_double_rate": 0.2,
    "lose_reply_rate": 0.05,
    "drop_submission_rate": 0.05,
    "fail_rate": 0.02,
    "min_seconds": 0.5,
    "max_seconds": 4,
}


@pytest.mark.timeout(600)
async def test_kills_and_a_failing_database_lose_no_clip_and_pay_for_none_twice(
    tmp_path: Path, torn: Database
) -> None:
    ending = await run(tmp_path, torn, RUNWARE, projects=6, scenes=20, kills=4, trouble_seconds=1.5)
    print(f"\n{torn.name}\n{ending}")  # noqa: T201 - the numbers, for those who read them with -rP
    assert ending.violations == []
