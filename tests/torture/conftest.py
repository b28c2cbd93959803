from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.torture.databases import Database, SQLiteDatabase, postgres_database, small_file_system

# Above what the largest run writes; small enough to be filled in a moment.
SMALL_MB = 256
LOST_ANSWERS = 0.01


@pytest.fixture(params=["sqlite", "postgres"])
async def torn(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Each of the two databases."""
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            folder = tmp_path / "database"
            is_small = stack.enter_context(small_file_system(folder, SMALL_MB))
            yield SQLiteDatabase(folder / "clips.db", is_small=is_small)
        else:
            postgres = request.getfixturevalue("postgres")
            yield await stack.enter_async_context(postgres_database(postgres, LOST_ANSWERS))
