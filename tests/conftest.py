"""What more than one suite asks for. None of it is started before a test asks."""

import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.postgres import Postgres
    from tests.postgrest import Supabase


def pytest_xdist_auto_num_workers() -> int:
    """Give how many workers run the tests: two a core, since they wait as long as they compute."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A server for this worker's tests."""
    from tests.postgres import running_postgres  # noqa: PLC0415 - loaded by those who need it

    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: "Postgres") -> Iterator[str]:
    """The connection string of a database of one's own, with every migration."""
    with postgres.database() as dsn:
        yield dsn


@pytest.fixture
async def supabase(database: str) -> AsyncIterator["Supabase"]:
    """A Supabase project over `database`."""
    from tests.postgrest import serving_supabase  # noqa: PLC0415 - loaded by those who need it

    async with serving_supabase(database) as project:
        yield project
