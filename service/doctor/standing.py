"""What the answers of a running service tell of it. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from service.addresses import is_private
from service.clips.frames import FramesWay
from service.doctor.findings import (
    APPLY_MIGRATIONS,
    DATABASE_IS_COMPLETE,
    NO_WEBHOOKS,
    SET_PUBLIC_URL,
    Finding,
    Verdict,
)

_RELEASE = re.compile(r"[\w.+-]{1,40}")
_MIGRATION = re.compile(r"[\w.-]{1,100}")
_PREFIX = "clip_service_"
_LOOK_BEFORE = "See that --url leads to the service, by all of its path, and that no login stands before it."


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of the service, or of what stands in its place: the HTTP status and the text."""

    status: int
    text: str

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON object of the answer; empty if it has none."""
        try:
            body = json.loads(self.text)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}


@dataclass(frozen=True, slots=True)
class Counted:
    """What `/metrics` shows: how the service was set up (empty where it is too old to tell), and counts."""

    info: Mapping[str, str]
    samples: Sequence[tuple[str, Mapping[str, str], float]]

    @classmethod
    def of(cls, text: str) -> "Counted":
        """Read the text of `/metrics`. Raises ValueError, if it is none."""
        samples = [
            (sample.name.removeprefix(_PREFIX), sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]
        return cls(next((labels for name, labels, _ in samples if name == "info"), {}), samples)

    def total(self, name: str, **labels: str) -> int:
        """Add up the series that have these labels."""
        return int(
            sum(
                value for found, its, value in self.samples if found == name and labels.items() <= its.items()
            )
        )


def is_read_on_the_way(url: str) -> bool:
    """Whether what is sent to a URL crosses the internet in the clear."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_private(parts.hostname or "")


def service_finding(url: str, said: Said | str) -> Finding:
    """Judge the answer of `/healthz`, or the reason why none came."""
    part = "Service"
    if isinstance(said, str):
        found = f"{url} can't be reached: {said}."
        return Finding(part, Verdict.FAILED, found, "Start it with clips serve, or correct --url.")
    if HTTPStatus.MULTIPLE_CHOICES <= said.status < HTTPStatus.BAD_REQUEST:
        return Finding(
            part,
            Verdict.FAILED,
            f"{url} redirects (HTTP {said.status}), which is not followed: the token is for this host alone.",
            "Give --url the address that it redirects to.",
        )
    if (said.status, said.body) == (HTTPStatus.OK, {"status": "ok"}):
        return Finding(part, Verdict.OK, f"It answers at {url}.")
    found = f"{url} answers, but not as the clip service does (HTTP {said.status})."
    return Finding(part, Verdict.FAILED, found, _LOOK_BEFORE)


def release_finding(said: Said | str, ours: str) -> Finding:
    """Compare the release that `/openapi.json` names with that of this command."""
    part = "Release"
    about = {} if isinstance(said, str) else said.body.get("info")
    theirs = str(about.get("version", "")) if isinstance(about, dict) else ""
    if not _RELEASE.fullmatch(theirs):
        return Finding(part, Verdict.UNTOLD, "/openapi.json does not name it.", _LOOK_BEFORE)
    if theirs == ours:
        return Finding(part, Verdict.OK, f"It has {theirs}, as this command does.")
    found = f"It has {theirs}, this command {ours}: what follows is judged by the rules of {ours}."
    return Finding(part, Verdict.WARNING, found, "Update the older one.")


def readiness_findings(said: Said | str) -> Sequence[Finding]:
    """Judge the answer of `/readyz`: the database and the poller."""
    ready = {} if isinstance(said, str) else said.body
    if not {"store", "poller", "missing_migrations"} <= ready.keys():
        why = said if isinstance(said, str) else f"HTTP {said.status}"
        found = f"/readyz does not tell ({why})."
        return [Finding("Database", Verdict.FAILED, found, _LOOK_BEFORE)]
    return [_database(ready), _poller(ready)]


def _database(ready: Mapping[str, Any]) -> Finding:
    part = "Database"
    if ready["store"] == "reachable":
        return Finding(part, Verdict.OK, DATABASE_IS_COMPLETE)
    if ready["store"] == "outdated":
        names = [str(name) for name in ready["missing_migrations"] if _MIGRATION.fullmatch(str(name))]
        found = f"It is reached, and lacks {', '.join(names)}."
        return Finding(part, Verdict.FAILED, found, APPLY_MIGRATIONS)
    if ready["store"] == "full":
        found = "Its disk is full: nothing can be stored, and no clip asked for."
        return Finding(part, Verdict.FAILED, found, "Free some space. The service goes on by itself.")
    return Finding(
        part,
        Verdict.FAILED,
        "The service can't reach it.",
        "Look at Supabase's dashboard, or at the database's disk. The service goes on by itself.",
    )


def _poller(ready: Mapping[str, Any]) -> Finding:
    part = "Poller"
    if ready["poller"] == "alive":
        return Finding(part, Verdict.OK, "It looks for the results that no webhook brings.")
    found = "It has stalled: a result whose webhook is missed is not found."
    return Finding(
        part, Verdict.FAILED, found, "Restart the service, and report this with the log before it."
    )


