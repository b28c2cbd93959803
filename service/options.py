"""Command-line options made from a pydantic model, so that a setting is described once."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo


def with_options(model: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a typer command an option for each field of `model`, None where it is not used.

    The model judges the values, so that text is taken for all but switches. Secrets get no option: a command
    line can be read by every user of the machine.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
        fields = [
            _parameter(name, field) for name, field in model.model_fields.items() if not _is_secret(field)
        ]
        parameters = [*own, *fields]
        # What typer reads instead of the function's own parameters.
        vars(command)["__signature__"] = inspect.Signature(parameters)
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    kind: Any = bool if field.annotation is bool else str
    flag = f"--{name.replace('_', '-')}"
    option = typer.Option(
        f"{flag}/--no{flag[1:]}" if kind is bool else flag,
        help=field.description,
        show_default=_default(field),
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _default(field: FieldInfo) -> str | bool:
    default = field.get_default(call_default_factory=True)
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or False
    return False if default is None or default == "" else str(default)


def _is_secret(field: FieldInfo) -> bool:
    def holds_secret(annotation: object) -> bool:
        return annotation is SecretStr or any(holds_secret(part) for part in get_args(annotation))

    return holds_secret(field.annotation)
