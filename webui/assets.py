"""Scripts, styles and icons at addresses that name their content, and answers that are compressed.

The version is part of the path, not of the query: a module that imports `./dom.js` gets it from the same version.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, request

from webui.problems import Problem

ENDPOINT = "static"
CACHE_SECONDS = 365 * 24 * 3600
AT_ROOT = {"favicon": "favicon.ico", "worker": "service-worker.js"}
"""What browsers ask for at the root, by endpoint: an icon, and the script that may act for all pages."""
SHEETS = (
    "tokens",
    "layout",
    "ratios",
    "grid",
    "parts",
    "picture",
    "library",
    "dialogs",
    "completion",
    "people",
    "albums",
)
SHEET = "page.css"
"""All these style sheets in one, as each file costs a slow line a round trip before anything is painted."""
SMALLEST = 1024
"""Bytes of an answer below which compressing it gains nothing."""
LEVEL = 4
COMPRESSED = frozenset(
    {
        "application/json",
        "application/manifest+json",
        "application/problem+json",
        "image/svg+xml",
        "text/css",
        "text/html",
        "text/javascript",
    }
)
_COMMENTS = {".css": re.compile(rb"/\*.*?\*/\n?", re.DOTALL), ".js": re.compile(rb"^[ \t]*//.*\n", re.MULTILINE)}
"""What of scripts and styles only people read, who have the files: of scripts, lines with nothing else."""
_VERSION = re.compile("[0-9a-f]{12}/")
_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".ico": "image/x-icon"}


class Asset(NamedTuple):
    """A file's content and media type."""

    content: bytes
    mimetype: str


class Assets:
    """All files of a folder, read once, with SHEET of those in SHEETS, and their version: a hash of all of them."""

    def __init__(self, folder: Path) -> None:
        """`folder` has no folders in it."""
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        self._files = {path.name: Asset(_without_comments(path), _mimetype(path)) for path in paths}
        sheets = [self._files[f"{name}.css"].content for name in SHEETS if f"{name}.css" in self._files]
        self._files[SHEET] = Asset(b"".join(sheets), "text/css")
        together = hashlib.sha256()
        for name, (content, _) in self._files.items():
            together.update(b"%s\0%d\0%s" % (name.encode(), len(content), content))
        self.version = together.hexdigest()[:12]

    def find(self, name: str) -> Asset:
        """Return a file. Raise Problem 404."""
        try:
            return self._files[name]
        except KeyError:
            raise Problem(HTTPStatus.NOT_FOUND, "there is nothing at this address") from None


def _without_comments(path: Path) -> bytes:
    content, comments = path.read_bytes(), _COMMENTS.get(path.suffix)
    return comments.sub(b"", content) if comments else content


def serve_assets(app: Flask) -> None:
    """Serve the static files of `app` by their version, and at the root what has to be there."""
    assets = Assets(Path(app.static_folder or ""))

    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == ENDPOINT:
            values["filename"] = f"{assets.version}/{values['filename']}"

    def static(filename: str) -> Response:
        named = _VERSION.match(filename)
        asset = assets.find(filename[named.end() :] if named else filename)
        return _cached(asset, filename.startswith(f"{assets.version}/"))

    app.url_defaults(add_version)
    app.view_functions[ENDPOINT] = static
    for endpoint, name in AT_ROOT.items():
        app.add_url_rule(f"/{name}", endpoint, partial(_cached_as_is, assets.find(name)))


def compress_answers(app: Flask) -> None:
    """Make `app` send texts as gzip to whoever takes that; streams and pictures go as they are."""
    app.after_request(_compress)


def _cached(asset: Asset, immutable: bool) -> Response:
    """Return a file: to be kept forever at an address with the present version, else to be asked for anew."""
    response = current_app.response_class(asset.content, mimetype=asset.mimetype)
    response.set_etag(hashlib.sha256(asset.content).hexdigest()[:16])
    kept = f"public, max-age={CACHE_SECONDS}, immutable" if immutable else "no-cache"
    response.headers["Cache-Control"] = kept
    response.make_conditional(request)
    return response


def _cached_as_is(asset: Asset) -> Response:
    return _cached(asset, immutable=False)


def _compress(response: Response) -> Response:
    if response.mimetype not in COMPRESSED or response.is_streamed or response.direct_passthrough:
        return response
    response.vary.add("Accept-Encoding")
    content = response.get_data()
    if (
        response.status_code in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED)
        or "Content-Encoding" in response.headers
        or len(content) < SMALLEST
        or not request.accept_encodings["gzip"]
    ):
        return response
    response.set_data(gzip.compress(content, LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    tag, _ = response.get_etag()
    if tag:
        response.set_etag(tag, weak=True)  # The bytes are others than those sent to who takes no gzip.
    return response


def _mimetype(path: Path) -> str:
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
