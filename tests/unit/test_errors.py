import importlib
import pkgutil
from http import HTTPStatus

import pytest

import service
from service.errors import ServiceError
from service.web.errors import STATUS_BY_ERROR, status_of

# Raised by commands, at the start or by a caller; no call is answered with them.
OUTSIDE_OF_CALLS = ("service.init", "service.settings", "service.terminal")


def every_error() -> list[type[ServiceError]]:
    for module in pkgutil.walk_packages(service.__path__, "service."):
        importlib.import_module(module.name)
    found: list[type[ServiceError]] = []
    waiting = [ServiceError]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        found += kinds
        waiting += kinds
    return found


@pytest.mark.parametrize("error", every_error(), ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_error_of_a_call_has_a_status_by_itself_or_by_its_kind(error: type[ServiceError]) -> None:
    internal = status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR
    assert internal is error.__module__.startswith(OUTSIDE_OF_CALLS)


def test_private_errors_of_the_stores_are_answered_like_their_kind() -> None:
    private = [error for error in every_error() if error.__name__.startswith("_")]
    assert private
    assert {status_of(error) for error in private} == {HTTPStatus.SERVICE_UNAVAILABLE}


def test_no_status_stands_for_an_error_whose_kind_has_the_same() -> None:
    for error, status in STATUS_BY_ERROR.items():
        kinds = [kind for kind in error.__mro__[1:] if kind in STATUS_BY_ERROR]
        assert error is ServiceError or STATUS_BY_ERROR[kinds[0]] is not status


@pytest.mark.parametrize("error", every_error(), ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_error_has_a_code_of_its_own_kind_and_says_what_it_is(error: type[ServiceError]) -> None:
    assert error.code != ServiceError.code
    assert (error.__doc__ or "").strip()
