from collections.abc import Sequence
from typing import TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from service.web.access import by_credential
from service.web.errors import BadRequest, TooLarge, body_error, query_error

Model = TypeVar("Model", bound=BaseModel)

# Runware's results are a few hundred bytes; what is larger is not one.
WEBHOOK_LIMIT_BYTES = 256 * 1024
# Room for a project of some thousands of scenes.
CALL_LIMIT_BYTES = 4 * 1024 * 1024
_JSON = "application/json"
# More digits than any real length has; Python refuses to convert some thousands of them.
_MAX_LENGTH_DIGITS = 15


async def read_bytes(request: Request, limit: int) -> bytes:
    """Read a body of `limit` bytes at most. Raises TooLarge, before reading what is announced as larger."""
    announced = request.headers.get("content-length", "0")
    too_large = TooLarge(f"The body is larger than {_written(limit)}. Send less.")
    if len(announced) > _MAX_LENGTH_DIGITS or (announced.isdecimal() and int(announced) > limit):
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _written(limit: int) -> str:
    millions, rest = divmod(limit, 1_000_000)
    return f"{limit // 1024} KiB" if rest else f"{millions} MB"


def refuse_forms(request: Request) -> None:
    """Refuse a call without a body that the form of a strange web page could have made. Raises BadRequest.

    It is one without a credential and without a content type that such a form can't have.
    """
    if not by_credential(request) and _content_type(request) != _JSON:
        raise BadRequest("Send this call with the header content-type: application/json.")


async def read_model(request: Request, model: type[Model], media_types: Sequence[str] = (_JSON,)) -> Model:
    """Read and check a JSON body of one of these types. Raises BadRequest, InvalidValue or TooLarge.

    The content type is required: a form that a strange web page submits can't have it, and so can't spend
    money through the browser of someone who runs the service without a token. A call that carries a
    credential comes from no such form, and may also send its JSON as text, as supabase-js does with a body
    that is a string.
    """
    accepted = {*media_types, "text/plain"} if by_credential(request) else {*media_types}
    if _content_type(request) not in accepted:
        raise BadRequest("The body must be JSON. Send it with the header content-type: application/json.")
    body = await read_bytes(request, CALL_LIMIT_BYTES)
    try:
        return model.model_validate_json(body)
    except ValidationError as invalid:
        raise body_error(invalid, model) from None


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def read_query(request: Request, model: type[Model]) -> Model:
    """Read and check what stands behind the question mark. Raises InvalidValue."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as invalid:
        raise query_error(invalid) from None


def parse_json(body: bytes) -> object:
    """Parse JSON whose shape is not known. Raises BadRequest."""
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        raise BadRequest("The body is not JSON.") from None
