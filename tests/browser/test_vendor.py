"""What the page bundles of others: the committed file is what its build script makes of pinned versions."""

import shutil
import subprocess
from pathlib import Path

from tests.browser.test_client import STUDIO
from tests.missing import give_up

VENDOR = STUDIO / "vendor"


def test_bundle_is_what_a_fresh_build_makes(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        give_up("npm is needed to build the bundle, and is not installed")
    built = tmp_path / "built.js"
    subprocess.run([VENDOR / "build.sh", built], check=True, capture_output=True, timeout=100)
    assert built.read_bytes() == (VENDOR / "supabase-auth.js").read_bytes()


def test_bundle_carries_its_licence() -> None:
    beginning = (VENDOR / "supabase-auth.js").read_text("utf-8")[:1500]
    assert "MIT License" in beginning
    assert "Copyright (c) 2020 Supabase" in beginning
