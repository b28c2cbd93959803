"""What kind of Supabase API key a text says it is: unverified, for settings and messages."""

from enum import StrEnum

import jwt


class KeyKind(StrEnum):
    """The two API keys of a Supabase project, by their roles; each has an old form, a JWT, and a new one."""

    PUBLIC = "anon"
    """In every copy of the web application; `sb_publishable_…` in the new form."""
    SERVICE = "service_role"
    """Passes by all row level security; `sb_secret_…` in the new form."""


_PREFIXES = {"sb_publishable_": KeyKind.PUBLIC, "sb_secret_": KeyKind.SERVICE}


def is_new_form(text: str) -> bool:
    """Whether this is an API key of the new form, which is no JWT."""
    return text.startswith(tuple(_PREFIXES))


def claimed_kind(text: str) -> KeyKind | None:
    """Tell which API key a text says it is; None for anything else, a user's token among them."""
    for prefix, kind in _PREFIXES.items():
        if text.startswith(prefix):
            return kind
    try:
        role = jwt.decode(text, options={"verify_signature": False}).get("role")
    except (jwt.PyJWTError, RecursionError):
        return None
    return next((kind for kind in KeyKind if kind == role), None)
