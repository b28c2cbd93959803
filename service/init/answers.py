"""What `clips init` was told, and the .env and the next steps that follow from it. Pure."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.addresses import is_loopback, local_url

_PLAIN = re.compile(r"[\w.:/@%+=,~*-]+")
_HEADER = """\
# Written by clips init. deploy/.env.example has every setting with its default.
# It holds secrets: never commit it.
"""


@dataclass(frozen=True, slots=True)
class SupabaseProject:
    """Where projects and clips are kept. Without the public key no user can sign in on the page."""

    url: str
    service_role_key: str
    anon_key: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person, or the command line, says of an installation."""

    runware_api_key: str
    port: int = 8000
    host: str | None = None
    public_url: str | None = None
    supabase: SupabaseProject | None = None

    @property
    def page(self) -> str:
        """Where a browser opens the page."""
        return self.public_url or local_url(self.host or "127.0.0.1", self.port)

    @property
    def others_can_call(self) -> bool:
        """Whether anyone but this machine can reach the service, and so needs a token."""
        public_host = urlsplit(self.public_url or "").hostname or ""
        return bool(
            self.supabase
            or (self.public_url and not is_loopback(public_host))
            or (self.host and not is_loopback(self.host))
        )


def secrets_for(
    answers: Answers, kept: Mapping[str, str], make: Callable[[], str] = lambda: secrets.token_hex(32)
) -> Mapping[str, str]:
    """Give the secrets that these answers need, by their variables.

    Those `kept` from before stay, since callers and callback URLs that are under way have them.
    """
    needed = [
        name
        for name, is_needed in (
            ("SERVICE_TOKEN", answers.others_can_call),
            ("WEBHOOK_SECRET", answers.public_url is not None),
        )
        if is_needed
    ]
    return {name: kept.get(name) or make() for name in needed}


def env_text(answers: Answers, made: Mapping[str, str]) -> str:
    """Write the .env of these answers, with the secrets that were `made` for them."""
    return _HEADER + "".join(
        f"\n# {why}\n" + "".join(f"{name}={_quoted(value)}\n" for name, value in settings.items())
        for why, settings in _sections(answers, made)
        if settings
    )


def next_steps(answers: Answers, command: str, *, well: bool) -> Sequence[str]:
    """Say what to do next, a line each, with commands as they are typed; `well`: all checks were passed."""
    first = [] if well else [f"Mend what failed above, then see: {command} doctor"]
    asks = "SERVICE_TOKEN" in secrets_for(answers, {}, str)
    export = "export CLIPS_TOKEN=$(sed -n 's/^SERVICE_TOKEN=//p' .env)"
    return [
        *first,
        f"Start the service: {command} serve",
        f"Open the page: {answers.page}" + (", and sign in with the SERVICE_TOKEN in .env" if asks else ""),
        *([f"Give the clips commands the token: {export}"] if asks else []),
        *([f"While it runs, have it called as Runware does: {command} doctor"] if answers.public_url else []),
        f"Have one real clip made, for at most $0.20: {command} doctor --spend 0.20",
    ]


def _sections(answers: Answers, made: Mapping[str, str]) -> Sequence[tuple[str, Mapping[str, str]]]:
    public = {"PUBLIC_URL": answers.public_url, "WEBHOOK_SECRET": made.get("WEBHOOK_SECRET")}
    listening = {"HOST": answers.host, "PORT": str(answers.port)}
    return (
        ("The account's key, from Runware's dashboard.", {"RUNWARE_API_KEY": answers.runware_api_key}),
        _store(answers.supabase),
        ("Where Runware and browsers reach the service, and what signs callback URLs.", _given(public)),
        (
            "What callers send as Authorization: Bearer, and operators sign in with.",
            _given({"SERVICE_TOKEN": made.get("SERVICE_TOKEN")}),
        ),
        ("Where the service listens.", _given(listening)),
    )


def _store(supabase: SupabaseProject | None) -> tuple[str, Mapping[str, str]]:
    if supabase is None:
        why = "The file of the embedded database, beside this one."
        return why, {"DATABASE_PATH": "clips.db"}
    project = {
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_role_key,
        "SUPABASE_ANON_KEY": supabase.anon_key,
    }
    return "The Supabase project that keeps projects and clips.", _given(project)


def _given(settings: Mapping[str, str | None]) -> Mapping[str, str]:
    return {name: value for name, value in settings.items() if value}


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
