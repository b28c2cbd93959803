"""Frames that are dropped together: which of them are a pair, and where they go."""

import json
from pathlib import Path

import pytest

from tests.browser.visit import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The page and the terminal pair files by the same rule.
CASES = json.loads((Path(__file__).parents[1] / "pairs.json").read_text("utf-8"))


async def test_files_are_paired_by_the_words_and_numbers_in_their_names(visit: Visit) -> None:
    await visit.open()
    found = await visit.page.evaluate(
        """async (cases) => {
            const { pairFiles } = await import("/studio/pairs.js");
            const named = ({ first, last }) => [first?.name ?? null, last?.name ?? null];
            return cases.map(({ names }) => pairFiles(names.map((name) => ({ name }))).map(named));
        }""",
        CASES,
    )
    for case, scenes in zip(CASES, found, strict=True):
        assert scenes == case["scenes"], case["rule"]
