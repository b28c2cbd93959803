"""Whatever `service/PROMISES.md` names as its proof is there."""

import re
from pathlib import Path

from service.clips.images import MAX_IMAGE_BYTES
from service.web.bodies import CALL_LIMIT_BYTES, WEBHOOK_LIMIT_BYTES
from service.web.schemas import MAX_PROJECTS
from tests.simulation.invariants import INVARIANTS

TESTS = Path(__file__).parents[1]
PROMISES = (TESTS.parent / "service/PROMISES.md").read_text()


def test_every_test_that_a_promise_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PROMISES))
    assert len(named) > 25
    written = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert {name for name in named if f"def {name}(" not in written} == set()


def test_every_invariant_that_a_promise_names_is_one_of_the_simulations() -> None:
    shows = [row for row in PROMISES.splitlines() if row.startswith("| ") and row.count("|") == 3]
    named = {name for row in shows for name in re.findall(r"(?<!\*)\*([a-z ]+)\*(?!\*)", row)}
    assert len(named) > 10
    assert named - INVARIANTS.keys() == set()


def test_limits_are_those_of_the_code() -> None:
    assert f"| body of a webhook | {WEBHOOK_LIMIT_BYTES // 1024} KiB |" in PROMISES
    assert f"| body of a call | {CALL_LIMIT_BYTES // 1024**2} MiB |" in PROMISES
    assert f"| an uploaded frame | {MAX_IMAGE_BYTES // 10**6} MB," in PROMISES
    assert f"| projects on a page of the list | {MAX_PROJECTS} |" in PROMISES
