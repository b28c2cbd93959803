"""The long form, run by `pytest -m torture`: ten thousand clips and twenty kills on each database."""

from pathlib import Path

import pytest

from tests.torture.campaign import run
from tests.torture.databases import Database

RUNWARE = {
    "answer_delay_seconds": 0.1,
    "webhook_drop_rate": 0.2,
    "webhook_double_rate": 0.1,
    "webhook_delay_rate": 0.1,
    "webhook_reorder_rate": 0.1,
    "early_webhook_rate": 0.05,
    "lose_reply_rate": 0.02,
    "drop_submission_rate": 0.02,
    "unlisted_rate": 0.05,
    "burst_rate": 0.005,
    "fail_rate": 0.02,
    "moderate_rate": 0.01,
    "min_seconds": 1,
    "max_seconds": 10,
}
PROJECTS = 50
SCENES = 200


@pytest.mark.torture
@pytest.mark.timeout(3600)
async def test_ten_thousand_clips_and_twenty_kills_bill_nothing_twice(tmp_path: Path, torn: Database) -> None:
    ending = await run(tmp_path, torn, RUNWARE, projects=PROJECTS, scenes=SCENES, kills=20, trouble_seconds=4)
    print(f"\n{torn.name}\n{ending}")  # noqa: T201 - the table that it is run for
    assert ending.videos >= PROJECTS * SCENES
    assert ending.tally.kills >= 20
    assert ending.violations == []
