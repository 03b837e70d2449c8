"""The command `retroflex compare`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from data.errors import RetroflexError
from data.paths import display
from data.settings import Settings, load_settings
from retrieval.commands.features import read_choice
from retrieval.commands.options import (
    bundle_option,
    json_option,
    library_option,
    print_json,
    print_left_out,
    with_options,
)

if TYPE_CHECKING:
    from training.comparison.gallery import Gallery
    from training.comparison.rows import Row
    from training.evaluation.folders import Labelled

COLUMNS = {
    "p10": "P@10",
    "map": "mAP",
    "copies": "copies",
    "recall": "recall",
    "ms_describe": "ms/picture",
    "ms_query": "ms/query",
    "build_s": "build s",
    "bytes": "bytes",
}
"""Columns of the table, by the names of the figures."""


def labelled_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name labelled pictures, for `read_labelled_pictures`."""
    path = click.Path(path_type=Path)
    options = (
        click.option("--labelled", type=path, help="Folder with a folder for each class, or a CSV or TSV file."),
        click.option("--label", metavar="COLUMN", help="The column of that file that has the class."),
        click.option("--images", type=path, help="The folder of that file's pictures [default: images beside it]."),
    )
    return with_options(command, options)


def read_labelled_pictures(source: Path, label: str | None, images: Path | None) -> Labelled:
    """Read a folder with a folder for each class, or a table. Raise RetroflexError."""
    from training.evaluation.folders import read_labelled
    from training.evaluation.labelled_table import read_labelled_table

    if source.is_dir():
        if label or images:
            raise RetroflexError("--label and --images belong to a file; the classes of a folder are its folders")
        return read_labelled(source, None, 0)
    if not source.exists():
        raise RetroflexError(f"{display(source)}: no such folder or file; give a folder with one for each class")
    if label is None:
        raise RetroflexError("name the column that has the class, with --label")
    problems: list[str] = []
    labelled = read_labelled_table(source, label, images or source.parent / "images", problems)
    print_left_out(problems)
    return labelled


@click.command()
@labelled_options
@click.option("--features", metavar="NAMES", help="Kinds of vectors, with commas [default: all that can run here].")
@click.option(
    "--search", metavar="NAMES", default="exact", show_default=True, help="Searches, with commas, or all: see the docs."
)
@click.option("--weights", metavar="NAME=FILE", multiple=True, help="File of weights for an encoder of --features.")
@click.option("--sample", type=click.IntRange(2), help="Pictures to draw [default: all].")
@click.option("--copies", type=click.IntRange(0), default=25, show_default=True, help="Pictures to look for by copies.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of what is drawn.")
@click.option("--csv", "table", type=click.Path(path_type=Path, dir_okay=False), help="Also write a CSV file.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also draw a picture, PNG or SVG.")
@click.option(
    "--cache", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps what was made of pictures."
)
@library_option
@bundle_option
@json_option
def compare(
    labelled: Path | None,
    label: str | None,
    images: Path | None,
    features: str | None,
    search: str,
    weights: tuple[str, ...],
    sample: int | None,
    copies: int,
    seed: int,
    table: Path | None,
    plot: Path | None,
    cache: Path | None,
    library: Path | None,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Compare kinds of vectors and searches on labelled pictures, or on the library. A stopped run goes on."""
    from captioner.bundle import BUNDLED
    from captioner.captioner import Captioner
    from training.comparison.cache import DescriptionCache
    from training.comparison.gallery import make_copies
    from training.comparison.kinds import chosen, known_kinds
    from training.comparison.neighbours import SEARCHES
    from training.comparison.rows import Comparison

    if plot:
        from training.comparison.plot import check_format  # fails before the work if Matplotlib is missing

        check_format(plot)
    for target in (table, plot):
        _check_writable(target)
    settings = load_settings(library=library, bundle=bundle)
    searches = chosen(search, SEARCHES, "search")
    listed = [one.strip() for one in features.split(",")] if features and weights else []
    files = read_choice(listed, weights, listed)  # `chosen` tells unknown names; not all kinds are encoders
    known = known_kinds(lambda: Captioner.load(settings.bundle or BUNDLED), files, settings.library)
    kinds = [known[name] for name in chosen(features, known, "kind of vectors")]
    folder = cache or user_cache_path("retroflex") / "compare"
    with _gallery(labelled, label, images, settings) as pictures, closing(DescriptionCache(folder)) as kept:
        gallery = pictures.sample(sample, seed)
        made = make_copies(gallery, copies, seed, folder / "copies")
        rows = _shown_rows(Comparison(gallery, made, kept, seed).rows(kinds, searches), as_json)
    _write(rows, table, plot, as_json)


@contextmanager
def _gallery(labelled: Path | None, label: str | None, images: Path | None, settings: Settings) -> Iterator[Gallery]:
    """Yield the labelled pictures, or without any the library's. Raise RetroflexError."""
    from data.store import open_store
    from training.comparison.gallery import labelled_gallery, library_gallery

    if labelled:
        yield labelled_gallery(read_labelled_pictures(labelled, label, images))
        return
    if label or images:
        raise RetroflexError("--label and --images belong to a table; name it with --labelled")
    with closing(open_store(settings)) as store:
        yield library_gallery(store)


def _shown_rows(rows: Iterator[Row], as_json: bool) -> list[Row]:
    """Return all rows; print each once it is there, unless a document comes at the end."""
    made: list[Row] = []
    for row in rows:
        made.append(row)
        if not as_json:
            _print_row(row, first=len(made) == 1)
    return made


def _write(rows: Sequence[Row], table: Path | None, plot: Path | None, as_json: bool) -> None:
    """Write and print the rows as it is asked for. Raise RetroflexError if none has a figure."""
    measured = any(row.problem is None for row in rows)
    if table:
        _write_csv(rows, table)
    if plot and measured:
        from training.comparison.plot import draw

        draw(rows, plot)
    if as_json:
        print_json({"rows": [asdict(row) for row in rows]})
    if not measured:
        raise RetroflexError("nothing could be measured; the rows say why")


def _check_writable(path: Path | None) -> None:
    """Raise RetroflexError if a file cannot be written, before the work."""
    if path is not None and not path.parent.is_dir():
        raise RetroflexError(f"{display(path.parent)}: no such folder to write {display(Path(path.name))} to")


def _print_row(row: Row, first: bool) -> None:
    if first:
        click.echo(f"{'features':22}{'search':10}" + "".join(f"{title:>11}" for title in COLUMNS.values()))
    start = f"{row.features:22}{row.search:10}"
    if row.problem:
        click.echo(f"{start} {row.problem}")
        return
    click.echo(start + "".join(f"{_shown(getattr(row, name)):>11}" for name in COLUMNS))


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _write_csv(rows: Sequence[Row], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
