"""The questions of `clips init`, and who answers them: options, the environment, a person."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from service.errors import ServiceError
from service.init.answers import Answers, SupabaseProject
from service.settings import IsolatedSettings, Settings

T = TypeVar("T")

DEFAULT_PORT = 8000


class AnswerMissing(ServiceError):
    """Nobody can be asked, and neither an option nor the environment answers."""

    code = "answer_missing"


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line answers already; `ask` says whether a person can answer the rest."""

    ask: bool
    host: str | None = None
    port: int | None = None
    public_url: str | None = None
    supabase_url: str | None = None


def answers_to(given: Given, before: Mapping[str, str]) -> Answers:
    """Ask what is not given; the key may be the one of `before`, the settings of the file that is replaced.

    Raises AnswerMissing; ValueError, whose text names the setting, for a given answer that can't be used.
    """
    for name in ("host", "port", "public_url", "supabase_url"):
        if (value := getattr(given, name)) is not None:
            judged(name, value)
    return Answers(
        runware_api_key=_runware_key(given, before.get("RUNWARE_API_KEY")),
        supabase=_supabase(given),
        public_url=_public_url(given),
        port=_port(given),
        host=given.host,
    )


def judged(name: str, value: object) -> Any:
    """Give a setting's value as the service reads it. Raises ValueError, whose text says what is wrong."""
    field = Settings.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    try:
        return TypeAdapter[Any](kind).validate_python(value)
    except ValidationError as wrong:
        message = str(wrong.errors()[0]["msg"]).removeprefix("Value error, ")
        raise ValueError(f"{name.upper()} is wrong: {message}") from None


def _key(text: str) -> str:
    try:
        IsolatedSettings(runware_api_key=text)
    except ValidationError as wrong:
        raise ValueError(str(wrong.errors()[0]["msg"]).removeprefix("Value error, ")) from None
    return text


def _runware_key(given: Given, before: str | None) -> str:
    if key := os.environ.get("RUNWARE_API_KEY"):
        typer.echo("The key is taken from RUNWARE_API_KEY in the environment.")
        return _key(key)
    if given.ask:
        keep = " (Enter keeps the one in .env)" if before else ""
        return _asked(f"Runware's API key, which is not shown{keep}", _key, default=before, hidden=True)
    piped = "" if sys.stdin.isatty() else sys.stdin.readline().strip()
    if key := piped or before:
        return _key(key)
    raise AnswerMissing(
        "There is no key. Put it into RUNWARE_API_KEY in the environment, or pipe it to this command."
    )


def _supabase(given: Given) -> SupabaseProject | None:
    url = given.supabase_url
    if url is None and not (given.ask and typer.confirm(_STORE_QUESTION, default=False)):
        return None
    if url is None:
        url = _asked(
            "The Supabase project's address, such as https://abc.supabase.co", _judge("supabase_url")
        )
    return SupabaseProject(
        str(judged("supabase_url", url)),
        _supabase_key(given, "SUPABASE_SERVICE_ROLE_KEY", "service_role or secret key, which is not shown"),
        _supabase_key(given, "SUPABASE_ANON_KEY", "anon or publishable key (empty: nobody signs in by it)"),
    )


_STORE_QUESTION = "Keep projects and clips in a Supabase project? Else in a database file on this machine"


def _supabase_key(given: Given, variable: str, words: str) -> str:
    optional = variable == "SUPABASE_ANON_KEY"

    def judge(text: str) -> str:
        if text or not optional:
            judged(variable.lower(), text)
        return text

    if key := os.environ.get(variable):
        return judge(key)
    if given.ask:
        default = "" if optional else None
        return _asked(f"Its {words}", judge, default=default, hidden=not optional)
    if optional:
        return ""
    raise AnswerMissing(f"There is no {variable}. Put it into the environment.")


def _public_url(given: Given) -> str | None:
    if given.public_url is not None:
        return str(judged("public_url", given.public_url))
    if not given.ask:
        return None
    question = "Address at which the internet reaches the service (empty: none, everything works without)"

    def judge(text: str) -> str | None:
        return str(judged("public_url", text)) if text else None

    return _asked(question, judge, default="")


def _port(given: Given) -> int:
    if given.port is not None:
        return given.port
    if not given.ask:
        return DEFAULT_PORT
    return int(_asked("Port to listen on", _judge("port"), default=str(DEFAULT_PORT), show=True))


def _judge(name: str) -> Callable[[str], Any]:
    return lambda text: judged(name, text)


def _asked(
    question: str,
    judge: Callable[[str], T],
    *,
    default: str | None = None,
    hidden: bool = False,
    show: bool = False,
) -> T:
    """Ask until the answer can be used."""
    while True:
        answer = typer.prompt(question, default=default, hide_input=hidden, show_default=show, type=str)
        try:
            return judge(answer.strip())
        except ValueError as wrong:
            typer.echo(str(wrong))
