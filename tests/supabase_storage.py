"""The part of Supabase Storage that the service and browsers call: an upload, and what is public.

| rule | documented at |
|---|---|
| `POST /storage/v1/object/{bucket}/{path}`, multipart or as it is; 200 `{Key, Id}` | supabase.github.io/storage, "object" |
| one that is there: 409 `Duplicate`, unless `x-upsert: true`; `PUT` replaces | supabase.com/docs/guides/storage/uploads/standard-uploads |
| the bucket's `file_size_limit`: 413; its `allowed_mime_types`: 415 | docs/guides/storage/buckets/creating-buckets |
| errors are HTTP 400 with `{statusCode, error, message}`; no such bucket: `Bucket not found`, 404 | docs/guides/storage/debugging/error-codes |
| `service_role` passes row level security; others need policies | docs/guides/storage/security/access-control |
| `GET /storage/v1/object/public/{bucket}/{path}` needs no key, and the bucket to be public | docs/guides/storage/serving/downloads |

What differs: objects are kept in memory; who is not `service_role` has no policy, and may upload nothing.
"""  # noqa: E501 - a row of a table is a line

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What lies in a bucket."""

    content: bytes
    media_type: str
    cache_control: str


class Storage:
    """The objects of a project, by bucket and name; the buckets are rows of its database."""

    def __init__(self, pool: asyncpg.Pool, role_of: Callable[[Request], str]) -> None:
        self._pool = pool
        self._role_of = role_of
        self.objects: dict[tuple[str, str], StoredObject] = {}

    async def upload(self, request: Request) -> Response:
        bucket_id, path = request.path_params["bucket"], request.path_params["path"]
        if self._role_of(request) != "service_role":
            return _error(403, "Unauthorized", "new row violates row-level security policy")
        bucket = await self._bucket(bucket_id)
        if bucket is None:
            return _error(404, "Bucket not found", "Bucket not found")
        sent = await _sent(request)
        allowed, most = bucket["allowed_mime_types"], bucket["file_size_limit"]
        if allowed is not None and sent.media_type not in allowed:
            return _error(415, "invalid_mime_type", f"mime type {sent.media_type} is not supported")
        if most is not None and len(sent.content) > most:
            return _error(413, "Payload too large", "The object exceeded the maximum allowed size")
        replaces = request.method == "PUT" or request.headers.get("x-upsert") == "true"
        if (bucket_id, path) in self.objects and not replaces:
            return _error(409, "Duplicate", "The resource already exists")
        self.objects[bucket_id, path] = sent
        return JSONResponse({"Key": f"{bucket_id}/{path}", "Id": str(uuid4())})

    async def public(self, request: Request) -> Response:
        bucket_id, path = request.path_params["bucket"], request.path_params["path"]
        bucket = await self._bucket(bucket_id)
        if bucket is None or not bucket["public"]:
            return _error(404, "Bucket not found", "Bucket not found")
        found = self.objects.get((bucket_id, path))
        if found is None:
            return _error(404, "not_found", "Object not found")
        headers = {"cache-control": found.cache_control}
        return Response(found.content, media_type=found.media_type, headers=headers)

    async def _bucket(self, bucket_id: str) -> Any:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("set local role service_role")
            return await connection.fetchrow("select * from storage.buckets where id = $1", bucket_id)


async def _sent(request: Request) -> StoredObject:
    if not request.headers.get("content-type", "").startswith("multipart/"):
        media_type = request.headers.get("content-type", "application/octet-stream")
        return StoredObject(await request.body(), media_type, "no-cache")
    async with request.form() as form:
        file = next(part for part in form.values() if isinstance(part, UploadFile))
        cache_control = f"max-age={form['cacheControl']}"
        return StoredObject(await file.read(), file.content_type or "", cache_control)


def _error(status: int, error: str, message: str) -> Response:
    return JSONResponse({"statusCode": str(status), "error": error, "message": message}, 400)
