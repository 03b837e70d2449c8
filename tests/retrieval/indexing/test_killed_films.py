"""Films and faces survive kill -9 at any instant: nothing that was written is lost, and nothing is there twice."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from data.faces.reads import all_faces, face_vectors, unscanned
from data.films.reads import films_by_id
from data.store import Store
from data.tables import features, items
from tests.drawn_faces import draw_people
from tests.films import BLUE, GREEN, GREY, RED, make_animation

WORK = """
import os, signal, sys
from pathlib import Path
from data.limits import DEFAULT_LIMITS
from data.store import Store
from retrieval.faces import indexing
from retrieval.indexing import indexer
from tests.drawn_faces import find_drawn
from tests.films import ColourCaptioner
indexing.AT_ONCE = 1
for line in sys.stdin:
    seconds, url = line.split()
    if process := os.fork():
        usage = os.wait4(process, 0)[2]
        print(usage.ru_utime + usage.ru_stime, flush=True)
        continue
    signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    signal.setitimer(signal.ITIMER_PROF, float(seconds))
    store = Store.open(url)
    indexer.index(store, ColourCaptioner(), [Path(sys.argv[1])], DEFAULT_LIMITS)
    find_drawn(store)
    os._exit(0)
"""
"""Indexes into each library that it is told and looks for faces, and is killed by SIGKILL after so many seconds of
processor time (0: never): a busy machine does not shift the moments. Then it says how much time it took.
"""
KILLS = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Films of GIF, and pictures of drawn people."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, colours in enumerate(([RED, GREEN], [GREEN, BLUE, GREY], [(255, 0, 0), BLUE], [GREY, (0, 0, 255)])):
        make_animation(photos / f"film{number}.gif", colours)
    for number in range(4):
        draw_people(photos / f"people{number}.png", {"anna": (10, 10, 50 + number, 60), "ben": (60, 20, 90, 50)})
    return photos


def contents(store: Store) -> tuple[list[object], list[object]]:
    """Return films with the times of their frames, and faces with their times and boxes; none has no vector."""
    with store.reading() as connection:
        bare = (
            select(items.c.id)
            .where(items.c.kind.in_(("frame", "face")))
            .where(~select(features.c.item_id).where(features.c.item_id == items.c.id).exists())
        )
        assert connection.execute(bare).all() == []
    digests = {number: picture.digest for number, picture in store.pictures(range(100)).items()}
    films = [(digests[one.picture_id], [frame.seconds for frame in one.frames]) for one in films_by_id(store).values()]
    faces = [(digests[one.picture_id], one.seconds or 0.0, one.box) for one in all_faces(store)]
    assert len(face_vectors(store)[1].ids) == len(faces)
    return sorted(films), sorted(faces)


def test_a_kill_at_any_instant_loses_no_film_and_no_face_and_makes_none_twice(tmp_path: Path, folder: Path) -> None:
    command = [sys.executable, "-c", WORK, str(folder)]
    root, moments = Path(__file__).parents[3], random.Random(5)
    states = set[tuple[int, int]]()
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(seconds: float, name: str) -> tuple[Store, float]:
            url = f"sqlite:///{tmp_path / name}.sqlite3"
            print(f"{seconds:.6f} {url}", file=process.stdin, flush=True)
            took = float(process.stdout.readline())  # type: ignore[union-attr]
            return Store.open(url), took

        undisturbed, whole = run(0, "undisturbed")
        expected = contents(undisturbed)
        assert (len(expected[0]), len(unscanned(undisturbed, "drawn-1"))) == (4, 0)
        assert len(expected[1]) == 10
        for number in range(KILLS):
            store, _ = run(moments.uniform(0.2, 0.95) * whole, f"killed{number}")
            films, faces = contents(store)
            assert all(one in expected[0] for one in films)
            assert all(one in expected[1] for one in faces)
            states.add((len(films), len(faces)))
            assert contents(run(0, f"killed{number}")[0]) == expected
    assert len(states) > 1, f"all kills fell into one instant: {states}"
