"""What a command is about to spend, told before it is sent, and asked above a sum."""

import asyncio
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from service.terminal.answers import Quote
from service.terminal.reports import ExitCode


@dataclass(frozen=True, slots=True)
class Spending:
    """How many clips a call buys, and for how much: None where a price is not known.

    `clips` is None where the service is too old to tell either.
    """

    clips: int | None
    usd: float | None

    @classmethod
    def of(cls, quotes: Mapping[str, Quote] | None, scenes: Collection[str] | None = None) -> Self:
        """Add up what is not paid of these scenes, None being all."""
        if quotes is None:
            return cls(None, None)
        named = [quote for scene, quote in quotes.items() if scenes is None or scene in scenes]
        prices = [quote.usd for quote in named if not quote.paid]
        known = [price for price in prices if price is not None]
        return cls(len(prices), round(sum(known), 4) if len(known) == len(prices) else None)

    @property
    def sentence(self) -> str:
        """What is about to be spent, for a person; "" if that is nothing."""
        if self.clips == 0:
            return ""
        if self.clips is None:
            return "This service is too old to tell a price beforehand."
        clips = "1 clip" if self.clips == 1 else f"{self.clips} clips"
        return f"{clips}, price not known." if self.usd is None else f"{clips}, ${self.usd:.2f}."

    def is_above(self, limit_usd: float) -> bool:
        """Whether it may be more than that: a price that is not known may be anything."""
        return self.clips != 0 and (self.usd is None or self.usd > limit_usd)


class NothingSent(Exception):
    """Nobody has agreed to what would be spent; `exit_code` is what that means to a script."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Consent:
    """What may be spent without a question: up to a sum, or with `yes` anything."""

    above_usd: float
    yes: bool

    async def ask(self, spending: Spending) -> None:
        """Tell what is about to be spent, and ask where that is much. Raises NothingSent.

        All of it goes to stderr, so that stdout keeps what a script reads.
        """
        if spending.sentence:
            sys.stderr.write(f"{spending.sentence}\n")
        if self.yes or not spending.is_above(self.above_usd):
            return
        if not sys.stdin.isatty():
            raise NothingSent(
                f"That is more than the {self.above_usd:g} USD of --confirm-above, or may be. "
                "Nothing was sent, since there is no terminal to ask on: use --yes, or allow more.",
                ExitCode.WRONG_USE,
            )
        sys.stderr.write("Go on? [y/N] ")
        sys.stderr.flush()
        if (await _line()).strip().lower() not in ("y", "yes"):
            raise NothingSent("Nothing was sent.", ExitCode.STOPPED)


async def _line() -> str:
    """Read a line from the terminal; Ctrl-C ends the waiting, which it would not end in a thread."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()
