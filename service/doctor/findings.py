"""What the doctor tells: findings, and the report that is made of them. Pure."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum

from service.runware.answers import NoJSON, Reply

# What is said by name, not by a person; all other texts of an answer may be secret, or somebody's words.
_TELLING_KEYS = frozenset({"code", "currency", "operation", "status", "taskType"})
_NAME = re.compile(r"[\w.-]{1,60}")
_MOST_ELEMENTS = 3
DATABASE_IS_COMPLETE = "It is reached, and has all that this release needs."
APPLY_MIGRATIONS = (
    "Apply them: supabase db push --workdir deploy --remote, or clips migrate --print piped to psql."
)
SET_PUBLIC_URL = "Set PUBLIC_URL, and WEBHOOK_SECRET, to have results the moment they are there."
NO_WEBHOOKS = "PUBLIC_URL is not set: no webhook is asked for, and the poller finds all results."


class Verdict(StrEnum):
    """How a part stands."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNTOLD = "untold"
    """This examination could not tell."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part; `remedy` is what to do, empty where nothing is.

    `value` is the finding in a word, for programs; `form` is the answer that it was read from, as `form_of`
    gives it.
    """

    part: str
    verdict: Verdict
    found: str
    remedy: str = ""
    value: str = ""
    form: object = None


def redacted(finding: Finding, redact: Callable[[str], str]) -> Finding:
    """Take secrets out of a finding, which may quote Runware."""
    return replace(finding, found=redact(finding.found), remedy=redact(finding.remedy))


def report_json(findings: Sequence[Finding], facts: Mapping[str, object], at: datetime) -> str:
    """Write the report: `facts` of the examination, when it was made, and its findings in their order."""
    report = {**facts, "at": at.isoformat(timespec="seconds"), "findings": [asdict(f) for f in findings]}
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def form_of_reply(reply: Reply | str) -> object:
    """Give an answer's HTTP status and the form of its body; the reason where none came."""
    return {"no answer": reply} if isinstance(reply, str) else {"http": reply.status, **_body(reply.body)}


def form_of(value: object, key: str = "") -> object:
    """Give the form of an answer, so that it can be shown to anyone: keys as they are, types for values.

    Codes, states and task types stay as they are. Of a list the first three elements are shown.
    """
    if isinstance(value, NoJSON):
        return "no JSON"
    if isinstance(value, Mapping):
        return {str(name): form_of(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        shown = [form_of(inner, key) for inner in value[:_MOST_ELEMENTS]]
        return shown if len(shown) == len(value) else [*shown, f"{len(value) - len(shown)} more"]
    if isinstance(value, str):
        return value if key in _TELLING_KEYS and _NAME.fullmatch(value) else "text"
    if isinstance(value, bool):
        return "true or false"
    return None if value is None else "number"


def _body(body: object) -> dict[str, object]:
    return {"body": form_of(body)}
