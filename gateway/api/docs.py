"""``/openapi.json`` and ``/docs``: the API description, and a page that shows it in the browser.

The page consists of a few files of our own, without CDN or framework. Its content security policy allows only those
files and requests to this server.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MEDIA_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class _Document:
    """A file that does not change while the gateway runs. Clients that have it get 304 (ETag)."""

    def __init__(self, body: bytes, media_type: str) -> None:
        self.body = body
        self.packed = gzip.compress(body, 9, mtime=0)
        self.media_type = media_type
        self.headers = {**_HEADERS, "ETag": f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'}
        if media_type == "text/html":
            self.headers["Content-Security-Policy"] = _POLICY

    async def __call__(self, request: Request) -> Response:
        if self.headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=self.headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                self.packed, media_type=self.media_type, headers={**self.headers, "Content-Encoding": "gzip"}
            )
        return Response(self.body, media_type=self.media_type, headers=self.headers)


def docs_routes(description: bytes) -> list[Route]:
    """The routes of ``/openapi.json``, ``/docs`` and the page's files below it.

    ``description``: the OpenAPI document.
    """
    routes = [_route("/openapi.json", description, "application/json")]
    for file in files("gateway.api.reference").iterdir():
        name, _, ending = file.name.rpartition(".")
        if ending in _MEDIA_TYPES:
            path = "/docs" if ending == "html" else f"/docs/{name}.{ending}"
            routes.append(_route(path, file.read_bytes(), _MEDIA_TYPES[ending]))
    return routes


def _route(path: str, body: bytes, media_type: str) -> Route:
    return Route(path, _Document(body, media_type).__call__, methods=["GET"])
