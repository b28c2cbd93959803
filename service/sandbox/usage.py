"""What was asked for and spent, by time and model."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal

Clock = Callable[[], datetime]

_QUARTER_MINUTES = 15  # every time zone's midnight is one of UTC's quarter hours


def utc_now() -> datetime:
    """Return the time, in UTC: the sandbox's clock unless another is put in."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Spending:
    """So many requests, the results that stand on the bill, and their USD."""

    requests: int = 0
    results: int = 0
    usd: Decimal = Decimal(0)

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(self.requests + other.requests, self.results + other.results, self.usd + other.usd)


class Usage:
    """Spending by quarter hour and model."""

    def __init__(self) -> None:
        self._rows: dict[tuple[datetime, str], Spending] = {}

    def add(self, at: datetime, model: str, spending: Spending) -> None:
        """Count spending for the time at which its task was accepted; a failed job's is negative."""
        quarter = at.replace(minute=at.minute - at.minute % _QUARTER_MINUTES, second=0, microsecond=0)
        self._rows[quarter, model] = self._rows.get((quarter, model), Spending()) + spending

    def rows(
        self, first: date, last: date, zone: tzinfo, models: Collection[str] = ()
    ) -> Iterator[tuple[date, str, Spending]]:
        """Yield the day in the zone, the model and the spending of each row between two days.

        Both days count. Without `models` all do.
        """
        for (quarter, model), spending in self._rows.items():
            day = quarter.astimezone(zone).date()
            if first <= day <= last and (not models or model in models):
                yield day, model, spending

    def between(self, first: date, last: date) -> Spending:
        """Return what was spent from one day to another of UTC, both included."""
        return sum((spending for _, _, spending in self.rows(first, last, UTC)), Spending())
