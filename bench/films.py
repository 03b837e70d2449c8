"""How well and how fast films are found: `python -m bench.films --photographs DIR`.

ffmpeg makes films of photographs, see `bench.film_files`, and they are indexed. Queries are changed copies of some of
them, and their photographs, of which each is in one scene of one film. Copies are ranked by the product, by best
frames, and by the mean vector of five frames, the way of the papers. Time error is the distance of the hit's second
from the scene, or from the part of the film that the copy has; 0 within.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import click
import numpy as np

from bench.film_files import CHANGES, PART, SCENE, make_copy, make_film
from captioner.captioner import Captioner
from data.decoding.pool import read_square
from data.films.decoding import read_film
from data.films.orders import FilmOrder
from data.films.sampling import spread
from data.limits import DEFAULT_LIMITS
from data.settings import load_settings
from retrieval.indexing.indexer import index
from retrieval.library import Library
from retrieval.search.query import QUERY_FRAMES, Query, QueryFilm, QueryImage

SCENES = (3, 6)
FIVE = 5
DESCRIBED = 64
"""Frames by which the cost of describing every frame is measured."""


@dataclass(frozen=True)
class Film:
    """A film made of photographs: its file and how long it lasts in seconds."""

    path: Path
    photographs: Sequence[Path]

    @property
    def duration(self) -> float:
        return SCENE * len(self.photographs)


@dataclass
class Answers:
    """Of one kind of query: the ranks of the right films, and time errors in seconds of those at rank 1."""

    ranks: list[int]
    errors: list[float]

    def row(self) -> dict[str, float | int | None]:
        """Return what is printed."""
        ranks = np.array(self.ranks)
        return {
            "queries": len(ranks),
            "R@1": round(100 * float(np.mean(ranks == 1)), 1),
            "R@5": round(100 * float(np.mean(ranks <= 5)), 1),
            "mean time error, s": round(float(np.mean(self.errors)), 2) if self.errors else None,
        }


def make_films(photographs: Sequence[Path], count: int, folder: Path, seed: int) -> list[Film]:
    """Make so many films, each of photographs of its own."""
    chance = random.Random(seed)
    left = chance.sample(list(photographs), len(photographs))
    films = []
    for number in range(count):
        scenes = chance.randint(*SCENES)
        chosen, left = left[:scenes], left[scenes:]
        films.append(Film(folder / f"film {number}.mp4", chosen))
        make_film(chosen, films[-1].path)
    return films


def five_mean(captioner: Captioner, path: Path, duration: float) -> np.ndarray:
    """Return the mean vector of five frames of a film, of length 1."""
    times = tuple(duration * (number + 0.5) / FIVE for number in range(FIVE))
    squares = read_film(path, FilmOrder(captioner.input_side, times)).squares
    mean = captioner.encode(squares).vectors.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def distance(moment: float, begin: float, end: float) -> float:
    """Return how far a time is from an interval, 0 within."""
    return max(0.0, begin - moment, moment - end)


class Bench:
    """A library of films, and what is asked of it."""

    def __init__(self, library: Library, captioner: Captioner, films: Sequence[Film]) -> None:
        self._library, self._captioner, self.films = library, captioner, films

    def _ask(self, query: Query, film: Film, begin: float, end: float, answers: Answers) -> None:
        hits = self._library.search(query, len(self.films), distant=True).hits
        places = [place for place, hit in enumerate(hits, 1) if hit.path == str(film.path)]
        answers.ranks.append(places[0] if places else len(self.films))
        if places == [1]:
            answers.errors.append(distance(hits[0].time or 0.0, begin, end))

    def photographs(self, asked: Sequence[Film]) -> Answers:
        """Ask by each photograph of some films for its film and scene."""
        answers = Answers([], [])
        for film in asked:
            for number, photograph in enumerate(film.photographs):
                (described,) = self._captioner.describe(read_square(photograph, self._captioner.input_side)[None])
                begin = SCENE * number
                self._ask(Query(like=[QueryImage(described)]), film, begin, begin + SCENE, answers)
        return answers

    def copies(self, asked: Sequence[Film], copies: Sequence[Path], part: bool) -> Answers:
        """Ask by changed copies of films."""
        answers = Answers([], [])
        for film, copy in zip(asked, copies, strict=True):
            squares = read_film(copy, FilmOrder(self._captioner.input_side)).squares
            assert squares is not None
            frames = self._captioner.describe(squares[spread(len(squares), QUERY_FRAMES)])
            begin = film.duration * (1 - PART) / 2 if part else 0.0
            end = film.duration - begin
            self._ask(Query(like=[QueryFilm(frames)]), film, begin, end, answers)
        return answers

    def by_mean(self, asked: Sequence[Film], copies: Sequence[Path], means: np.ndarray) -> Answers:
        """Rank all films, whose `means` (n, d) are known, by the mean of five frames of each copy."""
        answers = Answers([], [])
        for film, copy in zip(asked, copies, strict=True):
            duration = read_film(copy, FilmOrder()).facts.duration
            cosines = means @ five_mean(self._captioner, copy, duration)
            own = self.films.index(film)
            answers.ranks.append(1 + int(np.count_nonzero(cosines > cosines[own])))
        return answers


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def decode_all(path: Path) -> int:
    """Decode every frame of a film in one thread; return how many there are."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        return sum(1 for _ in container.decode(stream))


