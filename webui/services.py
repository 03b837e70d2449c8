"""What all request handlers of one application share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from flask import current_app

from retrieval.copies.near import Copies
from retrieval.indexing.jobs import Jobs
from retrieval.library import Library
from webui.auth.rates import RateLimits
from webui.auth.server_folders import ServerFolders
from webui.describing.describer import UploadDescriber
from webui.describing.faces import UploadedFaces
from webui.describing.further import FurtherDescribers
from webui.media import Thumbnails
from webui.telemetry.metrics import Metrics

EXTENSION = "retroflex"


@dataclass(frozen=True)
class Services:
    """The open library and what works on it for the requests of one application.

    `saved_searches` has what each found, with the state of the library that it was found in.
    """

    library: Library
    describer: UploadDescriber
    further: FurtherDescribers
    faces: UploadedFaces
    thumbnails: Thumbnails
    jobs: Jobs
    server_folders: ServerFolders
    copies: Copies
    metrics: Metrics
    rate_limits: RateLimits
    saved_searches: dict[str, Any] = field(default_factory=dict)


def services() -> Services:
    """Return the services of the application that handles the present request."""
    return cast(Services, current_app.extensions[EXTENSION])
