"""The application factory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from flask import Flask

from captioner.types import Describer
from data.decoding.pool import DECODERS
from data.sharing.state import server_secret
from retrieval.copies.near import Copies
from retrieval.indexing.jobs import Jobs
from retrieval.library import Library
from webui import assets, problems
from webui.api.albums import albums
from webui.api.attention import attention
from webui.api.catalogue import catalogue
from webui.api.completion import completion
from webui.api.copies_export import copies_export
from webui.api.duplicates import duplicates
from webui.api.export import export
from webui.api.faces import faces
from webui.api.health import health
from webui.api.library import library as library_views
from webui.api.pictures import pictures
from webui.api.search import search
from webui.auth import security
from webui.auth.access import access, require_login
from webui.auth.keys import key_place
from webui.auth.rates import RateLimits
from webui.auth.security import LOCAL, Reach
from webui.auth.server_folders import ServerFolders
from webui.describing.describer import UploadDescriber, stored_descriptions
from webui.describing.faces import UploadedFaces
from webui.describing.further import FurtherDescribers
from webui.language.choosing import speak_languages
from webui.media import Thumbnails
from webui.pages import formatting
from webui.pages.albums import albums_page
from webui.pages.hits import pages
from webui.pages.library import duplicates_page, library_page
from webui.pages.people import people_page
from webui.pages.picture import picture_page
from webui.pages.places import places_page
from webui.pages.sketch import sketch_page
from webui.pages.slides import slides_page
from webui.request.head_check import add_head_check
from webui.request.parameters import check_parameters
from webui.request.search_request import ENVELOPE
from webui.request.values import PictureId
from webui.services import EXTENSION, Services
from webui.telemetry.logs import QUIET, Log, add_request_ids, log_requests
from webui.telemetry.metrics import Metrics

PAGES = (
    pages,
    picture_page,
    slides_page,
    albums_page,
    sketch_page,
    people_page,
    places_page,
    library_page,
    duplicates_page,
)
API = (
    search,
    completion,
    pictures,
    albums,
    faces,
    attention,
    catalogue,
    library_views,
    duplicates,
    copies_export,
    export,
    health,
    access,
)
BLUEPRINTS = (*PAGES, *API)
"""All that is served; a blueprint in this list is protected, measured and described."""


def create_app(
    library: Library,
    captioner_loader: Callable[[], Describer],
    reach: Reach = LOCAL,
    log: Log = QUIET,
    rate_limits: RateLimits | None = None,
    roots: Sequence[Path] = (),
    disks: Callable[[], Sequence[Path]] = tuple,
) -> Flask:
    """Return the WSGI application for an open library.

    The captioner is loaded once, in the background; search by words works from the start. `reach` says who can reach
    the server; several processes share `rate_limits`. Servers of several machines that share the library also share
    sessions, limits, jobs and tokens of folders, in its store. Folders at and below `roots` and `disks()` can be added
    to the library.
    Raise RetroflexError when others can reach the server and there is neither password nor token.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = library.settings.max_upload_bytes + ENVELOPE
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.url_map.merge_slashes = False  # Each thing has one address; others are 404.
    app.url_map.converters["id"] = PictureId
    secret = server_secret(library.store) if library.store.shared else None
    folders = ServerFolders(roots, disks, secret)
    made = _services(library, captioner_loader, rate_limits or RateLimits(store=library.store), folders)
    app.extensions[EXTENSION] = made
    add_request_ids(app)
    made.metrics.watch(app)
    if log.requests:
        log_requests(app, log.queries)
    assets.serve_assets(app)
    assets.compress_answers(app)
    speak_languages(app)
    problems.register(app)
    formatting.register(app)
    security.protect(app, reach)
    require_login(app, key_place(library.settings.library, library.store), reach)
    check_parameters(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    add_head_check(app)
    if reach.behind_proxy:
        security.trust_proxy(app)
    made.describer.start()
    return app


def close_app(app: Flask) -> None:
    """Stop the indexing that `app` started."""
    cast(Services, app.extensions[EXTENSION]).jobs.close()


def _services(
    library: Library, captioner_loader: Callable[[], Describer], rate_limits: RateLimits, folders: ServerFolders
) -> Services:
    limits, metrics = library.settings.limits, Metrics(library)
    return Services(
        library,
        UploadDescriber(captioner_loader, DECODERS, limits, metrics.describing, partial(stored_descriptions, library)),
        FurtherDescribers(library),
        UploadedFaces(limits),
        Thumbnails(library.caches.thumbnail_dir, limits),
        Jobs(library.settings, library.store),
        folders,
        Copies(lambda: library.searcher().index, lambda: library.model, library.caches.library / "copies.npz"),
        metrics,
        rate_limits,
    )
