"""What deploy/compose.yaml says, for tests."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from service.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"


def compose(**variables: str) -> Mapping[str, Any]:
    """Read the file with its `${NAME:-default}` filled in, as `docker compose` does."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    filled = re.sub(r"\$\{([A-Z_]+):-([^}]*)\}", lambda found: variables.get(found[1], found[2]), text)
    read: Mapping[str, Any] = yaml.safe_load(filled)
    return read


def settings_in(environment: Mapping[str, object]) -> dict[str, Any]:
    """Give the settings of an environment, by their fields. Every variable must be one."""
    fields = {name.upper(): name for name in Settings.model_fields}
    return {fields[variable]: str(value) for variable, value in environment.items()}
