"""What Prometheus gets to read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, post


def figures(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """All samples by name and the values of their labels."""
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_requests_are_counted_by_route_and_status(client: FlaskClient) -> None:
    for path in ("/api/v1/pictures/1", "/api/v1/pictures/2", "/api/v1/pictures/99", "/nowhere"):
        client.get(path)
    found = figures(client)
    route = "/api/v1/pictures/{picture_id}"
    assert found["retroflex_requests_total", "GET", route, "200"] == 2
    assert found["retroflex_requests_total", "GET", route, "404"] == 1
    assert found["retroflex_requests_total", "GET", "none", "404"] == 1
    assert found["retroflex_request_seconds_count", "GET", route] == 3
    assert found["retroflex_request_seconds_bucket", "+Inf", "GET", route] == 3
    assert 0 < found["retroflex_request_seconds_sum", "GET", route] < 10


def test_searches_are_counted_by_kind(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    for asked in ({"q": "red"}, {"q": "blue"}, {"like": "2"}, {"q": "red", "like": "2"}):
        client.get(SEARCH, query_string=asked)
    post(client, painted("red"))
    post(client, painted("red"), q="boat")
    found = figures(client)
    kinds = {kind: found["retroflex_searches_total", kind] for kind in ("words", "picture", "upload", "mixed")}
    assert kinds == {"words": 2, "picture": 1, "upload": 1, "mixed": 2}


def test_the_library_and_its_index(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    before = figures(client)
    assert before["retroflex_pictures",] == 12
    assert ("retroflex_index_generation",) not in before
    client.get(SEARCH, query_string={"q": "red"})
    searched = figures(client)
    assert searched["retroflex_index_generation",] == searched["retroflex_library_generation",]
    assert abs(time.time() - searched["retroflex_index_changed_timestamp_seconds",]) < 60
    add_picture(library, photo_folder / "another.png", painted("red", seed=77))
    after = figures(client)
    assert after["retroflex_pictures",] == 13
    assert after["retroflex_index_generation",] < after["retroflex_library_generation",]


def test_the_captioners_queue(client: FlaskClient, captioner: Any, painted: Any) -> None:
    describe, seen = captioner.describe, []

    def look(pictures: Any) -> Any:
        seen.append(figures(client)["retroflex_captioner_queue",])
        return describe(pictures)

    captioner.describe = look
    post(client, painted("red"))
    assert seen == [1]
    assert figures(client)["retroflex_captioner_queue",] == 0
