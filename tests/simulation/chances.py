"""What strikes when: a stream of random numbers for each fault, so that leaving one out moves no other."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from tests.simulation.scenario import Scenario

T = TypeVar("T")


class Chances:
    """Draws from the seed's streams. Nothing strikes once it is `quiet`."""

    def __init__(self, scenario: Scenario) -> None:
        self.quiet = False
        self._scenario = scenario
        self._streams: dict[str, Random] = {}

    def stream(self, name: str) -> Random:
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Random(f"{self._scenario.seed}/{name}")
        return found

    def has(self, fault: str) -> bool:
        return fault in self._scenario.rates and not self.quiet

    def rate(self, fault: str) -> float:
        return self._scenario.rates[fault] if self.has(fault) else 0.0

    def strikes(self, fault: str) -> bool:
        return self.has(fault) and self.stream(fault).random() < self._scenario.rates[fault]

    def between(self, name: str, least: float, most: float) -> float:
        return self.stream(name).uniform(least, most)

    def choice(self, name: str, options: Sequence[T]) -> T:
        return self.stream(name).choice(options)
