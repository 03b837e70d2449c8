"""Metrics for Prometheus, summed over all server processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from retrieval.library import Library
from webui.openapi.operations import path_of

if TYPE_CHECKING:
    from prometheus_client import Metric

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own variable: the folder through which several processes share metrics."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one application.

    prometheus_client is imported here and not above, since on import it checks whether the processes share a folder.
    """

    def __init__(self, library: Library) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        self._state = _State(library)
        route = ("method", "route")
        self._requests = Counter("retroflex_requests", "Answered requests", (*route, "status"), registry=self._registry)
        self._seconds = Histogram(
            "retroflex_request_seconds", "Until an answer begins", route, registry=self._registry, buckets=_SECONDS
        )
        self._searches = Counter("retroflex_searches", "Searches", ("kind",), registry=self._registry)
        self._describing = Gauge(
            "retroflex_captioner_queue",
            "Pictures that are described or wait for it",
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    def describing(self) -> AbstractContextManager[object]:
        """Return a context that counts a picture as waiting for the captioner."""
        return self._describing.track_inprogress()

    def searched(self, kinds: Sequence[str]) -> None:
        """Count a search by what its query is made of."""
        self._searches.labels(kinds[0] if len(kinds) == 1 else "mixed").inc()

    def watch(self, app: Flask) -> None:
        """Count and time the requests of `app`."""

        def begin() -> None:
            g.measured_from = time.perf_counter()

        def count(response: Response) -> Response:
            labels = (request.method, path_of(request.url_rule) if request.url_rule else "none")
            self._requests.labels(*labels, str(response.status_code)).inc()
            self._seconds.labels(*labels).observe(time.perf_counter() - g.get("measured_from", time.perf_counter()))
            return response

        app.before_request(begin)
        app.after_request(count)

    def page(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        own = CollectorRegistry()
        own.register(self._state)
        if SHARED not in os.environ:
            return generate_latest(self._registry) + generate_latest(own)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)
        return generate_latest(shared) + generate_latest(own)


class _State:
    """Metrics read from the library when they are asked for."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        store = self._library.store
        yield GaugeMetricFamily("retroflex_pictures", "Pictures in the library", store.status().pictures)
        yield GaugeMetricFamily("retroflex_library_generation", "Changes of the library so far", store.generation())
        if self._library.indexed is not None:
            yield GaugeMetricFamily(
                "retroflex_index_generation", "Changes that the search index knows of", self._library.indexed
            )
        with suppress(OSError):  # There is no index before the first search.
            changed = self._library.settings.index_dir.stat().st_mtime
            yield GaugeMetricFamily("retroflex_index_changed_timestamp_seconds", "When the index was changed", changed)


def forget_process(process: int) -> None:
    """Remove the running requests of a process that died from the metrics; its counts are kept."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(process, os.environ[SHARED])
