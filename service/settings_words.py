"""What is said of settings that can't be used, and of names that look like misspelt ones."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from dotenv.parser import parse_stream
from pydantic.fields import FieldInfo

from service.suggestions import meant

# Other programs share the file, with names like ours: SUPABASE_SERVICE_KEY and VITE_SUPABASE_URL are theirs.
_MISSPELT = 0.9
# Nobody else's names begin like this.
_OWN_BEGINNINGS = ("RUNWARE_", "POLL_", "CLIP_", "SUBMISSION_", "PROMPT_")
# RUNWARE_KEY is meant to be RUNWARE_API_KEY; RUNWARE_IMAGE_MODEL is a setting of another program.
_MISSPELT_OWN = 0.84
_LONGEST_SHOWN = 60
# Of these the value is shown: no secret is a number, a switch or one of a few words.
_SHOWN = ("int_", "float_", "bool_", "greater_", "less_", "literal_")


def refused_setting(error: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> str:
    """Say in a sentence which variable pydantic refused, why, and what is expected."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{name.upper()} is not set. Set it in the environment or in .env (see deploy/.env.example)."
    if str(error["type"]).startswith(_SHOWN) and len(error["loc"]) == 1:
        value = str(error["input"])[:_LONGEST_SHOWN]
        return f"{name.upper()} is wrong: {value!r} is not {_expected(error, fields[name])}."
    return f"{name.upper()} is wrong: {message}"


def misspelt_lines(file: str, known: Collection[str]) -> list[str]:
    """Say of each line of an .env file that sets what looks like a misspelt setting which one was meant."""
    try:
        with Path(file).open(encoding="utf-8") as stream:
            lines = {one.key: one.original.line for one in parse_stream(stream) if one.key}
    except (OSError, UnicodeDecodeError):
        # Without such a file nothing is misspelt; one that can't be read is told where it is used.
        return []
    return [
        f"Line {line} of {file} sets {name}, which is no setting. Did you mean {close}?"
        for name, line in lines.items()
        if (close := misspelt(name, known, lines))
    ]


def misspelt(name: str, known: Collection[str], given: Collection[str]) -> str:
    """Give the setting that a name is a misspelling of, "" where it is one of another program's.

    A name stands for no setting that is `given` beside it.
    """
    written = name.upper()
    if written in known:
        return ""
    missing = [one for one in known if one not in given]
    if written.startswith(_OWN_BEGINNINGS):
        whole = next((one for one in missing if one.startswith(f"{written}_")), "")
        return whole or meant(written, missing, _MISSPELT_OWN)
    swapped = next((one for one in missing if sorted(one) == sorted(written)), "")
    return swapped or meant(written, missing, _MISSPELT)


def _expected(error: Mapping[str, Any], field: FieldInfo) -> str:
    kinds = (field.annotation, *get_args(field.annotation))
    if bool in kinds:
        return "true or false"
    if error["type"] == "literal_error":
        return f"one of {error['ctx']['expected']}".replace("'", "")
    return f"{'a whole number' if int in kinds else 'a number'}{_bounds(field.metadata)}"


def _bounds(metadata: Collection[Any]) -> str:
    least = next((bound.ge for bound in metadata if isinstance(bound, Ge)), None)
    above = next((bound.gt for bound in metadata if isinstance(bound, Gt)), None)
    most = next((bound.le for bound in metadata if isinstance(bound, Le)), None)
    if above is not None:
        return f" above {above}" + (f", {most} at most" if most is not None else "")
    if least is None:
        return ""
    return f" from {least} to {most}" if most is not None else f" of {least} or more"
