"""`retroflex import` and `retroflex catalogue`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from data.catalogue.fields import counts_by_field, field_named, fields_at, read_fields, relabel, remove_field
from data.catalogue.files import SUFFIXES, Progress, open_table
from data.catalogue.importing import Importer, ImportReport
from data.catalogue.listing import SHOWN, Listing
from data.catalogue.matching import FileNames
from data.catalogue.profile import TableProfile, Wishes, map_columns, profile, renamed
from data.catalogue.values import IN_WORDS, LONGEST_LABEL, TYPES
from data.catalogue.writes import NewField
from data.errors import RetroflexError
from data.paths import absolute, display, to_bytes
from data.progress import progress_bar
from data.settings import load_settings
from retrieval.commands.options import bundle_option, json_option, library_option, print_json, remark
from retrieval.library import Library, opened_for_indexing
from retrieval.search.catalogue import built_in_names

WIDEST = 30
"""Characters of a cell of the summary."""


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--images", type=click.Path(path_type=Path), metavar="DIR", help="Index this folder first; keys name its files."
)
@click.option("--key", required=True, metavar="COLUMN", help="The column that names each row's picture file.")
@click.option("--type", "types", metavar="COLUMN=TYPE", multiple=True, help=f"{', '.join(TYPES)}; may be repeated.")
@click.option("--label", "labels", metavar="COLUMN=LABEL", multiple=True, help="What people read; may be repeated.")
@click.option("--rename", "names", metavar="COLUMN=NAME", multiple=True, help="The field's name; may be repeated.")
@click.option("--skip", metavar="COLUMN", multiple=True, help="Leave a column out; may be repeated.")
@click.option("--delimiter", help="What separates the cells [default: comma, in .tsv files tab].")
@click.option("--encoding", help="Of the file [default: found by its mark, UTF-8, else Latin-1].")
@click.option("--forget", is_flag=True, help="Remove the values of rows that the file does not have any more.")
@click.option("--dry-run", is_flag=True, help="Show the fields that the columns become, and change nothing.")
@library_option
@bundle_option
@json_option
def import_catalogue(
    file: Path,
    images: Path | None,
    key: str,
    types: tuple[str, ...],
    labels: tuple[str, ...],
    names: tuple[str, ...],
    skip: tuple[str, ...],
    delimiter: str | None,
    encoding: str | None,
    forget: bool,
    dry_run: bool,
    library: Path | None,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Add what FILE says of pictures: each column of a CSV, TSV, JSON lines or Parquet table becomes a field."""
    settings = load_settings(library=library, bundle=bundle)
    wishes = Wishes(_types(types), _labels(labels), _pairs("--rename", names), skip)
    problems = Listing()
    with _bar("reading", as_json) as progress:
        profiled = profile(open_table(file, delimiter, encoding), problems, progress)
    columns = map_columns(profiled, key, wishes, fields_at(settings), built_in_names())
    if not as_json:
        _print_fields(profiled, columns, wishes)
    if dry_run:
        _finish_dry_run(profiled, columns, problems, as_json)
        return
    with opened_for_indexing(settings, create=images is not None) as opened:
        opened.store.check_writable()
        report = _import(opened, profiled, columns, key, images, forget, as_json)
        opened.searcher()
        opened.merge()
    if as_json:
        _print_report_as_json(profiled, columns, report)
    else:
        _print_report(report, key, forget)


def _import(
    opened: Library,
    profiled: TableProfile,
    columns: Mapping[str, NewField],
    key: str,
    images: Path | None,
    forget: bool,
    as_json: bool,
) -> ImportReport:
    # Imported here, as they load the captioner.
    from retrieval.commands.index import index_folder, indexing_turn
    from retrieval.commands.progress import Bar, Display

    shown = Display if as_json else Bar
    folder = absolute(images) if images is not None else None
    if folder is not None:
        indexed = index_folder(opened, folder, shown)
        for bad in indexed.skipped[:SHOWN]:
            remark(f"{display(bad.path)} {bad.reason}")
    with indexing_turn(opened.settings.library, shown):
        found = FileNames(opened.store, to_bytes(folder) if folder is not None else None)
        importer = Importer(opened.store, found, key, columns)
        with _bar("importing", as_json) as progress:
            return importer.run(profiled.table, progress, forget)


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for one in given:
        column, sign, value = one.partition("=")
        if not (sign and column.strip() and value.strip()):
            raise RetroflexError(f"{option} needs COLUMN=…, not {one[:60]!r}")
        pairs[column.strip()] = value.strip()
    return pairs


def _types(given: Sequence[str]) -> dict[str, str]:
    pairs = _pairs("--type", given)
    for column, kind in pairs.items():
        if kind not in TYPES:
            raise RetroflexError(f"there is no type {kind[:60]!r} for {column}; give one of {', '.join(TYPES)}")
    return pairs


def _labels(given: Sequence[str]) -> dict[str, str]:
    return {column: _label(label) for column, label in _pairs("--label", given).items()}


def _label(text: str) -> str:
    if len(text) > LONGEST_LABEL or not text.isprintable():
        raise RetroflexError(f"a label is one line of at most {LONGEST_LABEL} characters, not {text[:60]!a}")
    return text


@contextmanager
def _bar(what: str, hidden: bool) -> Iterator[Progress]:
    """Yield what shows how much of a file is read, with the time left, see `progress_bar`."""
    with progress_bar(desc=what, unit="B", unit_scale=True, delay=0.5, hidden=hidden) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield show


