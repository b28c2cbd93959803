from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `version` is the number that its name begins with."""

    version: str
    name: str
    sql: str


def _read() -> tuple[Migration, ...]:
    found = files("service.stores").joinpath("migrations").iterdir()
    return tuple(
        Migration(entry.name.partition("_")[0], entry.name, entry.read_text("utf-8"))
        for entry in sorted(found, key=lambda entry: entry.name)
    )


MIGRATIONS = _read()
