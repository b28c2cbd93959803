import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import urlencode

from service.clips.models import TaskUUID

WEBHOOK_PATH = "/webhooks/runware"


class CallbackURLs:
    """Makes the callback URL of each job, and recognises it when Runware comes back by it.

    Runware signs nothing, so that the trust is in the URL: its token is an HMAC-SHA256 of the job's task
    UUID, good for that job alone. The first of `secrets` signs, all of them verify, so that one can be
    replaced while jobs are under way.
    """

    def __init__(self, public_url: str | None, secrets: Sequence[str]) -> None:
        self._base = public_url.rstrip("/") if public_url else None
        self._secrets = [secret.encode() for secret in secrets]

    @property
    def enabled(self) -> bool:
        """Whether jobs are submitted with a callback URL at all."""
        return self._base is not None

    def url(self, task_uuid: TaskUUID) -> str | None:
        """Give the job's callback URL; None without a public URL: the poller then does all the work."""
        if self._base is None:
            return None
        query = urlencode({"job": task_uuid, "token": _token(self._secrets[0], task_uuid)})
        return f"{self._base}{WEBHOOK_PATH}?{query}"

    def verify(self, task_uuid: TaskUUID, token: str) -> bool:
        """Whether `token` is this job's, by any of the secrets, in constant time."""
        matches = [
            hmac.compare_digest(_token(secret, task_uuid).encode(), token.encode())
            for secret in self._secrets
        ]
        return any(matches)


def _token(secret: bytes, task_uuid: TaskUUID) -> str:
    # The prefix keeps this token from being one of another purpose that the same secret may get one day.
    return hmac.new(secret, f"webhook:{task_uuid}".encode(), hashlib.sha256).hexdigest()