def _print_fields(profiled: TableProfile, columns: Mapping[str, NewField], wishes: Wishes) -> None:
    """Print what becomes of each column."""
    click.echo(f"{profiled.table.path.name}: {profiled.rows:,} rows, {len(profiled.columns)} columns")
    rows = [("column", "field", "type", "filled", "examples")]
    for column, content in profiled.columns.items():
        field = columns.get(column)
        name = field.name if field else "(skipped)"
        kind = "" if field is None else "key" if field.is_key else IN_WORDS[field.type]
        rows.append((column, name, kind, f"{content.filled:,}", ", ".join(content.examples)))
    print_table(rows)
    for line in renamed(columns, wishes):
        remark(line)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the last one is as wide as it is."""
    cut = [[cell if len(cell) <= WIDEST else f"{cell[: WIDEST - 1]}…" for cell in row[:-1]] for row in rows]
    widths = [max(len(row[at]) for row in cut) for at in range(len(cut[0]))]
    for short, row in zip(cut, rows, strict=True):
        padded = [cell.ljust(width) for cell, width in zip(short, widths, strict=True)]
        click.echo("  ".join([*padded, row[-1]]).rstrip())


def _print_report(report: ImportReport, key: str, forget: bool) -> None:
    changed = report.changed
    click.echo(
        f"{report.pictures:,} pictures: {changed.added:,} values added, {changed.updated:,} updated, "
        f"{changed.removed:,} removed; {report.unchanged:,} pictures unchanged"
    )
    if changed.kept:
        click.echo(f"{changed.kept:,} values that a person gave differ from the file, and stay")
    if report.rows_lost and not forget:
        click.echo(f"{report.rows_lost:,} pictures have values of rows that the file lacks now; --forget removes them")
    keys = [f"line {one['line']}: {key} {one['key'][:WIDEST]!r}" for one in report.rows_without_pictures.first]
    _print_listing("rows without a picture", report.rows_without_pictures, keys)
    _print_listing("pictures without a row", report.pictures_without_rows, report.pictures_without_rows.first)
    _print_listing("problems", report.problems, report.problems.first)


def _print_listing(what: str, listing: Listing, first: Sequence[str]) -> None:
    if not len(listing):
        return
    click.echo(f"{len(listing):,} {what}:")
    for line in first:
        click.echo(f"  {line}")
    if len(listing) > len(first):
        click.echo(f"  ... and {len(listing) - len(first):,} more; --json lists them all")


def _columns_as_json(profiled: TableProfile, columns: Mapping[str, NewField]) -> list[dict[str, Any]]:
    return [
        {
            "column": column,
            "field": field.name if (field := columns.get(column)) else None,
            "type": field.type if field else None,
            "label": field.label if field else None,
            "key": bool(field and field.is_key),
            "filled": content.filled,
            "empty": content.empty,
            "examples": content.examples,
        }
        for column, content in profiled.columns.items()
    ]


def _finish_dry_run(profiled: TableProfile, columns: Mapping[str, NewField], problems: Listing, as_json: bool) -> None:
    if as_json:
        document = {"file": display(profiled.table.path), "rows": profiled.rows}
        print_json({**document, "columns": _columns_as_json(profiled, columns), "problems": list(problems)})
    else:
        _print_listing("problems", problems, problems.first)
        click.echo("nothing was changed")


def _print_report_as_json(profiled: TableProfile, columns: Mapping[str, NewField], report: ImportReport) -> None:
    """Print one document; its lists may be too long for the memory."""
    changed = report.changed
    document = {
        "file": display(profiled.table.path),
        "encoding": profiled.table.encoding,
        "rows": report.rows,
        "columns": _columns_as_json(profiled, columns),
        "pictures": report.pictures,
        "unchanged": report.unchanged,
        "values": changed.values,
        "rows_lost": report.rows_lost,
    }
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2)[:-2])
    for name in ("rows_without_pictures", "pictures_without_rows", "problems"):
        sys.stdout.write(f',\n  "{name}": [')
        between = "\n    "
        for entry in getattr(report, name):
            sys.stdout.write(between + json.dumps(entry, ensure_ascii=False))
            between = ",\n    "
        sys.stdout.write("\n  ]" if between[0] == "," else "]")
    sys.stdout.write("\n}\n")


@click.command()
@click.option("--label", "labels", metavar="FIELD=LABEL", multiple=True, help="Change what people read of a field.")
@click.option("--remove", metavar="FIELD", multiple=True, help="Remove a field with all its values, yours included.")
@library_option
@json_option
def catalogue(labels: tuple[str, ...], remove: tuple[str, ...], library: Path | None, as_json: bool) -> None:
    """Show the fields of the catalogue, and how many pictures have a value of each."""
    opened = Library.open(load_settings(library=library))
    store, fields = opened.store, read_fields(opened.store)
    changes = [(field_named(fields, name), label) for name, label in _labels(labels).items()]
    gone = [field_named(fields, name) for name in remove]
    for field, label in changes:
        relabel(store, field, label)
    for field in gone:
        remove_field(store, field)
    counts = counts_by_field(store)
    listed = [{**field._asdict(), "pictures": counts.get(field.id, 0)} for field in read_fields(store)]
    if as_json:
        names = ("name", "type", "label", "is_key", "pictures")
        print_json({"fields": [{name: one[name] for name in names} for one in listed]})
    elif listed:
        rows = [(one["name"], IN_WORDS[one["type"]], f"{one['pictures']:,}", one["label"]) for one in listed]
        print_table([("field", "type", "pictures", "label"), *rows])
    else:
        click.echo(f"no field yet; `retroflex import` makes them of a {', '.join(SUFFIXES)} file")
