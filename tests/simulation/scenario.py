"""What happens in a run: drawn from a seed, reduced to what a failure needs, written as a command."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

_Press = Literal["generate", "retry", "check", "choose", "cancel"]
_Change = Literal["edit", "reorder", "watch", "delete", "restore", "duplicate"]
Verb = _Press | _Change

# How often each fault strikes where it may, in runs that have it: the range of which a run's rate is drawn.
FAULTS: Mapping[str, tuple[float, float]] = {
    # Each await
    "disorder": (0.2, 1.0),
    # Messages to Runware and back
    "request lost": (0.02, 0.3),
    "answer lost": (0.02, 0.3),
    "request doubled": (0.05, 0.3),
    "network slow": (0.05, 0.4),
    # Runware
    "busy before": (0.05, 0.4),
    "busy after": (0.05, 0.4),
    "throttled": (1.0, 1.0),
    "no credit": (0.05, 0.3),
    "refused": (0.03, 0.2),
    "outage": (1.0, 1.0),
    "unlisted": (0.1, 0.9),
    "archive lags": (1.0, 1.0),
    "blank": (1.0, 1.0),
    "forgotten once": (1.0, 1.0),
    "unknown": (0.05, 0.3),
    "moderated": (0.1, 0.6),
    "broken": (0.1, 0.6),
    "lost job": (0.1, 0.6),
    "slow job": (0.2, 0.9),
    "strange host": (0.1, 0.5),
    "leaky words": (1.0, 1.0),
    "ended is billed": (1.0, 1.0),
    # Webhooks
    "webhooks": (1.0, 1.0),
    "webhook lost": (0.1, 0.8),
    "webhook doubled": (0.1, 0.5),
    "webhook late": (0.1, 0.5),
    "forged": (1.0, 1.0),
    # The store
    "store slow": (0.02, 0.3),
    "store busy": (0.01, 0.1),
    "store unclear": (0.01, 0.1),
    # Copies
    "killed": (0.002, 0.02),
    "stopped": (0.002, 0.01),
    "clocks off": (1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Action:
    """Somebody does something, so many seconds after the start; `scene` counts from 0.

    `moment` is 0 to 1: which of the scene's texts is written, by which way, whether one scene or all are
    meant, or how long somebody watches.
    """

    at_s: float
    verb: Verb
    scene: int
    moment: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that is decided before a run; what is decided in it comes from the seed's streams, a fault each.

    Times are in seconds; a clip takes `usual_s` at most where nothing strikes.
    `rates` are of the faults that the run has; after `lasts_s` nothing
    strikes any more.
    """

    seed: int
    scenes: int
    copies: int
    clip_timeout_s: int
    interval_s: int
    batch_size: int
    room: int
    slots: int
    usual_s: float
    lasts_s: float
    rates: Mapping[str, float]
    actions: tuple[Action, ...]
    aims: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def has(self, fault: str) -> bool:
        return fault in self.rates

    def without(self, fault: str) -> "Scenario":
        rates = {name: rate for name, rate in self.rates.items() if name != fault}
        return replace(self, rates=rates, left_out=(*self.left_out, fault))

    def with_actions(self, kept: Collection[int]) -> "Scenario":
        actions = tuple(action for number, action in enumerate(self.actions) if number in kept)
        return replace(self, actions=actions)


# What a run is about, beside chance: faults that it has, and the times around which people act.
_PLOTS: Mapping[str, tuple[str, ...]] = {
    "any": (),
    "deadline": ("disorder", "slow job", "network slow", "webhooks"),
    "edits": ("disorder", "slow job", "store slow"),
    "cancels": ("network slow", "throttled"),
    "sending": ("answer lost", "request lost", "busy after", "archive lags"),
}
VISITS = "visits"
"""What runs have whose projects are watched, deleted, restored and duplicated, too."""
# Every so manieth run has them.
_VISITED = 3


