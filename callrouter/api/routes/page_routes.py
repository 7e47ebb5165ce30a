"""``/``: the page for people. Its files are read once, in a thread, when they are first asked for."""

from __future__ import annotations

import asyncio
import functools
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from callrouter.api.problem_json import ApiProblem

FOLDER: Final = Path(__file__).parents[2] / "web"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
"""The only kinds of files that are served, whatever else lies in the folder."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: everything comes from us, nothing stands inline, and no page frames us."""
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
"""`no-cache`: the browser asks whether its copy is current, which costs an answer of a few bytes."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page, ready to be sent."""

    media: str
    body: bytes = field(repr=False)
    packed: bytes = field(repr=False)
    tag: str


def add_page_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes([web.get("/", index), web.get("/page/{name:.+}", page_file)])


@functools.cache
def page_files() -> Mapping[str, PageFile]:
    """Return all files, by their path below the folder: a request is never a path of the disk."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and (media := _TYPES.get(path.suffix)):
            body = path.read_bytes()
            tag = hashlib.sha256(body).hexdigest()[:32]
            packed = gzip.compress(body, mtime=0)
            found[path.relative_to(FOLDER).as_posix()] = PageFile(media, body, packed, tag)
    return found


async def index(request: web.Request) -> web.Response:
    """``GET /``: the page."""
    files = await asyncio.to_thread(page_files)
    return _answer(request, files["index.html"])


async def page_file(request: web.Request) -> web.Response:
    """``GET /page/{name}``: a file of the page.

    Raises:
        ApiProblem: 404.
    """
    found = (await asyncio.to_thread(page_files)).get(request.match_info["name"])
    if found is None:
        raise ApiProblem(404, "unknown-path", "the page has no such file")
    return _answer(request, found)


def _answer(request: web.Request, file: PageFile) -> web.Response:
    headers = _HEADERS | {"ETag": f'"{file.tag}"', "Vary": "Accept-Encoding"}
    if f'"{file.tag}"' in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = file.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body = file.packed
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, content_type=file.media, charset="utf-8", headers=headers)
