"""What the simulation has found: each run once violated an invariant, by the defect that its test names."""

import pytest

from tests.simulation.scenario import Scenario, drawn
from tests.simulation.world import play


def _violation(scenario: Scenario) -> str | None:
    return play(scenario).violation


@pytest.mark.parametrize("seed", [74])
def test_refusal_of_a_send_is_not_the_end_of_one_that_another_copy_made_meanwhile(seed: int) -> None:
    """A clock two minutes behind ended the grace at once; the second send was taken, and told as free."""
    assert _violation(drawn(seed, ["edits", "refused"])) is None
