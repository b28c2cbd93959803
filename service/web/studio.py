"""The page, its client, and what they alone need: configuration, estimates, uploads."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.clips.catalogue import Catalogue
from service.clips.images import ImageType, read_image
from service.clips.ownership import Caller
from service.errors import StoreUnavailable
from service.web.bodies import read_bytes
from service.web.errors import BadRequest, InvalidValue, UploadNotFound
from service.web.schemas import ImageStored, Model, PriceEstimate, StudioConfig, StudioEstimates
from service.workflow.past import Past
from service.workflow.ports import Uploads

UPLOADS_PATH = "/uploads"
_FILES = Path(__file__).parents[1] / "studio"
# Pictures and videos lie wherever the user and Runware put them; http is for a sandbox on this machine.
_ELSEWHERE = "https: http://127.0.0.1:* http://localhost:*"
_IMAGE_HEADERS = {
    # An image that is opened by itself runs nothing, whatever it turns out to be.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    # The name is made of the content, so that what lies under it never changes.
    "Cache-Control": "public, max-age=31536000, immutable",
}


@dataclass(frozen=True, slots=True)
class SupabaseSignIn:
    """The project whose users sign in on the page, and its public key, without which they can't.

    `operator_token` is whether the SERVICE_TOKEN signs an operator in there, too.
    """

    url: str
    anon_key: str | None
    operator_token: bool


@dataclass(frozen=True, slots=True)
class Studio:
    """One method for each call that the page needs beside the service's own.

    `public_url` is where Runware reaches the service; without it, the URL of an uploaded frame that the
    service gives out is that which the caller used.
    """

    uploads: Uploads
    past: Past
    catalogue: Catalogue
    public_url: str | None
    sign_in: Literal["none", "token"] | SupabaseSignIn

    @property
    def page_headers(self) -> Mapping[str, str]:
        """The headers of the page: it may ask the service alone, and Supabase where its users sign in."""
        connect = "'self'"
        if isinstance(self.sign_in, SupabaseSignIn):
            scheme, host, *_ = urlsplit(self.sign_in.url)
            connect += f" {scheme}://{host}"
        return {
            "Content-Security-Policy": (
                f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; "
                f"img-src 'self' blob: {_ELSEWHERE}; media-src 'self' {_ELSEWHERE}; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            "Cache-Control": "no-cache",
        }

    async def config(self, _request: Request, _caller: Caller) -> StudioConfig:
        """Tell what a page has to know before anyone signs in."""
        limits = self.catalogue.frame_limits
        supabase = self.sign_in if isinstance(self.sign_in, SupabaseSignIn) else None
        return StudioConfig(
            sign_in="supabase" if isinstance(self.sign_in, SupabaseSignIn) else self.sign_in,
            supabase_url=supabase and supabase.url,
            anon_key=supabase and supabase.anon_key,
            operator_token=supabase is not None and supabase.operator_token,
            models=[Model.of(model, self.catalogue) for model in self.catalogue.models],
            max_upload_bytes=limits.max_bytes,
            min_side_px=limits.min_side_px,
            max_side_px=limits.max_side_px,
            upload_types=[kind.value for kind in ImageType],
        )

    async def estimates(self, _request: Request, _caller: Caller) -> StudioEstimates:
        """Tell what the next clips will cost, as far as that is known."""
        # The table's prices are better than none.
        with suppress(StoreUnavailable):
            await self.past.refresh()
        return StudioEstimates(
            prices=[
                PriceEstimate(model=model.air, resolution=resolution, audio=audio, **asdict(price))
                for model in self.catalogue.models
                for (resolution, audio), price in self.past.prices(model).items()
            ]
        )

    async def upload(self, request: Request, _caller: Caller) -> ImageStored:
        """Keep an image, for use as a frame: its bytes are the body."""
        # As with JSON: a form on a strange page can't send this content type.
        if not request.headers.get("content-type", "").strip().lower().startswith("image/"):
            raise BadRequest(
                "The body must be an image. Send its bytes with a header such as content-type: image/png."
            )
        limits = self.catalogue.frame_limits
        content = await read_bytes(request, limits.max_bytes)
        image = read_image(content)
        if image is None:
            raise InvalidValue("This file is no PNG, JPEG or WebP image. Choose another one.")
        if not image.fits(limits):
            raise InvalidValue(
                f"This image has {image.width} x {image.height} pixels. "
                f"Choose one with {limits.min_side_px} to {limits.max_side_px} on each side."
            )
        url = await self.uploads.keep(content, image.type)
        if url.startswith("/"):
            url = (self.public_url or str(request.base_url).rstrip("/")) + url
        return ImageStored(url=url, width=image.width, height=image.height)

    async def uploaded(self, request: Request, _caller: Caller) -> Response:
        """Give an uploaded image to everyone with its URL, such as Runware."""
        found = await self.uploads.find(str(request.path_params["name"]))
        if found is None:
            raise UploadNotFound("There is no such image. Check its URL, or upload it again.")
        path, image_type = found
        return FileResponse(path, media_type=image_type, headers=_IMAGE_HEADERS)


def page_routes(studio: Studio) -> list[BaseRoute]:
    """Give the routes of the page's and the client's files. They hold no data, and need no token."""

    async def page(_request: Request) -> Response:
        return FileResponse(_FILES / "page" / "index.html", headers=studio.page_headers)

    folders = {"/studio": "page", "/client": "client", "/vendor": "vendor"}
    return [Route("/", page), *(_files(path, folder) for path, folder in folders.items())]


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        # The page has one address, at which it has its own policy.
        if path.endswith(".html"):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return await super().get_response(path, scope)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        # Asked for each time, by its ETag: a page never runs with modules of two releases.
        response.headers["Cache-Control"] = "no-cache"
        name = Path(args[0]).name
        if name.endswith(".d.ts"):
            # As CDNs of modules have it: by its ending alone it would be a video, an MPEG transport stream.
            response.headers["Content-Type"] = "application/typescript; charset=utf-8"
        elif name == "clips.js":
            response.headers["X-TypeScript-Types"] = "./clips.d.ts"
        return response


def _files(path: str, folder: str) -> Mount:
    return Mount(path, _Files(directory=_FILES / folder), middleware=[Middleware(GZipMiddleware)])
