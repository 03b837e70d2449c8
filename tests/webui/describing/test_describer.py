"""The captioner of the server: loading, failing, busy, remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from captioner.errors import BundleError
from retrieval.library import Library
from tests.webui.api_checks import SEARCH, post, problem, valid
from webui.app import create_app
from webui.describing.describer import MAX_PENDING


def test_the_next_page_of_a_picture_does_not_run_the_model_again(
    client: FlaskClient, captioner: Any, painted: Callable[..., bytes]
) -> None:
    first = post(client, painted("red"), limit="2").get_json()
    second = post(client, painted("red"), limit="2", offset="2").get_json()
    assert captioner.calls == 1
    assert not {hit["id"] for hit in first["hits"]} & {hit["id"] for hit in second["hits"]}


def test_a_picture_of_the_library_is_not_described_again(
    client: FlaskClient, captioner: Any, library: Library, photo_folder: Path
) -> None:
    content = (photo_folder / "red 0.jpg").read_bytes()
    library.store.set_user_caption(1, "our barn door")
    answer = post(client, content).get_json()
    assert captioner.calls == 0
    assert answer["hits"][0]["id"] == 1
    assert "our barn door" in answer["query"]["captions"]


def test_words_work_while_the_captioner_loads(library: Library, captioner: Any, eventually: Any) -> None:
    gate = threading.Event()

    def load() -> Any:
        gate.wait(60)
        return captioner

    client = create_app(library, load).test_client()
    assert client.get("/healthz").status_code == 200
    waiting = client.get("/readyz")
    assert "loading" in problem(waiting, 503)
    assert waiting.headers["Retry-After"]
    assert client.get(SEARCH, query_string={"q": "red"}).status_code == 200
    problem(post(client, b"anything"), 503)
    gate.set()
    eventually(lambda: client.get("/readyz").status_code == 200)
    valid("Readiness", client.get("/readyz").get_json())


@pytest.mark.parametrize("error", [BundleError("the bundle is damaged; install again"), ValueError("inner")])
def test_a_captioner_that_does_not_load_leaves_words_working(
    library: Library, error: Exception, eventually: Any
) -> None:
    def load() -> Any:
        raise error

    client = create_app(library, load).test_client()
    eventually(lambda: "still loading" not in client.get("/readyz").text)
    detail = problem(client.get("/readyz"), 503)
    assert ("bundle is damaged" in detail) == isinstance(error, BundleError)
    assert "inner" not in detail
    assert client.get(SEARCH, query_string={"q": "red"}).status_code == 200


def test_a_busy_captioner_refuses_further_pictures(app: Flask, captioner: Any, painted: Any, eventually: Any) -> None:
    gate, describe = threading.Event(), captioner.describe

    def slow(pictures: Any) -> Any:
        gate.wait(60)
        return describe(pictures)

    captioner.describe = slow
    statuses: list[int] = []

    def search(seed: int) -> None:
        statuses.append(post(app.test_client(), painted("red", seed=seed)).status_code)

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(MAX_PENDING + 3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(statuses) == 3)
    assert app.test_client().get(SEARCH, query_string={"q": "red"}).status_code == 200
    gate.set()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [200] * MAX_PENDING + [429] * 3
