"""What Runware says about the account, and what follows for tasks refused for lack of credit. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from service.clips.models import FailureKind
from service.clips.outcomes import Failed, Outcome, Throttled
from service.runware.answers import Reply
from service.runware.results import read_statements
from service.runware.verdicts import is_success

# Less than this buys no clip of any model.
_LEAST_USD = 0.01


@dataclass(frozen=True, slots=True)
class Account:
    """How the account stands, in USD. `balance` is None where the answer gives none that can be read.

    `form` is the form that the balance came in: `object` or `number`, `none` where there is none.
    """

    balance: float | None
    form: str


def read_account(reply: Reply) -> Account | str:
    """Read the answer to `accountManagement`; gives the reason in place of it where it is refused.

    The balance is an object (2026) or a number (2025); free credit counts as money.
    """
    body = reply.body if isinstance(reply.body, Mapping) else {}
    data = body.get("data")
    elements = [element for element in data if isinstance(element, Mapping)] if isinstance(data, list) else []
    if is_success(reply.status) and elements:
        return _account(elements[0].get("balance"))
    errors = [said.error for said in read_statements(body, lambda _: None) if said.error is not None]
    if errors:
        return f"{errors[0].code}: {errors[0].message}"
    return f"Runware answered with HTTP {reply.status}"


def after_balance(outcome: Outcome, balance: float | None) -> Outcome:
    """Tell an empty account from one that is throttled, for a task that was refused for lack of credit.

    Money there, or a balance that nobody can tell, means throttled; none is the account's failure.
    """
    if not isinstance(outcome, Throttled) or not outcome.no_credit:
        return outcome
    if balance is None or balance >= _LEAST_USD:
        return replace(outcome, no_credit=False)
    stop = "" if outcome.failure.message.endswith((".", "!", "?")) else "."
    words = f"{outcome.failure.message}{stop} The account's balance is ${balance:.2f}."
    return Failed(replace(outcome.failure, kind=FailureKind.ACCOUNT, message=words))


def _account(balance: object) -> Account:
    if isinstance(balance, Mapping):
        parts = [_number(balance.get(name)) for name in ("amount", "freeBalance")]
        known = [part for part in parts if part is not None]
        return Account(sum(known) if known else None, "object")
    number = _number(balance)
    return Account(number, "none" if number is None else "number")


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None
