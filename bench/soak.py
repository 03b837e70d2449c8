"""A soak test: ten thousand mixed requests while pictures are being indexed: `python -m bench.soak`.

Some pictures are in the library from the start. Responses about them alone must not change, since a picture's score
does not depend on the others; each response is compared with the one from before.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import quote, urlsplit

import click
import numpy as np

from bench.encoding import make_photographs
from bench.load import RETROFLEX, Figures, by_kind, memory, reencoded, serving, show, upload_body

WORKERS = 8
EACH_KIND = 40
"""Distinct requests of each kind, which are repeated."""
SHARES = {"words": 12, "browse": 4, "thumbnail": 10, "picture": 4, "upload": 1}
CLOSE = 1e-4
"""Tolerance of scores: products are summed in another order in larger libraries."""
BUSY = 429


@dataclass(frozen=True)
class Request:
    """A request, and the part of its response that must not change."""

    kind: str
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict, compare=False)

    def invariant(self, content: bytes) -> Any:
        """Return the part of the response that indexing other pictures must not change."""
        if self.kind == "thumbnail":
            return content
        answer = json.loads(content)
        if self.kind == "picture":
            return answer["captions"]
        if self.kind == "browse":
            return [picture["id"] for picture in answer["pictures"]]
        return [(hit["id"], hit["score"]) for hit in answer["hits"]]


def same(one: Any, other: Any) -> bool:
    """Compare two invariants up to CLOSE in scores; hits with scores as close as that may swap."""
    if not isinstance(one, list) or not one or not isinstance(one[0], tuple):
        return bool(one == other)
    scores = dict(other)
    return len(one) == len(other) and all(
        id_ in scores and math.isclose(score, scores[id_], abs_tol=CLOSE) for id_, score in one
    )


@dataclass
class Soak:
    """Sends requests to the server at `address`; records `(kind, status, seconds)` of each, and wrong responses."""

    address: str
    expected: dict[Request, Any] = field(default_factory=dict)
    seen: list[tuple[str, int, float]] = field(default_factory=list)
    wrong: list[Request] = field(default_factory=list)

    def ask(self, request: Request) -> tuple[int, bytes]:
        """Send a request over a new connection; the status is 0 if there is no response."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=120)
        started, status, content = time.monotonic(), 0, b""
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
        except OSError:
            pass
        finally:
            connection.close()
        self.seen.append((request.kind, status, time.monotonic() - started))
        return status, content

    def record(self, request: Request) -> None:
        """Record the response while nothing is indexed."""
        while (response := self.ask(request))[0] == BUSY:
            time.sleep(1)
        assert response[0] == 200, f"{request.path}: {response}"
        self.expected[request] = request.invariant(response[1])

    def run(self, requests: int) -> None:
        """Send `requests` requests in WORKERS threads, by the SHARES of the kinds."""
        turns, lock = iter(_turns(list(self.expected), requests)), threading.Lock()

        def work(_: int) -> None:
            while True:
                with lock:
                    request = next(turns, None)
                if request is None:
                    return
                status, content = self.ask(request)
                if status == 200 and not same(self.expected[request], request.invariant(content)):
                    self.wrong.append(request)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, range(WORKERS)))

    def figures(self) -> Figures:
        """Return the numbers of requests and of wrong responses, and milliseconds and statuses by kind."""
        return {"requests": len(self.seen), "wrong_answers": len(self.wrong), **by_kind(self.seen)}


def _turns(requests: Sequence[Request], count: int) -> Iterator[Request]:
    choice = random.Random(0)
    by_kind = {kind: cycle([one for one in requests if one.kind == kind]) for kind in SHARES}
    for kind in choice.choices(list(SHARES), list(SHARES.values()), k=count):
        yield next(by_kind[kind])


def _requests(soak: Soak, photos: Sequence[Path]) -> Iterator[Request]:
    """Yield requests about the first pictures, which are all in one folder that filters name by id."""
    content = soak.ask(Request("browse", "GET", "/api/v1/pictures?limit=100"))[1]
    pictures = json.loads(content)["pictures"]
    facets = json.loads(soak.ask(Request("browse", "GET", "/api/v1/facets"))[1])
    folder = facets["folder"][0]["id"]
    only = f"folder={folder}"
    for picture in pictures[:EACH_KIND]:
        yield Request("words", "GET", f"/api/v1/search?q={quote(picture['caption'])}&{only}")
        yield Request("thumbnail", "GET", f"/api/v1/pictures/{picture['id']}/thumbnail")
        yield Request("picture", "GET", f"/api/v1/pictures/{picture['id']}")
    for offset in range(EACH_KIND):
        yield Request("browse", "GET", f"/api/v1/pictures?{only}&offset={offset}&sort=oldest")
    for photo in photos[:EACH_KIND]:
        body, headers = upload_body(reencoded(photo), folder=folder)
        yield Request("upload", "POST", "/api/v1/search", body, headers)


class _Memory(threading.Thread):
    """Reads a process's memory in MB every second until it is stopped."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process, self._over, self.read = process, threading.Event(), [memory(process)]
        self.start()

    def run(self) -> None:
        while not self._over.wait(1):
            self.read.append(memory(self._process))

    def quarters(self) -> list[float]:
        """Stop, and return the mean of each quarter of the time."""
        self._over.set()
        return [round(mean(one.tolist()), 1) for one in np.array_split(self.read, 4) if len(one)]


@click.command()
@click.option("--requests", default=10_000, show_default=True)
@click.option("--pictures", default=300, show_default=True, help="Pictures in the library from the start.")
@click.option("--added", default=3_000, show_default=True, help="Pictures to index during the test.")
def main(requests: int, pictures: int, added: int) -> None:
    """Send requests while pictures are indexed, and print the figures; fail on an error or a wrong response."""
    with tempfile.TemporaryDirectory() as folder:
        library, photos = Path(folder) / "library", sorted(make_photographs(Path(folder), pictures + added).iterdir())
        first = Path(folder) / "first"
        first.mkdir()
        kept = [photo.rename(first / photo.name) for photo in photos[:pictures]]
        index = [RETROFLEX, "index", "--library", str(library)]
        subprocess.run([*index, str(first)], check=True)
        with serving(library) as (address, server):
            soak = Soak(address)
            for request in list(_requests(soak, kept)):
                soak.record(request)
            soak.seen.clear()
            watched = _Memory(server)
            with subprocess.Popen([*index, str(photos[-1].parent)], stderr=subprocess.DEVNULL) as indexing:
                soak.run(requests)
                ended = indexing.poll() is not None
                indexing.terminate()
            figures = soak.figures() | {"memory_mb_by_quarter": str(watched.quarters())}
            status = json.loads(soak.ask(Request("browse", "GET", "/api/v1/library"))[1])
    show(figures | {"indexed_meanwhile": status["pictures"] - pictures, "which_was_all": str(ended)})
    bad = [one for one in soak.seen if one[1] not in (200, BUSY)]
    if bad or soak.wrong:
        wrong = [(one.kind, one.path) for one in soak.wrong[:3]]
        raise click.ClickException(f"{len(bad)} errors, such as {bad[:3]}; {len(soak.wrong)} wrong, such as {wrong}")


if __name__ == "__main__":
    main()
