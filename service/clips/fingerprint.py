import hashlib
import json
from dataclasses import asdict

from service.clips.models import ClipRequest, Fingerprint, ProjectId


def fingerprint(project_id: ProjectId, request: ClipRequest) -> Fingerprint:
    """Derive the idempotency key of a request: equal keys are the same purchase.

    SHA-256, in hexadecimal, of all that decides what the provider would make and for whom: project, scene,
    both frame URLs, prompt, duration, model and settings, as JSON with sorted keys. Anything less would
    hand one scene's clip to another; anything more (a time, a random id) would pay twice for the same.
    """
    content = json.dumps([project_id, asdict(request)], sort_keys=True, separators=(",", ":"))
    return Fingerprint(hashlib.sha256(content.encode()).hexdigest())
