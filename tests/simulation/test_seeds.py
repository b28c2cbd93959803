"""Two thousand seeds in CI; `python -m tests.simulation` plays as many as one likes."""

import os
import subprocess
import sys

import pytest

from tests.simulation.scenario import command, drawn
from tests.simulation.shrinking import shrunk
from tests.simulation.world import play

# In parts, so that they are shared out among the cores.
_PARTS, _SEEDS_A_PART = 40, 50


@pytest.mark.parametrize("part", range(_PARTS))
def test_no_seed_violates_an_invariant(part: int) -> None:
    for seed in range(part * _SEEDS_A_PART, (part + 1) * _SEEDS_A_PART):
        result = play(drawn(seed))
        assert result.violation is None, shrunk(result).told


def test_same_seed_is_the_same_run_to_the_last_step() -> None:
    first = play(drawn(7))
    assert first.steps > 500
    for _ in range(100):
        again = play(drawn(7))
        assert (again.trace, again.notes) == (first.trace, first.notes)


def test_run_does_not_depend_on_the_process_that_plays_it() -> None:
    program = "from tests.simulation.scenario import drawn; from tests.simulation.world import play; "
    program += "print([play(drawn(seed)).trace for seed in range(20)])"
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "1", "2")
    }
    assert traces == {f"{[play(drawn(seed)).trace for seed in range(20)]}\n"}


def test_other_seeds_are_other_runs() -> None:
    assert len({play(drawn(seed)).trace for seed in range(20)}) == 20


def test_command_of_a_reduced_run_says_what_was_left_out() -> None:
    scenario = drawn(3)
    fault = next(iter(scenario.rates))
    words = command(scenario.without(fault).with_actions([0]))
    assert words == f"python -m tests.simulation --replay 3 --without {fault!r} --actions 0".replace(
        f"{fault!r}", f"'{fault}'" if " " in fault else fault
    )