def speed(captioner: Captioner, films: Sequence[Film]) -> dict[str, float]:
    """Return the frames of films that pass in a second: sampled, decoded, indexed, and described one by one."""
    side, paths = captioner.input_side, [film.path for film in films]
    frames = sum(map(decode_all, paths))
    decoded = seconds(lambda: [decode_all(path) for path in paths])
    found = [read_film(path, FilmOrder(side)) for path in paths]
    sampled = seconds(lambda: [read_film(path, FilmOrder(side)) for path in paths])
    squares = np.concatenate([one.squares for one in found if one.squares is not None])
    pieces = np.resize(squares, (DESCRIBED, *squares.shape[1:]))
    captioner.describe(pieces[:8])
    described = seconds(lambda: captioner.describe(pieces)) / DESCRIBED
    return {
        "frames of the films": frames,
        "frames kept": len(squares),
        "frames a second: decoded, one thread": frames / decoded,
        "frames a second: sampled": frames / sampled,
        "frames a second: indexed": frames / (sampled + described * len(squares)),
        "frames a second: every frame described": frames / (decoded + described * frames),
    }


@click.command(help="Measure how well and how fast films are found.")
@click.option("--photographs", "source", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--films", "count", type=int, default=100, show_default=True)
@click.option("--asked", type=int, default=25, show_default=True, help="Films of which copies are made and searched.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(source: Path, count: int, asked: int, seed: int) -> None:
    """Print one JSON document."""
    if shutil.which("ffmpeg") is None:
        sys.exit("skipped: there is no ffmpeg to make films with; Debian's package is called ffmpeg")
    photographs = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(photographs) < SCENES[1] * count:
        sys.exit(f"skipped: {SCENES[1] * count} photographs are needed, and there are {len(photographs)}")
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(measured(photographs, count, asked, seed, Path(name)), indent=2))


def measured(photographs: Sequence[Path], count: int, asked: int, seed: int, folder: Path) -> dict[str, object]:
    """Return all figures."""
    (folder / "films").mkdir()
    films = make_films(photographs, count, folder / "films", seed)
    captioner = Captioner.load()
    library = Library.open(load_settings(library=folder / "library"), create=True)
    report = index(library.store, captioner, [folder / "films"], DEFAULT_LIMITS)
    bench = Bench(library, captioner, films)
    chosen = films[:asked]
    rows: dict[str, object] = {"a photograph of a scene": bench.photographs(chosen).row()}
    means = np.stack([five_mean(captioner, film.path, film.duration) for film in films])
    for number, (change, how) in enumerate(CHANGES.items()):
        copies = [folder / f"copy {number} {place}{how.suffix}" for place in range(len(chosen))]
        for film, copy in zip(chosen, copies, strict=True):
            make_copy(film.path, film.duration, how, copy)
        rows[f"{change}: best frames"] = bench.copies(chosen, copies, how.part).row()
        rows[f"{change}: mean of five"] = bench.by_mean(chosen, copies, means).row()
        print(change, rows[f"{change}: best frames"], rows[f"{change}: mean of five"], file=sys.stderr)
    library.close()
    rates = {name: round(value, 1) for name, value in speed(captioner, films[:20]).items()}
    return {"model": captioner.model_version, "films": vars(report.films), "queries": rows, "speed": rates}


if __name__ == "__main__":
    main()
