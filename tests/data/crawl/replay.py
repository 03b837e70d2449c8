"""A loopback server that answers as it is told, and a clock that only its sleep moves."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from PIL import Image

from data.crawl.client import Client
from data.crawl.pace import Timing

KEY = "0123456789abcdef"


class Reply(NamedTuple):
    """An answer; `cut` bytes of the announced body are not sent."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    cut: int = 0


def reply(document: Any, **headers: str) -> Reply:
    """An answer in JSON."""
    return Reply(json.dumps(document).encode(), headers=headers)


class Asked(NamedTuple):
    """A request: its path, form and headers."""

    path: str
    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass
class Replay:
    """What the server answers by path: the replies in turn, the last one again and again; 404 for other paths."""

    port: int
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host as it stands in addresses."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """An address of the server."""
        return f"http://{self.host}{path}"

    def paths(self) -> list[str]:
        """The paths that were asked for."""
        return [one.path for one in self.asked]

    def answer(self, asked: Asked) -> Reply:
        """Return the next reply."""
        self.asked.append(asked)
        for name in (f"{asked.path} {asked.form.get('method', '')} {asked.form.get('page', '')}".strip(), asked.path):
            if left := self.replies.get(name):
                return left.pop(0) if len(left) > 1 else left[0]
        return Reply(status=404)


@contextmanager
def replaying() -> Iterator[Replay]:
    """Serve in a thread until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._answer({name: values[0] for name, values in form.items()})

        def _answer(self, form: Mapping[str, str]) -> None:
            given = replay.answer(Asked(self.path, form, dict(self.headers)))
            self.send_response(given.status)
            for name, value in {"Content-Length": str(len(given.body)), **given.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # a client that has enough closes the connection
                self.wfile.write(given.body[: len(given.body) - given.cut])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    replay = Replay(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield replay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class FakeTime:
    """A clock that stands still but for sleep."""

    now: float = 1_700_000_000.0
    naps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.naps.append(seconds)
        self.now += seconds

    @property
    def timing(self) -> Timing:
        """It as the client takes it."""
        return Timing(lambda: self.now, self.sleep)


def client_of(replay: Replay, time: FakeTime, *hosts: str) -> Client:
    """A client for the server."""
    return Client(hosts or (replay.host,), "test", time.timing, "http")


def jpeg(number: int) -> bytes:
    """A picture in a colour of its own."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (number * 37 % 256, number * 101 % 256, 128)).save(out, "JPEG")
    return out.getvalue()


LICENCES = {
    "stat": "ok",
    "licenses": {
        "license": [
            {"id": 0, "name": "All Rights Reserved", "url": ""},
            {"id": 2, "name": "Attribution-NonCommercial", "url": "https://creativecommons.org/licenses/by-nc/2.0/"},
            {"id": 4, "name": "Attribution License", "url": "https://creativecommons.org/licenses/by/2.0/"},
            {"id": 7, "name": "No known copyright restrictions", "url": "https://www.flickr.com/commons/usage/"},
            {"id": 9, "name": "CC0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"},
        ]
    },
}


def photo(replay: Replay, number: int, **changes: Any) -> dict[str, Any]:
    """A picture as Flickr's search lists it."""
    listed = {
        "id": str(number),
        "owner": "12345@N01",
        "title": f"Lighthouse {number}",
        "ownername": "Jane Doe",
        "license": "4",
        "tags": "lighthouse sea",
        "latitude": "48.5",
        "longitude": "-4.75",
        "url_l": replay.url(f"/{number}.jpg"),
        "width_l": 1024,
        "height_l": "768",
        "url_o": replay.url(f"/{number}_o.jpg"),
        "width_o": 6000,
        "height_o": 4000,
    }
    return listed | changes


def page(number: int, pages: int, *photos: dict[str, Any]) -> Reply:
    """A page of Flickr's search."""
    found = {"page": number, "pages": pages, "perpage": 250, "total": 9, "photo": list(photos)}
    return reply({"photos": found, "stat": "ok"})


SEARCH = "/rest flickr.photos.search"


def serve_flickr(replay: Replay, *pages: list[dict[str, Any]]) -> None:
    """Let the server answer as Flickr, with these pages and a picture at each address that has none yet."""
    replay.replies["/rest flickr.photos.licenses.getInfo"] = [reply(LICENCES)]
    for at, photos in enumerate(pages, 1):
        replay.replies.setdefault(f"{SEARCH} {at}", [page(at, len(pages), *photos)])
        for one in photos:
            if one["id"].isdigit():
                replay.replies.setdefault(f"/{one['id']}.jpg", [Reply(jpeg(int(one["id"])))])
