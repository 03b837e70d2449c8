"""The commands `retroflex train classes` and `retroflex evaluate classes`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.catalogue.fields import field_named, forget_predictions, read_fields
from data.catalogue.values import CatalogueField
from data.errors import RetroflexError
from data.paths import display
from data.settings import load_settings
from retrieval.commands.options import bundle_option, json_option, library_option, print_json, with_options
from retrieval.library import Library

if TYPE_CHECKING:
    from captioner.classifier import Classifier
    from training.classes.evaluation import HeldOut
    from training.classes.examples import Examples

SHOWN = 5
"""Confused pairs on the terminal."""
PICTURE, TABLE = "confusion.png", "confusion.csv"
"""The confusion matrix in the folder of a classifier."""


@dataclass(frozen=True)
class _Wishes:
    """The values of the shared options."""

    field: str
    least: int
    folds: int
    seed: int
    plot: Path | None
    table: Path | None
    library: Path | None
    bundle: Path | None
    as_json: bool

    def check(self) -> None:
        """Raise RetroflexError for files that cannot be written, before the work."""
        from training.comparison.plot import check_format

        if self.plot:
            check_format(self.plot)
        for file in (self.plot, self.table):
            if file and not file.parent.is_dir():
                raise RetroflexError(f"{display(file.parent)}: no such folder to write {file.name} to")

    def open(self) -> tuple[Library, CatalogueField]:
        """Open the library; return it and the field to learn. Raises RetroflexError."""
        opened = Library.open(load_settings(library=self.library, bundle=self.bundle))
        return opened, field_named(read_fields(opened.store), self.field)

    def write(self, examples: Examples, held_out: HeldOut) -> None:
        """Write the confusion matrix where it is wanted."""
        if self.plot:
            _draw(held_out, examples, self.field, self.plot)
        if self.table:
            from training.classes.confusion import write_table

            write_table(held_out.matrix, examples.classes, self.table)


def _shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that both commands share; the command gets them as `_Wishes`, checked."""

    @wraps(command)
    def run(**given: Any) -> None:
        wishes = _Wishes(**{one.name: given.pop(one.name) for one in fields(_Wishes)})
        wishes.check()
        command(wishes, **given)

    path = click.Path(path_type=Path, dir_okay=False)
    options = (
        click.option("--field", required=True, metavar="FIELD", help="The field of the catalogue to learn."),
        click.option("--least", type=click.IntRange(2), default=5, show_default=True, help="Pictures of a class."),
        click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Parts to hold out."),
        click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the parts."),
        click.option("--plot", type=path, help="Also draw the confusion matrix: PNG, SVG or PDF."),
        click.option("--csv", "table", type=path, help="Also write the confusion matrix as CSV."),
        library_option,
        bundle_option,
        json_option,
    )
    return with_options(run, options)


@click.command()
@click.option("--of", "kinds", metavar="KINDS", help="Kinds of vectors, with commas [default: the captioner's].")
@_shared_options
def train_classes(wishes: _Wishes, kinds: str | None) -> None:
    """Learn the classes of a field from pictures that have a value, and predict it for all others."""
    from training.classes.evaluation import evaluate_held_out
    from training.classes.examples import read_examples

    opened, of = wishes.open()
    opened.store.check_writable()
    chosen = kinds.split(",") if kinds else _own_kinds(opened)
    examples = read_examples(opened, of, chosen, wishes.least)
    held_out = evaluate_held_out(examples, wishes.folds, wishes.seed, of.name)
    classifier = _fitted(of, examples, held_out, wishes)
    folder, predicted = _use(opened, of, classifier, examples, held_out, wishes.as_json)
    wishes.write(examples, held_out)
    figures = _figures(examples, held_out) | {"predicted": predicted, "folder": str(folder)}
    _report({"field": of.name, "model_version": classifier.model_version} | figures, examples, held_out, wishes.as_json)


def _own_kinds(library: Library) -> list[str]:
    """Return the kinds of vectors that the captioner makes and the library has."""
    models = library.searcher().index.models
    return [kind for kind in library.model.kinds if kind in models] or [library.model.encoder]


def _fitted(of: CatalogueField, examples: Examples, held_out: HeldOut, wishes: _Wishes) -> Classifier:
    """Train on all examples."""
    from captioner.classifier import Classifier
    from training.classes.trainer import fit

    fitted = fit(examples.vectors, examples.numbers, examples.groups, wishes.seed)
    made_by = {
        **_figures(examples, held_out),
        "shrinkage": fitted.shrinkage,
        "temperature": round(fitted.temperature, 3),
        "settings": {"least": wishes.least, "folds": wishes.folds, "seed": wishes.seed},
    }
    return Classifier(of.name, examples.sources, examples.classes, *fitted.linear, made_by=made_by)


