"""The account: its balance, and what it has used by day, model and key."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.sandbox.errors import Json, TaskError
from service.sandbox.jobs import Ledger
from service.sandbox.options import Faults
from service.sandbox.usage import Clock, Spending

KEY_NAME = "sandbox"
_ACCOUNT_UUID = str(uuid5(NAMESPACE_URL, "clip-service/sandbox"))
_LONGEST_SPAN = timedelta(days=30)
_SECTIONS = {"date": "timeseries", "model": "model", "apiKey": "apiKey"}


class RefusedQuestionError(Exception):
    """A question about the account can't be answered; `error` says why."""

    def __init__(self, parameter: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.error = TaskError(code or f"invalid{parameter[0].upper()}{parameter[1:]}", message, parameter)


def balance_usd(ledger: Ledger, faults: Faults) -> Decimal:
    """Return what is left of the money paid in."""
    return Decimal(str(faults.balance_usd)) - ledger.cost_usd


class Account:
    """Answers `accountManagement` from the ledger. All requests count for one key, named `KEY_NAME`."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def answer(self, task: Json, faults: Faults) -> Json:
        """Return what the task's operation tells. Raises RefusedQuestionError."""
        operation = task.get("operation")
        if operation == "getDetails":
            return {"operation": operation, **self._details(faults)}
        if operation == "getUsageActivity":
            return {"operation": operation, **self._activity(task)}
        raise RefusedQuestionError(
            "operation",
            f"The sandbox knows the operations getDetails and getUsageActivity, not {operation!r}",
            "unsupportedOperation",
        )

    def _details(self, faults: Faults) -> Json:
        today = self._clock().date()
        days = {"today": 0, "last7Days": 6, "last30Days": 29}
        spent = {
            span: self._ledger.usage.between(today - timedelta(days=back), today)
            for span, back in days.items()
        }
        spent["total"] = self._ledger.usage.between(date.min, date.max)
        amount = float(balance_usd(self._ledger, faults))
        balance: Json = {"amount": amount, "freeBalance": 0, "currency": "USD"}
        return {
            "organizationName": "Sandbox",
            "organizationUUID": _ACCOUNT_UUID,
            "balance": balance if faults.balance_form == "object" else amount,
            "team": [],
            "apiKeys": [{"name": KEY_NAME, "enabled": True, "requests": spent["total"].requests}],
            "usage": {
                span: {"credits": float(each.usd), "requests": each.requests} for span, each in spent.items()
            },
        }

    def _activity(self, task: Json) -> Json:
        zone = _zone(task)
        today = self._clock().astimezone(zone).date()
        last = _day(task, "endDate", today)
        first = _day(task, "startDate", last - _LONGEST_SPAN)
        if not timedelta(0) <= last - first <= _LONGEST_SPAN:
            raise RefusedQuestionError(
                "endDate", f"endDate must be 0 to {_LONGEST_SPAN.days} days after startDate"
            )
        models, keys = _names(task, "models"), _names(task, "apiKeys")
        rows = list(self._ledger.usage.rows(first, last, zone, models))
        if keys and KEY_NAME not in keys:
            rows = []
        groups = {
            "date": [(day.isoformat(), spending) for day, _, spending in rows],
            "model": [(model, spending) for _, model, spending in rows],
            "apiKey": [(KEY_NAME, spending) for _, _, spending in rows],
        }
        return {
            "startDate": first.isoformat(),
            "endDate": last.isoformat(),
            "usage": {_SECTIONS[group]: _section(group, groups[group]) for group in _groups(task)},
        }


def _section(group: str, rows: Iterable[tuple[str, Spending]]) -> Json:
    by_name: defaultdict[str, Spending] = defaultdict(Spending)
    for name, spending in rows:
        by_name[name] += spending
    total = sum(by_name.values(), Spending())
    return {
        "data": [
            {group: name, "count": spending.requests, "spend": float(spending.usd)}
            for name, spending in sorted(by_name.items())
        ],
        "meta": {
            "totalRequests": total.requests,
            "totalResults": total.results,
            "totalSpend": float(total.usd),
        },
    }


def _zone(task: Json) -> tzinfo:
    name = task.get("timezone")
    if name is None:
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as failure:
        raise RefusedQuestionError(
            "timezone", f"timezone must be one like Europe/Berlin, not {name!r}"
        ) from failure


def _day(task: Json, name: str, default: date) -> date:
    value = task.get(name)
    if value is None:
        return default
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as failure:
        raise RefusedQuestionError(name, f"{name} must be a day as YYYY-MM-DD, not {value!r}") from failure


def _names(task: Json, name: str) -> list[str]:
    value = task.get(name, [])
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise RefusedQuestionError(name, f"{name} must be a list of text")


def _groups(task: Json) -> list[str]:
    """Return what to group by: what the task says, as one name or a list of them, else everything."""
    value = task.get("groupBy", list(_SECTIONS))
    groups = [str(group) for group in (value if isinstance(value, list) else [value])]
    if groups and all(group in _SECTIONS for group in groups):
        return groups
    raise RefusedQuestionError("groupBy", f"groupBy must be some of {', '.join(_SECTIONS)}, not {value!r}")
