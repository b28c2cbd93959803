"""Checks all JavaScript, for `poe check` and `poe format`: format and rules by Biome, types by TypeScript."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = HERE / "node_modules" / ".bin"
SOURCES = (
    "../../service/studio",
    "../supabase_js",
    "../sandbox/sdk_js",
    ".",
)
# What runs in the browser knows no Node, and what runs in Node knows no page.
PROGRAMS = ("tsconfig.json", "tsconfig.node.json")


def check() -> None:
    """Check format, rules and types; exit with 1 if something is wrong.

    Without the tools it says so, and goes on; in CI, where nothing may be missing, it exits with 1.
    """
    if missing := _missing():
        print(f"JavaScript is NOT checked: {missing}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") else 0)
    commands = [("biome", "check", *SOURCES), *(("tsc", "--project", program) for program in PROGRAMS)]
    sys.exit(max(_run(*command) for command in commands))


def reformat() -> None:
    """Format every file; say so if the tools are missing."""
    if missing := _missing():
        sys.exit(f"JavaScript is NOT formatted: {missing}")
    sys.exit(_run("biome", "format", "--write", *SOURCES))


def _missing() -> str | None:
    if shutil.which("node") is None:
        return "Node is not installed."
    if not (TOOLS / "biome").exists():
        return "its tools are not installed. Install them: npm ci --prefix tests/javascript"
    return None


def _run(tool: str, *arguments: str) -> int:
    return subprocess.run([TOOLS / tool, *arguments], cwd=HERE, check=False).returncode
