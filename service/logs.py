"""Structured logs: JSON for machines, columns on a terminal, and no secret in either."""

import logging
import re
import sys
from collections.abc import Iterable
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# A URL's query or fragment may hold a signature or a token: the callback URL's does.
_URL_SECRET_PART = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:(?:\\?/){2}[^\s?#]*)[?#]\S*")
_MAY_HOLD_SECRET = re.compile(r"[/=%\s]")
_URL_USER = re.compile(r"(://)[^\s/@\"']+@")
_CREDENTIAL = re.compile(r"(?i)\b(bearer\s+|basic\s+)\S+")
_NAMED_SECRET = re.compile(
    r"(?i)\b([\w-]*(?:token|sig|signature|api_?key|secret|password|credential)(?:=|%3D))[^\s&\"'<>]+"
)


class Redactor:
    """Takes known secrets, credentials and the queries of URLs out of texts and of all that is logged."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Do so for one log line, at any depth."""
        return {key: self._clean(value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Do so for one text."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        # Ids, numbers and names are most of what is logged, and can't match what follows.
        if not _MAY_HOLD_SECRET.search(text):
            return text
        text = _URL_SECRET_PART.sub(r"\1?***", text)
        text = _URL_USER.sub(r"\1***@", text)
        text = _CREDENTIAL.sub(r"\1***", text)
        return _NAMED_SECRET.sub(r"\1***", text)

    def _clean(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self._clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))


def _console_renderer() -> structlog.dev.ConsoleRenderer:
    # The pretty tracebacks show local variables, and so secrets.
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def configure_logs(
    log_format: Literal["auto", "console", "json"], secrets: Iterable[str], stream: TextIO | None = None
) -> None:
    """Send the logs of the service and of its libraries to `stream`, stderr if None.

    `auto` is `console` on a terminal, else `json`.
    """
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                Redactor(secrets),
                _console_renderer() if console else structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # Neither a line for each tick or query nor uvicorn's greetings say more than the service's own lines.
    for library in ("apscheduler", "httpx", "uvicorn.error"):
        logging.getLogger(library).setLevel(logging.WARNING)