def _use(
    library: Library, of: CatalogueField, classifier: Classifier, examples: Examples, held_out: HeldOut, hidden: bool
) -> tuple[Path, int]:
    """Save the classifier and replace the predictions of the one before; return its folder and how many there are."""
    # Imported here, as they load the captioner.
    from captioner.classifier import save_classifier
    from retrieval.commands.index import indexing_turn, predict_field
    from retrieval.commands.progress import Bar, Display
    from training.classes.confusion import write_table

    with indexing_turn(library.settings.library, Display if hidden else Bar):
        # Killed from here on, `retroflex index` predicts by the classifier that it finds.
        forget_predictions(library.store, of)
        folder = save_classifier(classifier, library.settings.library)
        _draw(held_out, examples, of.name, folder / PICTURE)
        write_table(held_out.matrix, examples.classes, folder / TABLE)
        predicted = predict_field(library, classifier, of, hidden)
        library.searcher()
        library.merge()
    return folder, predicted


def _draw(held_out: HeldOut, examples: Examples, name: str, path: Path) -> None:
    from training.classes.confusion import draw

    draw(held_out.matrix, examples.classes, path, f"{name}: {held_out.accuracy:.1f} % of held-out pictures are right")


@click.command("classes")
@click.option("--only", metavar="VALUES", help="Only these classes, with commas.")
@click.option(
    "--features",
    metavar="KINDS",
    help="Rows to compare: kinds of vectors, joined by +, with commas [default: train's].",
)
@click.option("--search", is_flag=True, help="Also P@10 of search by picture, with and without the classes.")
@_shared_options
def evaluate_classes(wishes: _Wishes, only: str | None, features: str | None, search: bool) -> None:
    """Classify each labelled picture of the library by the others, in folds; nothing is saved or predicted."""
    from training.classes.evaluation import evaluate_held_out, search_precision
    from training.classes.examples import read_examples

    opened, of = wishes.open()
    joined = features.split(",") if features else ["+".join(_own_kinds(opened))]
    rows: list[dict[str, Any]] = []
    for number, kinds in enumerate(joined):
        examples = read_examples(opened, of, kinds.split("+"), wishes.least, _names(only))
        held_out = evaluate_held_out(examples, wishes.folds, wishes.seed, kinds)
        row = {"features": kinds, "seed": wishes.seed} | _figures(examples, held_out)
        if search:
            row["p10"] = {name: round(one, 2) for name, one in search_precision(opened, examples, held_out).items()}
        rows.append(row)
        if not number:
            wishes.write(examples, held_out)
        if not wishes.as_json:
            _report(row, examples, held_out, False)
    if wishes.as_json:
        print_json({"field": of.name, "rows": rows})


def _names(given: str | None) -> Sequence[str]:
    return [name.strip() for name in given.split(",") if name.strip()] if given else ()


def _figures(examples: Examples, held_out: HeldOut) -> dict[str, Any]:
    """Return what held-out pictures say: percents, and the confusion matrix's classes and counts."""
    return {
        "pictures": len(examples.ids),
        "contents": len(set(examples.groups.tolist())),
        "classes": len(examples.classes),
        "left_out": examples.left_out,
        "accuracy": round(held_out.accuracy, 2),
        "balanced_accuracy": round(held_out.balanced, 2),
        "calibration_error": round(held_out.error, 4),
    }


def _report(row: dict[str, Any], examples: Examples, held_out: HeldOut, as_json: bool) -> None:
    """Print the figures, and of people's interest the classes and what is taken for what."""
    from retrieval.commands.catalogue import print_table
    from training.classes.confusion import class_figures, most_confused

    of_classes = class_figures(held_out.matrix, examples.classes)
    if as_json:
        confusion = {"classes": examples.classes, "matrix": held_out.matrix.tolist()}
        print_json(row | {"confusion": confusion})
        return
    for name, value in row.items():
        shown = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name.replace('_', ' '):20}{shown}")
    lines = [(one.name, f"{one.pictures:,}", f"{one.recall:.1f}", f"{one.precision:.1f}") for one in of_classes]
    print_table([("class", "pictures", "found, %", "right, %"), *lines])
    for name, taken_for, count in most_confused(held_out.matrix, examples.classes, SHOWN):
        click.echo(f"{count:,} of {name} were taken for {taken_for}")
