"""Each safeguard is load-bearing: without it an invariant is violated within so many seeds."""

import pytest

from tests.simulation.ablation import Outcome, outcome, table
from tests.simulation.invariants import INVARIANTS
from tests.simulation.mutants import Change, changed
from tests.simulation.safeguards import SAFEGUARDS, Safeguard

_WITHIN = 200

LOAD_BEARING = [one for one in SAFEGUARDS if not one.idle]


@pytest.mark.parametrize("safeguard", LOAD_BEARING, ids=lambda one: one.name)
def test_removal_is_caught(safeguard: Safeguard) -> None:
    caught = outcome(safeguard, _WITHIN)
    assert caught.seed is not None, f"none of {_WITHIN} seeds needs it"


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda one: one.name)
def test_line_of_a_safeguard_is_in_the_code_once(safeguard: Safeguard) -> None:
    with changed(*safeguard.removed):
        pass


def test_change_that_no_line_fits_is_an_error() -> None:
    no_such = Change("service.clips.lifecycle:is_over", "no such line", "")
    with pytest.raises(AssertionError, match="0 times"), changed(no_such):
        pass


def test_table_says_what_catches_and_what_nothing_does() -> None:
    caught = Safeguard("one", (), aims=("deadline",))
    idle = Safeguard("two", (), idle="For speed alone.")
    written = table([Outcome(caught, 5, 3, "costs"), Outcome(idle, 5)])
    assert "| one | 3, `--aims deadline` | costs |" in written
    assert "| two | none of 5 | For speed alone. |" in written
    assert "costs" in INVARIANTS
