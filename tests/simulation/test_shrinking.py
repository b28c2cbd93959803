"""A failing run gets small, stays the same failure, and its command plays it again."""

import shlex
import subprocess
import sys

from tests.simulation.mutants import changed
from tests.simulation.safeguards import SAFEGUARDS
from tests.simulation.scenario import command, drawn
from tests.simulation.shrinking import shrunk
from tests.simulation.world import play

_NO_ANSWER_FROM_THE_LEDGER = next(one for one in SAFEGUARDS if one.name == "an answer comes after the commit")


def test_failing_run_shrinks_to_what_the_failure_needs() -> None:
    with changed(*_NO_ANSWER_FROM_THE_LEDGER.removed):
        failing = next(
            result for seed in range(20) if (result := play(drawn(seed, ["webhooks", "disorder"]))).violation
        )
        small = shrunk(failing)
        assert small.violation is not None
        assert small.violation.startswith("acknowledged:")
        # The last press, when all is quiet, is all that it takes.
        assert (list(small.scenario.rates), small.scenario.actions) == (["webhooks"], ())
        assert play(small.scenario).trace == small.trace
    assert play(small.scenario).violation is None


def test_command_of_a_run_plays_it_again() -> None:
    scenario = drawn(5).with_actions([0])
    scenario = scenario.without(next(iter(scenario.rates)))
    _, *words = shlex.split(command(scenario))
    again = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    assert f"trace {play(scenario).trace:x}" in again.stdout
    assert "Nothing was violated." in again.stdout
