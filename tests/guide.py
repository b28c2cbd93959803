"""What deploy/README.md tells an operator to run and to expect, so that tests run and expect just that."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Final

GUIDE: Final = (Path(__file__).parents[1] / "deploy" / "README.md").read_text("utf-8")
PUBLIC_URL: Final = "https://clips.example.com"
RUNWARE_API_URL: Final = "https://api.runware.ai/v1"


def blocks(language: str) -> list[str]:
    """Give the code blocks in a language, in their order and without their indentation."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", GUIDE, re.MULTILINE | re.DOTALL)
    return [dedent(text) for _, of_language, text in found if of_language == language]
