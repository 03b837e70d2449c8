"""Kill parts of a cluster while it indexes, searches and stores captions: `python -m bench.deployment.failures`.

Each part is killed with SIGKILL again and again, with all its processes, and started again as a container is. Then
every caption whose storing was acknowledged has to be there, and every picture of the indexed folder, and searches have
to find what they find in a copy of the library in SQLite.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import click

from bench.deployment.client import RECOVERS_WITHIN, Answer, Client
from bench.deployment.cluster import Cluster, running_cluster
from bench.deployment.network import enter_own_network
from bench.deployment.parity import compare_copy, fill
from bench.deployment.services import Service
from bench.encoding import make_photographs
from bench.searching import few_words
from data.errors import RetroflexError
from data.store import Store

PICTURES = 2_000
"""Made-up pictures, which searches find and which get captions."""
QUERIES = 40
"""Compared at the end."""
GROUP = 12
"""New pictures of each run of the indexer."""
EACH = 40
"""Pictures that wait to be indexed, for each kill."""
STEADY = 3
"""So many answers in a row say that a part has recovered."""
FAULTS = ("searches that failed", "acknowledged captions lost", "pictures lost", "tracebacks")
SPARED = ("proxy", "ray-head")


@click.command()
@click.option("--kills", default=10, show_default=True, help="Of each part.")
@click.option("--part", "parts", multiple=True, help="Kill only these; may be repeated.")
def main(kills: int, parts: tuple[str, ...]) -> None:
    """Print as JSON what happened to searches and writes, and fail where something was lost."""
    door = enter_own_network("bench.deployment.failures", sys.argv[1:])
    with running_cluster(door) as cluster:
        fill(cluster, cluster.folder, PICTURES)
        chosen = parts or tuple(killed_parts(cluster))
        made = sorted(make_photographs(cluster.folder, kills * EACH * len(chosen)).iterdir())
        trials = [Trial(cluster, part, kills, made[number :: len(chosen)]) for number, part in enumerate(chosen)]
        figures = []
        for trial in trials:
            figures.append(trial.run())
            click.echo(json.dumps({trial.part: figures[-1]}, indent=2))
        after = compare_copy(cluster.folder, cluster, PICTURES, QUERIES)
        click.echo(json.dumps({"beside a copy in SQLite, afterwards": after}, indent=2))
    if after["different order"] or any(one[name] for one in figures for name in FAULTS):
        raise RetroflexError("something was lost or failed without a word, see above")


def killed_parts(cluster: Cluster) -> dict[str, list[Service]]:
    """Return the services by part; those of one part are killed in turn."""
    parts: dict[str, list[Service]] = {}
    for name, service in cluster.services.items():
        if name not in SPARED:
            parts.setdefault(name.partition("-")[0], []).append(service)
    return parts


@dataclass
class Searcher:
    """Searches again and again, and counts what comes back."""

    client: Client
    seen: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    steady: int = 0
    """Whole answers since the last other one."""

    def once(self, turn: int) -> None:
        """Search by three words, or by the vector of a picture, in turn; either finds something."""
        words = few_words(random.Random(turn)).replace(" ", "+")
        query = f"q={words}" if turn % 2 else f"like={turn % PICTURES + 1}&by=vgg16"
        answer = self.client.ask(f"/api/v1/search?{query}&all=true")
        outcome = outcome_of(answer)
        self.seen[outcome] += 1
        if outcome != ANSWERED:
            self.reasons[str(answer.body.get("degraded") or answer.body.get("detail"))] += 1
        self.steady = self.steady + 1 if outcome == ANSWERED else 0


ANSWERED = "answered"


def outcome_of(answer: Answer) -> str:
    """Return whether a search was answered whole or in part, or refused with a reason."""
    if answer.status == 200 and answer.body.get("hits"):
        return "degraded" if answer.body.get("degraded") else ANSWERED
    return "refused" if answer.status == 503 and answer.body.get("detail") else f"failed with {answer.status}"


@dataclass
class Writer:
    """Stores captions, each of another picture, and remembers which were acknowledged."""

    client: Client
    acknowledged: dict[int, str] = field(default_factory=dict)
    tried: int = 0

    def once(self, turn: int) -> None:
        """Store a caption."""
        picture, text = turn % PICTURES + 1, f"this is caption number {turn}"
        self.tried += 1
        self.acknowledged.pop(picture, None)
        if self.client.ask(f"/api/v1/pictures/{picture}/caption", "PUT", {"text": text}).status == 200:
            self.acknowledged[picture] = text

    def lost(self, address: str) -> list[int]:
        """Return the pictures without the caption that was acknowledged, in the database at `address`."""
        with closing(Store.open(address)) as store:
            stored = store.pictures([*self.acknowledged])
        texts = {one: [caption.text for caption in picture.captions] for one, picture in stored.items()}
        return [one for one, text in self.acknowledged.items() if text not in texts.get(one, [])]


def captions_of(client: Client, picture: int) -> list[str]:
    """Return the captions of a picture."""
    captions = client.ask(f"/api/v1/pictures/{picture}").body.get("captions", [])
    return [one["text"] for one in captions]


@dataclass
class Indexer:
    """Moves more of the `waiting` pictures to a folder and indexes it; a run that fails is repeated, as a job is."""

    cluster: Cluster
    folder: Path
    waiting: list[Path]
    runs: int = 0
    failures: list[str] = field(default_factory=list)

    def once(self, _turn: int) -> None:
        """Index some more pictures."""
        for _ in range(min(GROUP, len(self.waiting))):
            picture = self.waiting.pop()
            picture.rename(self.folder / picture.name)
        self.repeat()

    def repeat(self) -> dict[str, Any]:
        """Index until a run succeeds; return its report. Raises RetroflexError."""
        for _ in range(20):
            done = self.cluster.index(self.folder, "--json")
            self.runs += 1
            if done.returncode == 0:
                return dict(json.loads(done.stdout))
            self.failures.append(done.stderr.strip())
            time.sleep(1)
        raise RetroflexError(f"indexing fails again and again: {self.failures[-1]}")


@dataclass
class Trial:
    """Kills the services of one part, one after the other, while the others work."""

    cluster: Cluster
    part: str
    kills: int
    photographs: list[Path]

    def run(self) -> dict[str, Any]:
        """Return what happened."""
        folder = self.cluster.folder / f"pictures-{self.part}"
        folder.mkdir()
        client = self.cluster.client
        searcher, writer = Searcher(client), Writer(client)
        indexer = Indexer(self.cluster, folder, self.photographs)
        with repeated(searcher.once, 0.1), repeated(writer.once, 0.2), repeated(indexer.once, 3):
            outages = list(self._kill_all(searcher, killed_parts(self.cluster)[self.part]))
        return self._figures(searcher, writer, indexer) | {
            "kills": len(outages),
            "longest recovery, seconds": round(max(outages), 1),
            "median recovery, seconds": round(sorted(outages)[len(outages) // 2], 1),
        }

    def _kill_all(self, searcher: Searcher, services: Sequence[Service]) -> Iterator[float]:
        """Yield after each kill the seconds until the service and searches were back."""
        for number in range(self.kills):
            wait_for(lambda: searcher.steady > STEADY)
            time.sleep(random.Random(number).uniform(1, 4))
            service = services[number % len(services)]
            searcher.steady, began = 0, time.monotonic()
            service.kill()
            wait_for(lambda service=service: searcher.steady > STEADY and service.process and service.ready())
            took = time.monotonic() - began
            click.echo(f"{service.name} killed, {number + 1} of {self.kills}: back after {took:.1f} s", err=True)
            yield took

    def _figures(self, searcher: Searcher, writer: Writer, indexer: Indexer) -> dict[str, Any]:
        report, files = indexer.repeat(), len(list(indexer.folder.iterdir()))
        failed = sum(count for outcome, count in searcher.seen.items() if outcome.startswith("failed"))
        proxy = {"what the proxy said": complaints(self.cluster.services["proxy"].log)} if failed else {}
        return proxy | {
            "searches": dict(searcher.seen),
            "what the others said": dict(searcher.reasons),
            "searches that failed": failed,
            "captions stored": len(writer.acknowledged),
            "acknowledged captions lost": len(writer.lost(self.cluster.database_url)),
            "runs of the indexer": indexer.runs,
            "runs that ended early": dict(Counter(indexer.failures)),
            "pictures indexed": files,
            "pictures lost": files - report["unchanged"],
            "tracebacks": sum("Traceback" in text for text in indexer.failures),
        }


def complaints(log: Path) -> list[str]:
    """Return the last lines of the proxy's log, but for those on servers that do not listen."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if "[error]" in line and "Connection refused" not in line][-20:]


@contextmanager
def repeated(work: Any, pause: float) -> Iterator[None]:
    """Call `work` with 1, 2, … in a thread until the block ends."""
    ending, raised = Event(), []

    def repeat() -> None:
        turn = 0
        try:
            while not ending.wait(pause):
                turn += 1
                work(turn)
        except Exception as error:
            raised.append(error)

    thread = Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
    if raised:
        raise raised[0]


def wait_for(condition: Any) -> None:
    """Return once a condition holds. Raises RetroflexError."""
    end = time.monotonic() + RECOVERS_WITHIN
    while not condition():
        if time.monotonic() > end:
            raise RetroflexError(f"it has not recovered after {RECOVERS_WITHIN:.0f} seconds")
        time.sleep(0.05)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except RetroflexError as error:
        sys.exit(f"failures: {error}")
