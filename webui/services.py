"""What every request handler of one application shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from retrieval.copies.copies import Copies
from retrieval.indexing.jobs import Jobs
from retrieval.library import Library
from webui.describing.describer import Describer
from webui.guard.places import Places
from webui.guard.rates import Rates
from webui.media.thumbnails import Thumbnails
from webui.telemetry.metrics import Metrics

EXTENSION = "retroflex"


@dataclass(frozen=True)
class Services:
    """The open library, the captioner behind its queue, the thumbnails, indexing, folders that can be added, near
    copies, the figures and the rate limits."""

    library: Library
    describer: Describer
    thumbnails: Thumbnails
    jobs: Jobs
    places: Places
    copies: Copies
    metrics: Metrics
    rates: Rates


def services() -> Services:
    """Return the services of the application that handles the present request."""
    return cast(Services, current_app.extensions[EXTENSION])
