"""The filter form: its controls, the active filters, and those to remove where there are no hits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from flask_babel import gettext

from data.catalogue.values import BOOLEAN, CATEGORY, DATE
from data.paths import clean_text
from data.roots import folder_id
from retrieval.search.catalogue import StoredField, StoredRange
from retrieval.search.collection import Facets
from retrieval.search.declarations import AlbumCount, Count, FolderCount, Option
from retrieval.search.fields import (
    ALBUM_ORDER,
    AlbumField,
    ChoiceField,
    ConfidenceField,
    DayRange,
    Field,
    FolderField,
    NumberRange,
    SetField,
    orders,
)
from webui.language.formats import day, number
from webui.language.sentences import translated
from webui.request.filters import catalogue, default_order
from webui.request.search_request import SearchRequest
from webui.services import services

MOST_VALUES = 100
"""Values of a field of the catalogue that the form offers; the most frequent."""


class Choice(NamedTuple):
    """A value that a control offers, its label, and whether it is chosen."""

    value: str
    label: str
    chosen: bool


class Control(NamedTuple):
    """A control of the form: `kind` is select, checkboxes, swatches, date, number, text or share (from 0 to 1).

    The last four have a `value`, no choices.
    """

    kind: str
    name: str
    label: str
    choices: list[Choice]
    value: str = ""
    largest: int | None = None
    step: str = ""


class ActiveFilter(NamedTuple):
    """A filter that is set, in words, and the request without it."""

    label: str
    without: SearchRequest


@dataclass(frozen=True)
class FilterForm:
    """What the page needs for the filters; `total` counts the pictures that pass them all.

    `by` are the kinds of vectors that pictures can be compared by, `groups` the fields that hits can be grouped by;
    empty where there is no choice. `cosine` is the least cosine, None without a picture to be like.
    """

    total: int
    sort: list[Choice]
    by: list[Choice]
    controls: list[Control]
    active: list[ActiveFilter]
    groups: list[Choice]
    cosine: Control | None


def filter_form(request: SearchRequest) -> FilterForm:
    """Return the form for this request, with the number of pictures of each choice. Raise StoreError."""
    facets = services().library.collection.facets(request.filters)
    controls = [control for field in _fields() for control in _controls(field, facets, request)]
    shown = _sort(request), _by(request), controls, active_filters(request), _groups(request), _cosine(request)
    return FilterForm(facets.total, *shown)


def _cosine(request: SearchRequest) -> Control | None:
    if not request.to_be_like:
        return None
    return Control("share", "min_cosine", gettext("Cosine from"), [], _text(request.min_cosine))


def _groups(request: SearchRequest) -> list[Choice]:
    """Return the fields of few values by which hits can be grouped."""
    own = [field.of for field in catalogue() if field.of.type in (CATEGORY, BOOLEAN)] if request.queried else []
    if not own:
        return []
    first = Choice("", gettext("Nothing"), request.group_by is None)
    return [first, *(Choice(of.name, translated(of.label), of.name == request.group_by) for of in own)]


def _by(request: SearchRequest) -> list[Choice]:
    """Return what the pictures of a query can be compared by, if the library has several kinds of vectors."""
    kinds = services().library.kinds if {"picture", "upload"} & set(request.kinds) else []
    if len(kinds) < 2:
        return []
    everything = Choice("", gettext("Everything"), request.by is None)
    return [everything, *(Choice(kind, kind, kind == request.by) for kind in kinds)]


def active_filters(request: SearchRequest) -> list[ActiveFilter]:
    """Return the filters that are set."""
    return [
        ActiveFilter(_chip(field, option, value), _without(request, option.name, value))
        for field in _fields()
        for option in field.options
        if option.name in request.filters
        for value in _values(request.filters[option.name])
    ]


def filters_to_loosen(request: SearchRequest, count: Callable[[SearchRequest], int]) -> list[tuple[ActiveFilter, int]]:
    """Return the filters without which there would be hits, with how many; most first."""
    counted = [(active, count(active.without)) for active in active_filters(request)]
    return sorted(((active, hits) for active, hits in counted if hits), key=lambda pair: -pair[1])


def _fields() -> tuple[Field, ...]:
    return services().library.collection.fields()


def _values(given: Any) -> tuple[Any, ...]:
    return given if isinstance(given, tuple) else (given,)


def _without(request: SearchRequest, name: str, value: Any) -> SearchRequest:
    rest = tuple(other for other in _values(request.filters[name]) if other != value)
    return replace(request, filters=request.filters.replace(**{name: rest}))


def _chip(field: Field, option: Option, value: Any) -> str:
    if isinstance(field, FolderField):
        shown = _name(value)
    elif isinstance(field, AlbumField):
        shown = services().library.collection.album_name(value)
    elif isinstance(value, date):
        shown = day(value)
    elif isinstance(field, StoredField):
        shown = str(value)
    elif isinstance(field, ChoiceField):
        shown = translated(next(choice.chip or choice.value for choice in field.choices if choice.value == value))
    else:
        shown = number(value)
    if isinstance(field, StoredField):
        return translated(option.chip.format(shown)).replace(field.of.label, translated(field.of.label), 1)
    return gettext(option.chip.replace("{}", "{value}")).replace("{value}", shown)


def _sort(request: SearchRequest) -> list[Choice]:
    default = default_order("album" in request.filters, request.queried)
    listed = [one for one in orders(request.queried, catalogue()) if one != ALBUM_ORDER or "album" in request.filters]
    first, *others = sorted(listed, key=lambda order: order.name != default)
    return [
        Choice("", translated(first.label), request.order == first.name),
        *(Choice(order.name, translated(order.label), request.order == order.name) for order in others),
    ]


def _controls(field: Field, facets: Facets, request: SearchRequest) -> Iterator[Control]:
    for option in field.options:
        given = request.filters.get(option.name)
        match field:
            case StoredField():
                yield from _stored_controls(field, option, facets, given)
            case DayRange():
                yield Control("date", option.name, _label(option), [], _text(given))
            case NumberRange():
                yield _number(field, option, given)
            case ChoiceField(several=True):
                kind = "swatches" if isinstance(field, SetField) and field.swatches else "checkboxes"
                counted = facets.counts.get(field.facet, [])
                yield Control(kind, option.name, _label(option), _alternatives(counted, given or (), translated))
            case ConfidenceField():
                yield from _confidence(option, given)
            case FolderField():
                yield _select(option, field.any, _folders(facets.counts[field.facet], given))
            case AlbumField():
                yield from _albums(field, option, facets.counts[field.facet], given)
            case ChoiceField():
                yield _select(option, field.any, _choices(field, facets, given))


def _stored_controls(field: StoredField, option: Option, facets: Facets, given: Any) -> Iterator[Control]:
    """Controls of a field of the catalogue: from and to, a text, or the values that there are."""
    if isinstance(field, StoredRange):
        if option != field.options[0]:
            kind = "date" if field.of.type == DATE else "number"
            yield Control(kind, option.name, _label(option), [], _text(given), step="any")
    elif not field.facet:
        yield from (Control("text", option.name, _label(option), [], _text(one)) for one in given or ("",))
    elif choices := _alternatives(facets.counts[field.facet][:MOST_VALUES], given or ()):
        yield Control("checkboxes", option.name, _label(option), choices)


def _number(field: NumberRange, option: Option, given: int | None) -> Control:
    if field.steps:
        return _select(option, field.any, _steps(field, given))
    return Control("number", option.name, _label(option), [], _text(given), field.largest)


def _confidence(option: Option, given: float | None) -> Iterator[Control]:
    """A control for the confidence of predicted values, where there may be some."""
    if given is not None or services().library.classifiers():
        yield Control("share", option.name, _label(option), [], _text(given))


def _label(option: Option) -> str:
    return translated(option.label)


def _select(option: Option, any_value: str, choices: list[Choice]) -> Control:
    none_chosen = not any(choice.chosen for choice in choices)
    return Control("select", option.name, _label(option), [Choice("", translated(any_value), none_chosen), *choices])


def _choices(field: ChoiceField, facets: Facets, given: str | None) -> list[Choice]:
    counts: dict[str, int] = dict(facets.counts.get(field.facet, ()))
    return [
        Choice(value, _counted(translated(label or value), counts.get(value, 0)), value == given)
        for value, label, _ in field.choices
    ]


def _alternatives(counted: list[Count], given: tuple[str, ...], shown: Callable[[str], str] = str) -> list[Choice]:
    """Only values that some picture has, and those that are chosen, in small or large letters, as `shown`."""
    counts = dict(counted)
    chosen = {value.casefold() for value in given}
    others = [value for value in given if value.casefold() not in {one.casefold() for one in counts}]
    return [
        Choice(value, _counted(shown(value), counts.get(value, 0)), value.casefold() in chosen)
        for value in (*counts, *others)
    ]


def _steps(field: NumberRange, given: int | None) -> list[Choice]:
    steps = sorted({*field.steps, *([given] if given else [])})
    return [Choice(str(step), f"{number(step)} {field.unit}".strip(), step == given) for step in steps]


def _folders(counted: list[FolderCount], given: bytes | None) -> list[Choice]:
    """The folders with pictures, each indented by its depth, and the chosen one."""
    depths: dict[str | None, int] = {}
    for folder in counted:  # Sorted by path, so a parent comes before its folders.
        depths[folder.id] = depths.get(folder.above, -1) + 1
    choices = [
        Choice(one.id, _counted(2 * depths[one.id] * "\u00a0" + _name(one.path), one.pictures), one.path == given)
        for one in counted
    ]
    if given is not None and all(folder.path != given for folder in counted):
        choices.append(Choice(folder_id(given), _counted(_name(given), 0), True))
    return choices


def _albums(field: AlbumField, option: Option, counted: list[AlbumCount], given: int | None) -> Iterator[Control]:
    """A control for the album, where there are some."""
    choices = [Choice(str(one.id), _counted(one.name, one.pictures), one.id == given) for one in counted]
    if given is not None and all(one.id != given for one in counted):
        name = services().library.collection.album_name(given)
        choices.append(Choice(str(given), _counted(name, 0), True))
    if choices:
        yield _select(option, field.any, choices)


def _counted(label: str, count: int) -> str:
    return f"{label} ({number(count)})"


def _text(given: date | float | str | None) -> str:
    return "" if given is None else str(given)


def _name(path: bytes) -> str:
    return clean_text(path.rpartition(b"/")[2] or path)