def drawn(seed: int, aims: Collection[str] = ()) -> Scenario:
    """Draw what happens; `aims` are faults and plots that it has in any case, at their highest rates."""
    draw = Random(f"{seed}/scenario")
    clip_timeout_s = draw.choice([300, 300, 600, 1800])
    plots = [plot for plot in (*_PLOTS, "moves") if plot in aims] or ["any", *_PLOTS]
    plot = draw.choice(plots)
    chance_of_each = draw.choice([0.05, 0.2, 0.4])
    wanted = {*_PLOTS.get(plot, ()), *aims}
    names = [name for name in FAULTS if draw.random() < chance_of_each or name in wanted]
    if draw.random() < 0.7 and "webhooks" not in names:
        names.append("webhooks")
    return Scenario(
        seed=seed,
        aims=tuple(aims),
        scenes=draw.choice([1, 1, 2, 3]),
        copies=draw.choice([1, 2, 2, 3]),
        clip_timeout_s=clip_timeout_s,
        interval_s=draw.choice([10, 20]) if clip_timeout_s < 1000 else 30,
        batch_size=draw.choice([1, 2, 25]),
        room=draw.choice([1, 2, 4]),
        slots=draw.choice([1, 2]),
        usual_s=draw.choice([45.0, 180.0]),
        lasts_s=round(draw.uniform(0.2, 2.5) * clip_timeout_s, 1),
        rates={
            name: FAULTS[name][1] if name in aims else round(draw.uniform(*FAULTS[name]), 4) for name in names
        },
        actions=_with_visits(seed, aims, _actions(draw, plot, clip_timeout_s)),
    )


def _actions(draw: Random, plot: str, clip_timeout_s: int) -> tuple[Action, ...]:
    """Draw what people do: at first, one upon another, around the end of a clip's time and of its doubt."""
    actions = [Action(0.0, "generate", 0, 1.0)]
    verbs: Sequence[Verb] = ["generate", "generate", "retry", "check", "edit", "choose", "reorder", "cancel"]
    counts, moments = [1, 2, 4, 8], [0.0, 5.0, 30.0, clip_timeout_s, clip_timeout_s, 2 * clip_timeout_s]
    if plot == "deadline":
        verbs, counts = ["generate", "retry", "retry", "check"], [4, 8, 12]
        moments = [clip_timeout_s, 2 * clip_timeout_s]
        # So that the clips' times do not all end at once.
        edited_at = draw.uniform(2.0, 20.0)
        actions += [Action(edited_at, "edit", 1, 0.1), Action(edited_at + 1.0, "generate", 0, 1.0)]
    elif plot == "edits":
        verbs, counts = ["generate", "generate", "edit", "edit", "reorder"], [4, 8, 12]
        moments = [0.0, 30.0, clip_timeout_s]
    elif plot == "moves":
        verbs, counts, moments = ["reorder"], [20], [30.0, 40.0]
    elif plot == "cancels":
        verbs, counts, moments = ["generate", "retry", "cancel", "cancel"], [4, 8], [0.0, 5.0, 60.0]
    for _ in range(draw.choice(counts)):
        around = draw.choice([*moments, actions[-1].at_s])
        spread = draw.choice([0.1, 1.0, 15.0, 60.0])
        at_s = round(max(0.0, around + draw.uniform(-0.2, 1.0) * spread), 3)
        actions.append(Action(at_s, draw.choice(verbs), draw.randrange(3), round(draw.random(), 3)))
    return tuple(sorted(actions, key=lambda action: action.at_s))


def _with_visits(seed: int, aims: Collection[str], actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Add visits to some runs: around what else people do, and in the minutes in which clips come."""
    # From a stream of their own, so that all else of a run stays what it was.
    draw = Random(f"{seed}/visits")
    if VISITS not in aims and (aims or seed % _VISITED != 1):
        return actions
    verbs: Sequence[Verb] = ["watch", "watch", "watch", "duplicate", "delete", "restore"]
    visits = []
    for _ in range(draw.choice([1, 3, 6])):
        around = draw.choice([0.0, 45.0, 120.0, draw.choice(actions).at_s])
        at_s = round(around + draw.uniform(0.0, 30.0), 3)
        visits.append(Action(at_s, draw.choice(verbs), draw.randrange(3), round(draw.random(), 3)))
    return tuple(sorted((*actions, *visits), key=lambda action: action.at_s))


def command(scenario: Scenario) -> str:
    """Give the command that runs it again."""
    words = ["python", "-m", "tests.simulation", "--replay", str(scenario.seed)]
    original = drawn(scenario.seed, scenario.aims)
    if scenario.aims:
        words += ["--aims", ",".join(scenario.aims)]
    if scenario.left_out:
        words += ["--without", ",".join(scenario.left_out)]
    if scenario.actions != original.actions:
        kept = [str(number) for number, action in enumerate(original.actions) if action in scenario.actions]
        words += ["--actions", ",".join(kept)]
    return shlex.join(words)
