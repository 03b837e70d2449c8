"""The application factory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from captioner.types import Describes
from retrieval.copies.copies import Copies
from retrieval.indexing.jobs import Jobs
from retrieval.library import Library
from webui import problems
from webui.api.captions import captions
from webui.api.collection import collection
from webui.api.duplicates import duplicates
from webui.api.export import export
from webui.api.health import health
from webui.api.library import library as library_views
from webui.api.pictures import api
from webui.describing.decoding import DECODERS
from webui.describing.describer import Describer
from webui.guard import security
from webui.guard.access import access, guard
from webui.guard.places import Places
from webui.guard.rates import Rates
from webui.guard.reach import LOCAL, Reach
from webui.media.thumbnails import Thumbnails
from webui.pages import shown
from webui.pages.duplicates import duplicates_page
from webui.pages.hits import pages
from webui.pages.library import library_page
from webui.pages.picture import picture_page
from webui.request.search_request import ENVELOPE
from webui.request.values import PictureId
from webui.services import EXTENSION, Services
from webui.telemetry.logs import QUIET, Log, log_requests
from webui.telemetry.metrics import Metrics
from webui.telemetry.request_id import tell_ids

PAGES = (pages, picture_page, library_page, duplicates_page)
API = (api, captions, collection, library_views, duplicates, export, health, access)
BLUEPRINTS = (*PAGES, *API)
"""All that is served; what is listed here is protected, measured and described without more ado."""


def create_app(
    library: Library,
    captioner_loader: Callable[[], Describes],
    reach: Reach = LOCAL,
    log: Log = QUIET,
    rates: Rates | None = None,
    places: Sequence[Path] = (),
) -> Flask:
    """Return the WSGI application over an open library.

    The captioner is loaded once, in the background; search by words works from the start. `reach` says who is let
    in; `rates` are those that several processes share. Folders at and below `places` can be added to the library.
    Raises RetroflexError when others can reach the server and there is neither password nor token.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = library.settings.max_upload_bytes + ENVELOPE
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.url_map.merge_slashes = False  # one address for each thing; the others are 404
    app.url_map.converters["id"] = PictureId
    app.extensions[EXTENSION] = made = _services(library, captioner_loader, rates or Rates(), places)
    tell_ids(app)
    made.metrics.watch(app)
    if log.requests:
        log_requests(app, log.queries)
    problems.register(app)
    shown.register(app)
    security.protect(app, reach)
    guard(app, library.settings.library, reach)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    if reach.behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    made.describer.start()
    return app


def close_app(app: Flask) -> None:
    """End what `app` has started beside itself, that is indexing."""
    cast(Services, app.extensions[EXTENSION]).jobs.close()


def _services(
    library: Library, captioner_loader: Callable[[], Describes], rates: Rates, places: Sequence[Path]
) -> Services:
    limits, metrics = library.settings.limits, Metrics(library)
    describer = Describer(captioner_loader, DECODERS, limits, metrics.describing)
    thumbnails = Thumbnails(library.settings.thumbnail_dir, limits)
    copies = Copies(lambda: library.searcher().index, lambda: library.model, library.settings.library / "copies.npz")
    jobs = Jobs(library.settings)
    return Services(library, describer, thumbnails, jobs, Places(places), copies, metrics, rates)
