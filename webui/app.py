"""The application factory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Flask

from captioner.types import Describes
from retrieval.copies import Copies
from retrieval.jobs import Jobs
from retrieval.library import Library
from webui import problems, security
from webui.api import api
from webui.captions import captions
from webui.collection import collection
from webui.describer import Describer
from webui.duplicates import duplicates
from webui.export import export
from webui.health import health
from webui.library import library as library_views
from webui.pages import pages
from webui.places import Places
from webui.services import EXTENSION, Services
from webui.thumbnails import Thumbnails
from webui.uploads import ENVELOPE

BLUEPRINTS = (pages, api, captions, collection, library_views, duplicates, export, health)
"""All that is served; what is listed here is protected, measured and described without more ado."""


def create_app(
    library: Library,
    captioner_loader: Callable[[], Describes],
    local_only: bool = True,
    places: Sequence[Path] = (),
) -> Flask:
    """Return the WSGI application over an open library.

    The captioner is loaded once, in the background; search by words works from the start. With `local_only`
    requests that do not name this machine as their host are refused. Folders at and below `places` can be added
    to the library.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = library.settings.max_upload_bytes + ENVELOPE
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.url_map.merge_slashes = False  # one address for each thing; the others are 404
    describer = Describer(captioner_loader, library.settings.limits)
    thumbnails = Thumbnails(library.settings.thumbnail_dir, library.settings.limits)
    copies = Copies(lambda: library.searcher().index, library.settings.library / "copies.npz")
    jobs = Jobs(library.settings)
    app.extensions[EXTENSION] = Services(library, describer, thumbnails, jobs, Places(places), copies)
    problems.register(app)
    security.protect(app, local_only)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    describer.start()
    return app
