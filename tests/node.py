"""Node, and the clients of other people's that tests run in it."""

import asyncio
import json
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import fasteners

from tests.missing import give_up


def install(folder: Path) -> str:
    """Install the packages that a folder's package.json pins, and return the path of Node.

    Gives the test up without Node and npm.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        give_up(f"Node and npm are needed to run {folder.name}, and are not installed")
    pinned = json.loads((folder / "package.json").read_text("utf-8"))["dependencies"]
    installed = [folder / "node_modules" / name / "package.json" for name in pinned]
    # One worker installs, the others wait and find it done.
    with fasteners.InterProcessLock(folder / ".installing"):
        found = [json.loads(p.read_text("utf-8"))["version"] for p in installed if p.exists()]
        if found != [*pinned.values()]:
            command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
            try:
                subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=100)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
                give_up(f"npm could not install {', '.join(pinned)}: {failed.stderr!r}")
    return node


async def run(node: str, script: Path, told: object, *, patience_seconds: float) -> Any:
    """Run a script that takes JSON on stdin, and return the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        node, script.name, cwd=script.parent, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    output, errors = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), patience_seconds)
    assert process.returncode == 0, errors.decode()
    return json.loads(output)
