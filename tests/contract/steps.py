"""How much work SQLite does for a store, whatever the machine: steps of its virtual machine."""

from service.stores.sqlite import SQLiteStore

_EVERY = 1000


class Steps:
    """Counts the steps of all connections of a store, by the thousand."""

    def __init__(self) -> None:
        self._count = 0

    async def begin(self, store: SQLiteStore) -> None:
        """Count from now on."""
        for connection in (store._writer, store._reader):
            await connection.run(lambda db: db.set_progress_handler(self._step, _EVERY))

    def taken(self) -> int:
        """Give the steps since the last call."""
        count, self._count = self._count, 0
        return count

    def _step(self) -> int:
        self._count += _EVERY
        return 0
