"""What the page decides without a browser: its models, by Node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.missing import give_up

FILES = sorted(Path(__file__).parent.glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_model_does_what_its_tests_say(file: Path) -> None:
    node = shutil.which("node")
    if node is None:
        give_up("Node is needed to test the page's models, and is not installed")
    told = subprocess.run([node, "--test", file], capture_output=True, check=False, text=True)
    assert told.returncode == 0, told.stdout
