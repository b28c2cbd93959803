"""Places in a list as callers carry them: opaque, so that nobody makes one up and none needs a secret."""

import base64
from datetime import UTC, datetime
from uuid import UUID

from service.clips.listing import Cursor
from service.clips.models import ProjectId


def write_cursor(cursor: Cursor) -> str:
    """Give the text that `read_cursor` reads."""
    told = f"{cursor.created_at.isoformat()} {cursor.id}"
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def read_cursor(text: object) -> Cursor:
    """Read a place. Raises ValueError for what this service has not written."""
    try:
        padded = str(text).encode("ascii")
        told = base64.b64decode(padded + b"=" * (-len(padded) % 4), altchars=b"-_", validate=True).decode()
        moment, _, project_id = told.partition(" ")
        created_at = datetime.fromisoformat(moment).astimezone(UTC)
        return Cursor(created_at, ProjectId(str(UUID(project_id))))
    except (ValueError, OverflowError):
        raise ValueError("give the next of an answer as it came, or leave it out to begin anew") from None
