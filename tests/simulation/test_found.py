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


@pytest.mark.parametrize("seed", [204552])
def test_time_out_is_no_end_of_what_another_copy_sent_during_the_last_look(seed: int) -> None:
    """The poller had seen a clip without room, and told it as refused and free after it had been taken."""
    assert _violation(drawn(seed)) is None


@pytest.mark.parametrize("seed", [221175])
def test_attempt_that_finds_no_room_after_the_video_came_does_not_wait_for_its_turn(seed: int) -> None:
    """The late video came while the attempt was on its way to Runware, which then had no room for it."""
    assert _violation(drawn(seed)) is None
