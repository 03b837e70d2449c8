"""`retroflex search` and `retroflex similar`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from captioner.types import SKETCH
from data.catalogue.fields import field_named
from data.paths import to_bytes
from data.remote import located
from data.settings import load_settings
from retrieval.commands.options import (
    Output,
    bundle_option,
    library_option,
    limit_option,
    output_options,
    print_nothing_close,
    print_result,
)
from retrieval.library import Library
from retrieval.search.catalogue import PREFIX, read_conditions
from retrieval.search.fields import (
    FIELDS,
    RELEVANCE,
    AlbumField,
    ChoiceField,
    ConfidenceField,
    DayRange,
    Field,
    FolderField,
    NumberRange,
    order_names,
)
from retrieval.search.filters import Filters
from retrieval.search.query import (
    MAX_UNLIKE_WEIGHT,
    MAX_WEIGHT,
    Query,
    QueryError,
    QueryImage,
    check_query,
    read_weight,
)

PICTURE = "PICTURE[@WEIGHT]"


class _How(NamedTuple):
    """The values of `_shared_options`, but library and bundle; `filters` by option name."""

    limit: int
    sort: str
    where: Sequence[str]
    distant: bool
    min_cosine: float | None
    group_by: str | None
    output: Output
    filters: dict[str, Any]

    @classmethod
    def of(cls, given: dict[str, Any]) -> _How:
        """Read the options. Raises click.UsageError."""
        output = Output(*(given.pop(name) for name in Output._fields))
        own = {name: given.pop(name) for name in cls._fields if name in given}
        return cls(**own, output=output, filters=given)


class _AlbumName(str):
    """The name or number of an album."""


def _type(field: Field) -> click.ParamType | type[str]:
    match field:
        case FolderField():
            return click.Path(path_type=Path)
        case AlbumField():
            return _AlbumName
        case DayRange():
            return click.DateTime(["%Y-%m-%d"])
        case NumberRange():
            return click.IntRange(1, field.largest)
        case ChoiceField():
            return click.Choice(field.values)
        case ConfidenceField():
            return click.FloatRange(0, 1)
    raise TypeError(f"no command line option is known for {field!r}")


def _value(library: Library, value: Any) -> Any:
    if isinstance(value, Path):
        return library.collection.folder_at(to_bytes(located(value)))
    if isinstance(value, _AlbumName):
        return library.collection.album_named(value)
    return value.date() if isinstance(value, datetime) else value


def _filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--sort`, and an option for each filter, whose values are for `_read_filters`."""
    orders = f"[{'|'.join(order_names(queried=True))}|field.NAME|field.NAME.desc]"
    sort = click.option("--sort", default=RELEVANCE.name, metavar=orders, show_default=True, help="Order of the hits.")
    where = click.option(
        "--where",
        metavar="CONDITION",
        multiple=True,
        help="By the catalogue: 'NAME=VALUE', 'NAME>=5'; may be repeated.",
    )
    command = sort(where(command))
    for field in reversed(FIELDS):
        several = isinstance(field, ChoiceField) and field.several
        for option in reversed(field.options):
            add = click.option(option.cli, option.name, type=_type(field), multiple=several, help=option.help)
            command = add(command)
    return command


def _check_options(words: Sequence[str]) -> None:
    """Raise click.NoSuchOption with the nearest names for a word like --limt; click itself lets it pass, as -word."""
    unknown = next((word.partition("=")[0] for word in words if re.match("--[a-z]", word)), None)
    if unknown:
        context = click.get_current_context()
        names = [name for parameter in context.command.params for name in parameter.opts]
        raise click.NoSuchOption(unknown, possibilities=get_close_matches(unknown, names), ctx=context)


