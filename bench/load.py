"""A load test on loopback: `python -m bench.load --seconds 120 --users 50`, or words only with `--rate 20`.

Users send requests one after the other with short pauses: words, a thumbnail, or a search by an uploaded picture. With
`--rate` requests are sent at fixed times, and latency counts from the time at which a request is due.
"""

from __future__ import annotations

import http.client
import io
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import click
import numpy as np
from PIL import Image

from bench.encoding import make_photographs
from bench.library import make_library
from bench.searching import few_words
from captioner.bundle import BUNDLED, load_bundle
from data.settings import load_settings

SHARES = {"words": 0.55, "thumbnail": 0.4, "upload": 0.05}
PAUSE = 0.25
"""Seconds that a user waits between two requests, on average."""
SENDERS = 64
WARMING = 5.0
"""Seconds that do not count, in which the server loads its compiled search."""
BOUNDARY = "x" * 24
RETROFLEX = str(Path(sys.executable).parent / "retroflex")

Figures = dict[str, float | str]


def by_kind(seen: Sequence[tuple[str, int, float]]) -> Figures:
    """Return latencies in milliseconds and statuses by kind of request; `seen` has (kind, status, seconds) of each."""
    figures: Figures = {}
    for kind in sorted({kind for kind, _, _ in seen}):
        taken = [1e3 * took for one, status, took in seen if one == kind and status == 200]
        if taken:
            figures |= {f"{kind}_ms_p{share}": float(np.percentile(taken, share)) for share in (50, 99)}
        figures[f"{kind}_statuses"] = json.dumps(Counter(status for one, status, _ in seen if one == kind))
    return figures


@dataclass
class Tally:
    """Results of the requests: (kind, status, seconds) each; a request without a response has status 0."""

    seen: list[tuple[str, int, float]] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def figures(self, seconds: float) -> Figures:
        """Return requests per second, latencies by kind in milliseconds, statuses, and MB at start, middle and end."""
        figures: Figures = {"requests_per_second": len(self.seen) / seconds}
        return (
            figures
            | by_kind(self.seen)
            | {f"memory_mb_{when}": mb for when, mb in zip(("start", "middle", "end"), self.memory, strict=True)}
        )


@dataclass(frozen=True)
class Load:
    """Sends requests to the server at `address` with the main process `process`; `uploads` are picture files."""

    address: str
    process: int
    uploads: Sequence[bytes]
    pictures: int

    def users(self, count: int, seconds: float) -> Figures:
        """Run `count` concurrent users for `seconds`."""
        end = time.monotonic() + seconds
        return self._watched(seconds, lambda tally: self._in_parallel(count, lambda at: self._user(at, end, tally)))

    def at_rate(self, rate: float, seconds: float) -> Figures:
        """Send searches by words at fixed times, `rate` per second."""
        begin, turns = time.monotonic() + 0.1, iter(range(int(rate * seconds)))
        lock = threading.Lock()

        def sender(_: int, tally: Tally) -> None:
            connection = self._connect()
            while True:
                with lock:
                    turn = next(turns, None)
                if turn is None:
                    return
                due = begin + turn / rate
                time.sleep(max(0.0, due - time.monotonic()))
                self._ask(connection, "words", random.Random(turn), due, tally)

        return self._watched(seconds, lambda tally: self._in_parallel(SENDERS, lambda at: sender(at, tally)))

    def _watched(self, seconds: float, work: Callable[[Tally], None]) -> Figures:
        tally = Tally()
        tally.memory.append(memory(self.process))
        middle = threading.Timer(seconds / 2, lambda: tally.memory.append(memory(self.process)))
        middle.start()
        began = time.monotonic()
        work(tally)
        took = time.monotonic() - began
        middle.join()
        tally.memory.append(memory(self.process))
        return tally.figures(took)

    def _in_parallel(self, count: int, work: Callable[[int], None]) -> None:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(work, range(count)))

    def _user(self, number: int, end: float, tally: Tally) -> None:
        choice, connection = random.Random(number), self._connect()
        while time.monotonic() < end:
            (kind,) = choice.choices(list(SHARES), list(SHARES.values()))
            self._ask(connection, kind, choice, time.monotonic(), tally)
            time.sleep(choice.expovariate(1 / PAUSE))

    def _ask(
        self, connection: http.client.HTTPConnection, kind: str, choice: random.Random, due: float, tally: Tally
    ) -> None:
        try:
            connection.request(*self._request(kind, choice))
            response = connection.getresponse()
            response.read()
            status = response.status
        except OSError:
            connection.close()  # The next request reconnects.
            status = 0
        tally.seen.append((kind, status, time.monotonic() - due))

    def _request(self, kind: str, choice: random.Random) -> tuple[str, str, bytes | None, dict[str, str]]:
        if kind == "words":
            return "GET", f"/api/v1/search?q={quote(few_words(choice))}&all=true", None, {}
        if kind == "thumbnail":
            return "GET", f"/api/v1/pictures/{choice.randint(1, self.pictures)}/thumbnail", None, {}
        return "POST", "/api/v1/search", *upload_body(choice.choice(self.uploads))

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=60)


