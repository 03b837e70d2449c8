"""Measure the import of a catalogue, and its filters over a large library: `python -m bench.catalogue`.

The import is that of a table of random values into a synthetic library with captions and vectors, by the command that
people use: its first run, which writes all, and a second one, which finds no difference. Filters, facets and orders are
timed warm, over a library of pictures and facts only; `first` is the first use of a field, which reads it.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before NumPy is imported

import click
import numpy as np
import sqlalchemy as sa

from bench.library import AT_ONCE, file_rows, make_library
from bench.timing import measure
from captioner.bundle import BUNDLED, load_bundle
from data.catalogue.values import IMPORTED, key_of, parse
from data.catalogue.writes import NewField, declare_fields
from data.settings import load_settings
from data.store import Store
from data.tables import catalogue_values, facts
from retrieval.library import Library
from retrieval.search.catalogue import read_conditions
from retrieval.search.filters import Filters

COLOURS = [f"colour {number}" for number in range(46)]
TYPES = [f"type {number}" for number in range(140)]
FIELDS = [
    NewField("colour", "category", "Colour"),
    NewField("year", "integer", "Year"),
    NewField("price", "decimal", "Price"),
    NewField("since", "date", "Since"),
    NewField("sale", "boolean", "Sale"),
    NewField("title", "text", "Title"),
]
CONDITIONS = {
    "a category": ["colour=colour 7"],
    "two values of a category": ["colour=colour 7", "colour=COLOUR 8"],
    "a range of numbers": ["year>=2012", "year<=2014"],
    "a range of decimals": ["price>10", "price<=50"],
    "a range of days": ["since>=2020-01-01"],
    "a text": ["title=title 500"],
    "four fields": ["colour=colour 7", "year>=2012", "price<=50", "sale=yes"],
}


@click.command()
@click.option("--rows", default=44_000, show_default=True, help="Rows of the imported table; 0 leaves the import out.")
@click.option("--pictures", default=1_000_000, show_default=True, help="Pictures that are filtered; 0 for none.")
def main(rows: int, pictures: int) -> None:
    """Print figures as JSON, in seconds for the import, in milliseconds for filters."""
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, object] = {}
        if rows:
            figures["import"] = bench_import(Path(folder), rows)
        if pictures:
            figures["filters"] = bench_filters(Path(folder) / "filters", pictures)
    click.echo(json.dumps(figures, indent=2))


def bench_import(folder: Path, rows: int) -> dict[str, dict[str, float]]:
    """Return seconds of the command `import`, by the clock and of processor time.

    It imports a new table, the same one, and one in which a price differs.
    """
    settings, table = load_settings(library=folder / "import"), folder / "table.csv"
    make_library(settings.url, rows, 1, load_bundle(BUNDLED))
    Library.open(settings).searcher()
    command = [sys.executable, "-m", "retrieval.cli", "import", str(table), "--key", "sku", "--json"]
    seconds = {}
    for name, price in (("new", 0), ("unchanged", 0), ("one price differs", 1)):
        _write_table(table, rows, price)
        before, started = _processor_seconds(), time.perf_counter()
        subprocess.run([*command, "--library", str(settings.library)], check=True, stdout=subprocess.DEVNULL)
        taken = {"clock": time.perf_counter() - started, "processor": _processor_seconds() - before}
        seconds[name] = {clock: round(one, 1) for clock, one in taken.items()}
    return seconds


def _processor_seconds() -> float:
    """Return the processor time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _write_table(path: Path, rows: int, price: int) -> None:
    """Write a key and nine further columns, of all types."""
    random = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", *(field.name for field in FIELDS), "kind", "season", "usage"])
        for number in range(1, rows + 1):
            own = [text for _, text in _values(number, random)]
            own[2] = f"{float(own[2]) + (price if number == 1 else 0):.2f}"
            kinds = random.integers(0, (len(TYPES), 4, 8)).tolist()
            writer.writerow([number, *own, TYPES[kinds[0]], f"season {kinds[1]}", f"usage {kinds[2]}"])


def _values(number: int, random: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield the types and texts of a picture's values, in the order of FIELDS."""
    colour, year, cents, day, sale = random.integers(0, (len(COLOURS), 15, 10_000, 3650, 2)).tolist()
    texts = (COLOURS[colour], str(2005 + year), f"{cents / 100:.2f}")
    dated = (str(np.datetime64("2015-01-01") + day), ("no", "yes")[sale], f"title {number}")
    return zip((field.type for field in FIELDS), (*texts, *dated), strict=True)


def bench_filters(folder: Path, pictures: int) -> dict[str, dict[str, float]]:
    """Return milliseconds of filters, orders and counts over so many pictures: median, worst, and of processor time."""
    settings = load_settings(library=folder)
    _make_facts(settings.url, pictures)
    library = Library.open(settings)
    library.collection.state()
    figures = {}
    for name, conditions in CONDITIONS.items():
        figures[name] = _timed(partial(_browse, library, conditions, "added"))
    for name, order in (("decimal", "field.price"), ("text", "field.title")):
        figures[f"a category, sorted by a {name}"] = _timed(partial(_browse, library, CONDITIONS["a category"], order))
    figures["counts of all facets, a category chosen"] = _timed(
        lambda: library.collection.facets(_read(library, CONDITIONS["a category"]))
    )
    return figures


def _browse(library: Library, conditions: list[str], order: str) -> np.ndarray:
    return library.collection.browse(_read(library, conditions), order)


def _read(library: Library, conditions: list[str]) -> Filters:
    catalogue = library.collection.catalogue()
    return Filters(library.collection.fields(), **read_conditions(conditions, catalogue))


def _timed(call: Callable[[], object]) -> dict[str, float]:
    started = time.perf_counter()
    call()
    first = time.perf_counter() - started
    timing = measure(call)
    used = [_processor(call) for _ in range(9)]
    seconds = {"first": first, "median": timing.median, "worst": timing.worst, "processor": float(np.median(used))}
    return {name: round(1000 * one, 1) for name, one in seconds.items()}


def _processor(call: Callable[[], object]) -> float:
    """Return the processor time of a call, which other programs change less than the clock's."""
    before = time.process_time()
    call()
    return time.process_time() - before


def _make_facts(url: str, pictures: int) -> None:
    """Write pictures with a value of each field, in bulk."""
    store = Store.open(url)
    with store.writing() as connection:
        ids = [field.id for field in declare_fields(connection, FIELDS).values()]
    store.close()
    random, known = np.random.default_rng(0), dict[tuple[int, str], int]()
    engine = sa.create_engine(url)
    for start in range(1, pictures + 1, AT_ONCE):
        numbers, values, own = range(start, min(start + AT_ONCE, pictures + 1)), [], []
        for number in numbers:
            for field_id, (kind, text) in zip(ids, _values(number, random), strict=True):
                if (field_id, text) not in known:
                    known[field_id, text] = len(known) + 1
                    value = parse(kind, text)
                    assert value is not None
                    names = {"id": len(known), "field_id": field_id, "key": key_of(text)}
                    values.append({**names, **value._asdict()})
                own.append({"field_id": field_id, "item_id": number, "value_id": known[field_id, text]})
        with engine.begin() as connection:
            for table, rows in file_rows(numbers).items():
                connection.execute(sa.insert(table), rows)
            connection.execute(sa.insert(catalogue_values), values)
            connection.execute(sa.insert(facts).values(source=IMPORTED), own)
    engine.dispose()


if __name__ == "__main__":
    main()
