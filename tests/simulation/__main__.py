"""Plays many seeds, or one again, or takes each safeguard out in turn; see the README."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.ablation import outcome, table
from tests.simulation.safeguards import SAFEGUARDS
from tests.simulation.scenario import Scenario, drawn
from tests.simulation.shrinking import shrunk
from tests.simulation.world import Result, play

_SEEDS_AT_A_TIME = 50


def main() -> int:
    """Do what the command line says; gives how many runs violated something, 1 at most."""
    options = _options()
    if options.replay is not None:
        return _replay(options)
    if options.ablation:
        return _ablation(options.seeds, options.processes)
    return _many(options.start, options.seeds, options.processes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many to play")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--ablation", action="store_true", help="write the table of safeguards, --seeds for each"
    )
    parser.add_argument("--replay", type=int, metavar="SEED", help="play one, and print what happens")
    parser.add_argument(
        "--aims", type=_names, default=(), help="faults and plots that the run has among others"
    )
    parser.add_argument("--without", type=_names, default=(), help="faults that it does not have")
    parser.add_argument("--actions", type=_names, help="the numbers of the actions that it has")
    parser.add_argument("--shrink", action="store_true", help="make a run that fails as small as it gets")
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _replay(options: argparse.Namespace) -> int:
    result = play(_scenario(options))
    if options.shrink and result.violation:
        result = shrunk(result)
    print(*result.notes, sep="\n")
    print(f"{result.steps} steps, trace {result.trace:x}")
    print(result.told if result.violation else "Nothing was violated.")
    return int(result.violation is not None)


def _scenario(options: argparse.Namespace) -> Scenario:
    scenario = drawn(options.replay, options.aims)
    if options.actions is not None:
        scenario = scenario.with_actions([int(number) for number in options.actions])
    for fault in options.without:
        scenario = scenario.without(fault)
    return scenario


def _many(start: int, seeds: int, processes: int) -> int:
    began = time.perf_counter()
    parts = [
        range(at, min(at + _SEEDS_AT_A_TIME, start + seeds))
        for at in range(start, start + seeds, _SEEDS_AT_A_TIME)
    ]
    steps = bought = kills = failures = 0
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(_part, parts):
            steps += sum(result.steps for result in part)
            bought += sum(result.bought for result in part)
            kills += sum(result.kills for result in part)
            for result in part:
                if result.violation:
                    failures += 1
                    print(result.told, flush=True)
    took = time.perf_counter() - began
    print(
        f"{seeds} seeds from {start}, {failures} of them violated an invariant. "
        f"{steps} steps, {bought} clips bought, {kills} copies killed or stopped, "
        f"in {took:.0f} s on {processes} processes: {seeds / took:.1f} seeds a second."
    )
    return int(failures > 0)


def _part(seeds: Sequence[int]) -> list[Result]:
    return [_brief(play(drawn(seed))) for seed in seeds]


def _brief(result: Result) -> Result:
    result.notes = []
    return result


def _ablation(seeds: int, processes: int) -> int:
    with ProcessPoolExecutor(processes) as pool:
        outcomes = list(pool.map(outcome, SAFEGUARDS, [seeds] * len(SAFEGUARDS)))
    print(table(outcomes))
    return int(any(one.is_unsettled for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
