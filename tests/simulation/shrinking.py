"""Makes a failing run as small as it gets: without each fault and action that the failure does not need."""

from tests.simulation.scenario import Scenario
from tests.simulation.world import Result, play


def shrunk(failing: Result) -> Result:
    """Leave out faults and actions, one at a time, as long as the same invariant is violated."""
    smallest, again = failing, True
    while again:
        again = False
        for smaller in _smaller(smallest.scenario):
            result = play(smaller)
            if _invariant(result) == _invariant(failing):
                smallest, again = result, True
                break
    return smallest


def _smaller(scenario: Scenario) -> list[Scenario]:
    without = [scenario.without(fault) for fault in scenario.rates]
    numbers = range(len(scenario.actions))
    fewer = [scenario.with_actions([other for other in numbers if other != number]) for number in numbers]
    return fewer + without


def _invariant(result: Result) -> str:
    return (result.violation or "").partition(":")[0]
