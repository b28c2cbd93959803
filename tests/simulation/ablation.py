"""Takes a safeguard out, and plays seeds until an invariant tells."""

from dataclasses import dataclass

from tests.simulation.invariants import INVARIANTS
from tests.simulation.mutants import changed
from tests.simulation.safeguards import Safeguard
from tests.simulation.scenario import drawn
from tests.simulation.world import play


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which of so many seeds caught the removal first, and by which invariant; None and "" where none did."""

    safeguard: Safeguard
    seeds: int
    seed: int | None = None
    invariant: str = ""

    @property
    def is_unsettled(self) -> bool:
        """Whether the table has no answer for it, or a wrong one."""
        return (self.seed is None) != bool(self.safeguard.idle)


def outcome(safeguard: Safeguard, seeds: int) -> Outcome:
    """Play so many seeds without a safeguard, from `near` on, until one catches that."""
    with changed(*safeguard.removed):
        for seed in range(safeguard.near, safeguard.near + seeds):
            violation = play(drawn(seed, safeguard.aims)).violation
            if violation is not None:
                invariant = violation.partition(":")[0]
                assert invariant in INVARIANTS, violation
                return Outcome(safeguard, seeds, seed, invariant)
    return Outcome(safeguard, seeds)


def table(outcomes: list[Outcome]) -> str:
    """Write what came of all of them."""
    rows = ["| without | caught by seed | invariant, or why nothing catches it |", "|---|---|---|"]
    for one in outcomes:
        aims = f", `--aims {','.join(one.safeguard.aims)}`" if one.safeguard.aims else ""
        if one.seed is None:
            rows.append(f"| {one.safeguard.name} | none of {one.seeds} | {one.safeguard.idle or '?'} |")
        else:
            rows.append(f"| {one.safeguard.name} | {one.seed}{aims} | {one.invariant} |")
    return "\n".join(rows)