def upload_body(picture: bytes, **fields: str) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a search by an uploaded picture file, with other form fields."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    others = "".join(f'{part}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    head = f'{others}{part}"image"; filename="x"\r\n\r\n'
    body = head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def reencoded(photo: Path) -> bytes:
    """Return the picture as a new file, which no library has, so that the captioner is needed."""
    buffer = io.BytesIO()
    Image.open(photo).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def memory(process: int) -> float:
    """Return the megabytes of a process and its children; shared memory counts once (proportional set size)."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(one) for task in tasks for one in task.read_text().split()]
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return own + sum(map(memory, children))


@click.command()
@click.option("--seconds", default=120.0, show_default=True)
@click.option("--users", default=50, show_default=True)
@click.option("--rate", type=float, help="Only words, at this rate per second, on a synthetic library.")
@click.option("--pictures", default=500, show_default=True)
@click.option("--processes", default=1, show_default=True)
@click.option("--library", type=click.Path(path_type=Path), help="Keep the synthetic library here for the next run.")
def main(seconds: float, users: int, rate: float | None, pictures: int, processes: int, library: Path | None) -> None:
    """Make a library, serve it, run the load test and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        library, photos = library or Path(folder) / "library", []
        if rate is None:
            photos = sorted(make_photographs(Path(folder), pictures).iterdir())
            subprocess.run([RETROFLEX, "index", "--library", str(library), str(photos[0].parent)], check=True)
        elif not library.exists():
            library.mkdir(parents=True)
            make_library(load_settings(library=library).url, pictures, 1, load_bundle(BUNDLED))
        with serving(library, processes) as (address, server):
            load = Load(address, server, [photo.read_bytes() for photo in photos], pictures)
            if rate is None:
                figures = load.users(users, seconds)
            else:
                load.at_rate(rate, WARMING)
                figures = load.at_rate(rate, seconds)
    show(figures)


def show(figures: Figures) -> None:
    """Print a line for each figure."""
    for name, value in figures.items():
        click.echo(f"{name:24} {value if isinstance(value, str) else f'{value:,.4g}'}")


@contextmanager
def serving(library: Path, processes: int = 1) -> Iterator[tuple[str, int]]:
    """Serve a library while the context lasts; yield the server's address and its main process."""
    command = [RETROFLEX, "serve", "--library", str(library), "--port", "0", "--processes", str(processes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[3]  # type: ignore[union-attr]
            _wait_until_ready(address)
            yield address, server.pid
        finally:
            server.terminate()


def _wait_until_ready(address: str) -> None:
    """Wait until search by picture is ready and a search has opened the index."""
    netloc = urlsplit(address).netloc
    for path in ("/readyz", "/api/v1/search?q=dog"):
        while True:
            connection = http.client.HTTPConnection(netloc, timeout=600)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                break
            time.sleep(0.5)


if __name__ == "__main__":
    main()