def _shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `search` and `similar` share."""
    command = output_options(library_option(bundle_option(limit_option(command))))
    group = click.option("--group-by", metavar="FIELD", help="Hits with one value of this field together.")
    cosine = click.option(
        "--min-cosine",
        type=click.FloatRange(0, 1),
        help="The least cosine to a picture that is asked for [default: a border that was calibrated].",
    )
    distant = click.option("--all", "distant", is_flag=True, help="Show pictures that are not close, too.")
    return distant(cosine(group(_filter_options(command))))


def _read_filters(library: Library, how: _How) -> Filters:
    """Return the filters for the values of the options. Raise QueryError."""
    own = library.collection.catalogue() if how.where else ()
    given = {name: _value(library, value) for name, value in how.filters.items()}
    return Filters((*FIELDS, *own), **given, **read_conditions(how.where, own))


def _check_order(library: Library, sort: str) -> None:
    """Raise QueryError for an order that this library does not have."""
    names = order_names(queried=True)
    if sort not in names:
        names = order_names(queried=True, further=library.collection.catalogue())
        if sort not in names:
            near = get_close_matches(sort, names, 1, cutoff=0.0)[0]
            raise QueryError(f"there is no order {sort[:60]!a}; the nearest is {near}")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1)
@click.option("--like", metavar=PICTURE, multiple=True, help="Also like this picture; may be given several times.")
@click.option("--unlike", metavar=PICTURE, multiple=True, help="Not like this picture; WEIGHT is 1 at most.")
@click.option("--verbatim", is_flag=True, help="Search for WORDS as they are spelled, without others in their place.")
@_shared_options
def search(
    words: tuple[str, ...],
    like: tuple[str, ...],
    unlike: tuple[str, ...],
    verbatim: bool,
    library: Path | None,
    bundle: Path | None,
    **shared: Any,
) -> None:
    """Find pictures by WORDS, by pictures to be like or unlike, or by both."""
    _check_options(words)
    how = _How.of(shared)
    opened = Library.open(load_settings(library=library, bundle=bundle))
    text = " ".join(words).encode(errors="replace").decode()  # a terminal may pass stray bytes
    _search(opened, partial(_query, opened, text, like, unlike, verbatim), how)


@click.command()
@click.argument("picture", required=False, type=click.Path(path_type=Path))
@click.option("--by", metavar="NAME", help="Compare by the vectors of this encoder alone, see index --features.")
@click.option(
    "--sketch", type=click.Path(path_type=Path), help="A drawing of outlines to find instead, see index --features."
)
@click.option("--face", is_flag=True, help="Find pictures of the person: the largest face in PICTURE, or in a film.")
@click.option("--face-number", type=int, help="Another face of PICTURE: 2 is the second largest.")
@click.option(
    "--same", metavar="FIELD", multiple=True, help="Only pictures of the class that PICTURE has; see train classes."
)
@_shared_options
def similar(
    picture: Path | None,
    by: str | None,
    sketch: Path | None,
    face: bool,
    face_number: int | None,
    same: tuple[str, ...],
    library: Path | None,
    bundle: Path | None,
    **shared: Any,
) -> None:
    """Find pictures and films like PICTURE, which may be a film, of the person in it, or like a sketch."""
    from retrieval.commands.describe import query_images

    how = _How.of(shared)
    by_face = face or face_number is not None
    file, kind = _compared(picture, sketch, by, by_face)
    opened = Library.open(load_settings(library=library, bundle=bundle))
    if by_face:
        if same or how.group_by or how.min_cosine is not None:
            raise click.UsageError("--face takes neither --same nor --group-by nor --min-cosine")
        _search_face(opened, file, face_number or 1, how)
        return
    if sketch is not None and SKETCH not in opened.searcher().index.models:
        raise QueryError(f"the library has no outlines for a sketch yet; run: retroflex index --features {SKETCH}")

    def query() -> Query:
        return Query(like=query_images([(file, 1.0)], opened, kind), by=kind)

    _search(opened, query, how, same)


def _compared(picture: Path | None, sketch: Path | None, by: str | None, by_face: bool) -> tuple[Path, str | None]:
    """Return the file to search with and the kind to compare by. Raise click.UsageError unless exactly one is given."""
    if by_face and (picture is None or sketch is not None or by is not None):
        raise click.UsageError("--face needs one picture, and neither --by nor --sketch")
    if sketch is not None and picture is None and by in (None, SKETCH):
        return sketch, SKETCH
    if picture is None or sketch is not None:
        raise click.UsageError("give one picture, or a sketch with --sketch and neither a picture nor --by")
    return picture, by


def _search(library: Library, query: Callable[[], Query], how: _How, same: Sequence[str] = ()) -> None:
    """Search and print, with `same` only pictures of the query picture's own class in these fields.

    The options are checked before the query, which may have to describe pictures.
    """
    only_paths = how.output.only_paths
    _check_order(library, how.sort)
    filters = _read_filters(library, how)
    grouping = library.collection.grouping(how.group_by, filters) if how.group_by else None
    _check_learnt(library, same)
    made = replace(query(), min_cosine=how.min_cosine)
    selection = library.collection.select(_of_same_class(library, made, same, filters), how.sort)
    result = library.search(made, how.limit, 0, how.distant, selection, grouping)
    print_result(result, how.output)
    if not (result.total or how.output.as_json):
        print_nothing_close(result, library.store.status().pictures, err=only_paths)


def _check_learnt(library: Library, fields: Sequence[str]) -> None:
    """Raise QueryError for a field of which the library has no classifier, and NoSuchField for one that it lacks."""
    known = [one.field for one in library.classifiers()] if fields else []
    for name in fields:
        field_named([one.of for one in library.collection.catalogue()], name)
        if name not in known:
            raise QueryError(f"{name[:60]} has not been learnt; run: retroflex train classes --field {name[:60]}")


def _of_same_class(library: Library, query: Query, fields: Sequence[str], filters: Filters) -> Filters:
    """Return filters that also want the value which the query's picture has in each of the fields."""
    if not fields:
        return filters
    told = library.classify(query.like[0].description)
    for name in fields:
        if name not in told:
            raise QueryError(f"{name} was learnt from other vectors; run: retroflex train classes --field {name}")
    values = {f"{PREFIX}{name}": (told[name][0].value,) for name in fields}
    return Filters(library.collection.fields(), **{**filters, **values})