def page_of_service_finding(said: Said | str) -> Finding:
    """Say who can sign in on the page, by `/studio/config`."""
    part = "Page"
    config = {} if isinstance(said, str) else said.body
    match config.get("sign_in"):
        case "none":
            return Finding(part, Verdict.OK, "Nobody has to sign in on it: it answers this machine alone.")
        case "token":
            return Finding(part, Verdict.OK, "Operators sign in on it by the SERVICE_TOKEN.")
        case "supabase":
            return sign_in_finding(
                accounts=bool(config.get("anon_key")), operators=bool(config.get("operator_token"))
            )
    return Finding(part, Verdict.UNTOLD, "/studio/config does not tell who signs in on it.", _LOOK_BEFORE)


def token_finding(said: Said | str, *, sent: bool) -> Finding:
    """Judge whether `/metrics`, which is for operators, answers; `sent` says whether a token went along."""
    part = "Token"
    status = 0 if isinstance(said, str) else said.status
    if status == HTTPStatus.OK:
        found = "It is an operator's." if sent else "None is needed on this machine."
        return Finding(part, Verdict.OK, found)
    if status == HTTPStatus.UNAUTHORIZED and not sent:
        return Finding(
            part,
            Verdict.UNTOLD,
            "None was sent, so that webhooks and frames stay untold.",
            "Set CLIPS_TOKEN to the SERVICE_TOKEN that the service runs with.",
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return Finding(
            part,
            Verdict.FAILED,
            "The service refuses it, or it is not an operator's.",
            "Set CLIPS_TOKEN to the SERVICE_TOKEN that the service runs with.",
        )
    why = said if isinstance(said, str) else f"HTTP {status}"
    return Finding(
        part, Verdict.FAILED, f"/metrics does not answer as the service does ({why}).", _LOOK_BEFORE
    )


def settings_findings(metrics: str) -> Sequence[Finding]:
    """Say how the service was set up, and whether webhooks come, by the text of `/metrics`."""
    try:
        counted = Counted.of(metrics)
    except ValueError:
        return [Finding("Webhooks", Verdict.UNTOLD, "/metrics can't be read.", _LOOK_BEFORE)]
    if not counted.info:
        found = "This release does not tell how it was set up."
        return [Finding("Webhooks", Verdict.UNTOLD, found, "Update it.")]
    return [_store(counted.info), webhooks_finding(counted), _frames(counted.info)]


def _store(info: Mapping[str, str]) -> Finding:
    if info.get("store") == "supabase":
        return Finding("Store", Verdict.OK, "It keeps projects and clips in Supabase.")
    return Finding(
        "Store", Verdict.OK, "It keeps projects and clips in a file of its own, for one copy alone."
    )


def webhooks_finding(counted: Counted) -> Finding:
    """Say whether results can come by webhook, and whether they do."""
    part = "Webhooks"
    if counted.info.get("webhooks") != "asked_for":
        return Finding(part, Verdict.WARNING, NO_WEBHOOKS, SET_PUBLIC_URL)
    came = counted.total("webhooks_total", outcome="changed") + counted.total(
        "webhooks_total", outcome="duplicate"
    )
    refused = counted.total("webhooks_total", outcome="unauthorized")
    polled = counted.total("clips_settled_total", settled_by="poll")
    if refused:
        return Finding(
            part,
            Verdict.WARNING,
            f"{_count(refused, 'was', 'were')} refused for its token since the start, {came} taken.",
            "Give every copy the same WEBHOOK_SECRET, and see that no proxy drops the query of URLs.",
        )
    if polled and not came:
        results = _count(polled, "result", "results")
        return Finding(
            part,
            Verdict.WARNING,
            f"They are asked for, and none has come since the start; the poller found {results}.",
            "Run clips doctor where the service runs: it calls PUBLIC_URL as Runware does.",
        )
    return Finding(part, Verdict.OK, f"They are asked for; {came} came since the start.")


def _frames(info: Mapping[str, str]) -> Finding:
    part = "Frames"
    match info.get("uploaded_frames"):
        case FramesWay.FETCHED:
            return Finding(part, Verdict.OK, "Runware fetches uploaded frames by their URLs.")
        case FramesWay.SENT_ALONG:
            return Finding(part, Verdict.OK, "Uploaded frames are sent along with their clips.")
        case FramesWay.OUT_OF_REACH:
            return Finding(
                part,
                Verdict.FAILED,
                "Uploaded frames lie in a Supabase that Runware can't reach.",
                "Set SUPABASE_URL to a project that is reached from outside, or leave it out.",
            )
    return Finding(part, Verdict.UNTOLD, "The service does not tell how they get to Runware.", "Update it.")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def sign_in_finding(*, accounts: bool, operators: bool, allow_anon: bool = False) -> Finding:
    """Say who can sign in on the page beside Supabase, and so whether anybody sees a project on it."""
    part = "Page"
    if accounts and operators:
        found = "The project's users can sign in on it, and operators by the SERVICE_TOKEN."
        return Finding(part, Verdict.OK, found)
    if operators:
        found = "Operators can sign in on it by the SERVICE_TOKEN, users can't: SUPABASE_ANON_KEY is not set."
        return Finding(part, Verdict.OK, found)
    if accounts and allow_anon:
        return Finding(
            part,
            Verdict.WARNING,
            "The project's users can sign in on it; where the application has none, nobody sees a project.",
            "Set SERVICE_TOKEN, restart, and sign in on the page as operator.",
        )
    if accounts:
        return Finding(part, Verdict.OK, "The project's users can sign in on it.")
    return Finding(
        part,
        Verdict.WARNING,
        "Nobody can sign in on it: neither SUPABASE_ANON_KEY nor SERVICE_TOKEN is set.",
        "Set SUPABASE_ANON_KEY to the project's anon or publishable key for its users, or SERVICE_TOKEN for "
        "operators, and restart.",
    )
