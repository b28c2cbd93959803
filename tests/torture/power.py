"""A power cut: the processes end at once, and of their files is left what they had synced."""

import asyncio
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.torture.house import House

_SOURCE: Final = Path(__file__).parent / "forgetful.c"


class ForgetfulDisk:
    """A folder whose unsynced writes a power cut takes back, for processes with these `variables`.

    Nobody else may write there, and SQLite's last reader does so when it closes: read while a copy runs.
    """

    def __init__(self, root: Path, library: Path) -> None:
        self.root = root
        self._synced = root.with_name(f"{root.name}-synced")
        for folder in (self.root, self._synced):
            folder.mkdir()
        self.variables: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FORGETFUL_ROOT": str(self.root),
            "FORGETFUL_DISK": str(self._synced),
        }

    def forget(self) -> None:
        """Leave of the folder what was synced; nothing may be running."""
        shutil.rmtree(self.root)
        shutil.copytree(self._synced, self.root)


def built_library(folder: Path) -> Path | None:
    """Compile the library that does it; None where there is no compiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "forgetful.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    command = [compiler, *flags, "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


async def cut_power(house: House, disk: ForgetfulDisk) -> None:
    """Have the power fail, and come back."""
    await asyncio.gather(*(copy.kill() for copy in house.copies))
    disk.forget()
    await asyncio.gather(*(copy.start() for copy in house.copies))