def _search_face(library: Library, file: Path, number: int, how: _How) -> None:
    """Search for the person in a picture file, and print."""
    from retrieval.commands.face_search import face_in_file, tell_others

    only_paths = how.output.only_paths
    _check_order(library, how.sort)
    selection = library.collection.select(_read_filters(library, how), how.sort)
    face = face_in_file(file, library, number)
    result = library.search_face(face, how.limit, distant=how.distant, selection=selection)
    print_result(result, how.output)
    tell_others(face, file)
    if not (result.total or how.output.as_json):
        print_nothing_close(result, library.store.status().pictures, err=only_paths)


def _query(library: Library, text: str, like: Sequence[str], unlike: Sequence[str], verbatim: bool) -> Query:
    check_query(text, len(like), len(unlike))
    weighted = [_weighted(item, MAX_WEIGHT) for item in like] + [_weighted(item, MAX_UNLIKE_WEIGHT) for item in unlike]
    if not weighted:
        return Query(text, verbatim=verbatim)
    from retrieval.commands.describe import query_images  # imports picture decoders, which words do not need

    images = query_images(weighted, library)
    pictures = [one for one in images[len(like) :] if isinstance(one, QueryImage)]
    if len(pictures) < len(unlike):
        raise QueryError("--unlike takes a picture, not a film; --like takes both")
    return Query(text, images[: len(like)], pictures, verbatim=verbatim)


def _weighted(argument: str, most: float) -> tuple[Path, float]:
    """Split PICTURE[@WEIGHT]; the @ may also be part of a file name. Raises QueryError."""
    name, mark, weight = argument.rpartition("@")
    if not mark or os.path.exists(argument) or not os.path.exists(name):
        return Path(argument), 1.0
    return Path(name), read_weight(weight, most)
