import json
from pathlib import Path
from typing import Any

import pytest

from service.terminal.pairs import pair_files

CASES = json.loads((Path(__file__).parents[1] / "pairs.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_terminal_pairs_files_as_the_page_does(case: dict[str, Any]) -> None:
    found = pair_files([Path("folder") / name for name in case["names"]])
    assert [[path and path.name for path in (pair.first, pair.last)] for pair in found] == case["scenes"]


def test_files_of_one_name_in_two_folders_are_two_frames() -> None:
    one, other = Path("a") / "1.png", Path("b") / "1.png"
    (pair,) = pair_files([one, other])
    assert (pair.first, pair.last) == (one, other)
