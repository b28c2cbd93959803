"""Runs Spin, the model checker: the model itself, or without one of its guards."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.missing import give_up

MODEL = Path(__file__).with_name("clip.pml").read_text()


@dataclass(frozen=True, slots=True)
class Search:
    """What a search of all states found: how many there are, and the assertion that one of them violates."""

    states: int
    violated: str | None
    steps: int


def search(model: str, folder: Path, *options: str) -> Search:
    """Visit every state of the model, up to a violated assertion. `options` are the compiler's."""
    need_spin()
    (folder / "model.pml").write_text(model)
    run(["spin", "-a", "model.pml"], folder)
    run(["gcc", "-w", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=4000", *options, "-o", "pan", "pan.c"], folder)
    said = run(["./pan", "-E", "-n", "-m100000", "-w22"], folder)
    assert "Search not completed" not in said or "assertion violated" in said, said
    violated = re.search(r"assertion violated (.*) \(at depth (\d+)\)", said)
    states = re.search(r"(\d+) states, stored", said)
    assert states, said
    return Search(int(states[1]), violated and violated[1], int(violated[2]) if violated else 0)


def need_spin() -> None:
    """Skip the test where Spin or a C compiler is missing."""
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            give_up(f"Install {tool} to have the model checked: apt-get install spin gcc libc6-dev")


def run(command: Sequence[str], folder: Path) -> str:
    """Give what a command prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
