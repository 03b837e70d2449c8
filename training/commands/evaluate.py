"""The command `retroflex evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.captioned import SPLITS, Dataset
from data.dataset import read_dataset
from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.commands.options import bundle_option, json_option, print_json, print_left_out, with_options
from training.commands.classes import evaluate_classes

if TYPE_CHECKING:
    from captioner.captioner import Captioner


@click.group()
def evaluate() -> None:
    """Evaluate a captioner on pictures with human captions, or search by pictures and by words on any pictures."""


evaluate.add_command(evaluate_classes)


def _search_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add options of beam search that override those of the bundle."""
    options = (
        click.option("--beam", type=click.IntRange(1, 50), help="Beam width."),
        click.option("--groups", type=click.IntRange(1, 50), help="Groups of beams with different words."),
        click.option("--diversity", type=click.FloatRange(0), help="Penalty of a word that an earlier group used."),
        click.option("--nearness", type=click.FloatRange(0), help="Weight of a caption's cosine to its picture."),
    )
    return with_options(command, options)


def _common_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option(
            "--dataset",
            type=click.Path(path_type=Path),
            required=True,
            help="Folder in Flickr8k layout, or a CSV or TSV file with the columns picture and caption.",
        ),
        click.option("--split", type=click.Choice(SPLITS), default="dev", show_default=True),
        bundle_option,
        click.option("--limit-pictures", type=click.IntRange(1), help="Use only the first pictures, for a quick test."),
        json_option,
    )
    return with_options(command, options)


@evaluate.command()
@_common_options
@_search_options
def captions(
    dataset: Path, split: str, bundle: Path | None, limit_pictures: int | None, as_json: bool, **how: float | None
) -> None:
    """Score generated captions against the human ones: BLEU-1 to BLEU-4 and CIDEr."""
    from training.evaluation.evaluate import evaluate_captions

    pictures = _read(dataset, split, limit_pictures)
    result = evaluate_captions(_load_captioner(bundle, how), pictures)
    report(result, {"": result["scores"]}, {**how, "limit_pictures": limit_pictures}, as_json)


@evaluate.command()
@_common_options
@_search_options
@click.option(
    "--captions",
    "table",
    type=click.Path(path_type=Path),
    help="Use the captions of this CSV or TSV file as queries (columns picture, split, caption).",
)
@click.option("--language", help="Name of these captions in the result [default: the name of their file].")
@click.option("--captions-per-picture", type=click.IntRange(1), help="Generated captions to keep [default: all].")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of ties.")
@click.option("--stages", is_flag=True, help="Compare other rankers and each stage of the product's ranking.")
def search(
    dataset: Path,
    split: str,
    bundle: Path | None,
    limit_pictures: int | None,
    as_json: bool,
    table: Path | None,
    language: str | None,
    captions_per_picture: int | None,
    seed: int,
    stages: bool,
    **how: float | None,
) -> None:
    """Search for each picture by its human captions, among pictures with generated captions only."""
    from data.caption_table import with_captions_of
    from training.evaluation.evaluate import evaluate_search
    from training.evaluation.rankers import evaluate_stages

    if language and not table:
        raise RetroflexError("--language names the captions of a table; give the table with --captions")
    pictures = _read(dataset, split, None)
    pictures = _limited(with_captions_of(table, pictures) if table else pictures, limit_pictures)
    evaluate_ranking = evaluate_stages if stages else evaluate_search
    result = evaluate_ranking(_load_captioner(bundle, how), pictures, seed, captions_per_picture)
    options: dict[str, Any] = {
        "stages": stages,
        **how,
        "captions_per_picture": captions_per_picture,
        "limit_pictures": limit_pictures,
    }
    if table:
        given = {"language": language or table.stem, "captions": "TABLE"}
        result, options = {"language": given["language"], **result}, {**given, **options}
    report(result, result["stages" if stages else "rankings"], options, as_json)


@evaluate.command()
@_common_options
@_search_options
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the queries.")
def words(**given: Any) -> None:
    """Search by one and by two words of human captions: precision and recall of the hits."""
    from training.evaluation.words import evaluate_words

    _evaluate(evaluate_words, "queries", **given)


@evaluate.command()
@_common_options
@_search_options
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of ties and of typed words.")
def variants(**given: Any) -> None:
    """Compare BLEU variants as rankers, for sentences, for typed words and for captions of the mirrored picture."""
    from training.evaluation.variants import evaluate_variants

    _evaluate(evaluate_variants, "rankings", **given)


@evaluate.command()
@_common_options
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of copies and ties.")
def copies(
    dataset: Path, split: str, bundle: Path | None, limit_pictures: int | None, as_json: bool, seed: int
) -> None:
    """Search for each picture by cropped, rotated, grey and other copies, among all pictures of its folder."""
    from training.evaluation.picture_search import evaluate_copies

    pictures = _read(dataset, split, limit_pictures)
    result = evaluate_copies(_load_captioner(bundle, {}), pictures, seed)
    report(result, {"recall at 1,": result["recall_at_1"]}, {"limit_pictures": limit_pictures}, as_json)


@evaluate.command()
@_common_options
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of copies.")
def duplicates(
    dataset: Path, split: str, bundle: Path | None, limit_pictures: int | None, as_json: bool, seed: int
) -> None:
    """Detect copies of a picture by cosine alone: precision and recall by threshold.

    The limit applies to the pictures that are copied; the others are all pictures of the split.
    """
    from training.evaluation.picture_search import evaluate_duplicates

    pictures = _read(dataset, split, None)
    result = evaluate_duplicates(_load_captioner(bundle, {}), pictures, seed, limit_pictures)
    report(result, result["thresholds"], {"limit_pictures": limit_pictures}, as_json)


@evaluate.command()
@click.option("--labelled", type=click.Path(path_type=Path), required=True, help="Folder with a folder for each class.")
@click.option("--per-class", type=click.IntRange(2), help="Pictures to draw of each class [default: all].")
@click.option(
    "--triples",
    type=click.IntRange(1),
    help="Search with so many pictures alone, and with one that is liked and one that is not.",
)
@bundle_option
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the drawn pictures.")
@json_option
def similar(
    labelled: Path, per_class: int | None, triples: int | None, bundle: Path | None, seed: int, as_json: bool
) -> None:
    """Count how many of the ten nearest neighbours of each picture are of its class."""
    from training.evaluation.folders import read_labelled
    from training.evaluation.picture_search import evaluate_similar
    from training.evaluation.triples import evaluate_triples

    pictures = read_labelled(labelled, per_class, seed)
    captioner = _load_captioner(bundle, {})
    if triples is None:
        result = evaluate_similar(captioner, pictures, seed)
    else:
        result = evaluate_triples(captioner, pictures, seed, triples)
    options = {"per_class": per_class, "triples": triples}
    report(result, {"precision at 10,": result["precision_at_10"]}, options, as_json)


@evaluate.command()
@click.option("--pictures", type=click.Path(path_type=Path), required=True, help="Folder or tar file of pictures.")
@click.option("--word", "given", multiple=True, help="A thing that none of them shows; may be repeated.")
@click.option("--words", "file", type=click.Path(path_type=Path), help="File of such words, one per line.")
@click.option("--sample", type=click.IntRange(1), help="Pictures to draw [default: all].")
@bundle_option
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the drawn pictures.")
@json_option
def absent(
    pictures: Path,
    given: tuple[str, ...],
    file: Path | None,
    sample: int | None,
    bundle: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Search pictures for things that none of them shows, and count the false hits."""
    from training.evaluation.absent import evaluate_absent, read_words

    words = read_words(file, given)
    result = evaluate_absent(_load_captioner(bundle, {}), pictures, words, sample, seed)
    report(result, result["words"], {"words": "FILE", "sample": sample}, as_json)


@evaluate.command()
@click.option(
    "--faces", "folder", type=click.Path(path_type=Path), required=True, help="Folder with a folder a person."
)
@click.option("--roc", type=click.Path(path_type=Path), help="Draw the ROC curves to this PNG file.")
@bundle_option
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of pairs and folds.")
@json_option
def faces(folder: Path, roc: Path | None, bundle: Path | None, seed: int, as_json: bool) -> None:
    """Find faces, tell persons apart, find them again and group them, on pictures of known people."""
    from captioner.faces.finder import ShippedFinder
    from training.evaluation.faces import evaluate_faces
    from training.evaluation.folders import read_labelled

    pictures = read_labelled(folder, None, seed)
    result = evaluate_faces(_load_captioner(bundle, {}), ShippedFinder(), pictures, seed, roc)
    report(result, result["kinds"], {}, as_json)
    if not as_json:
        _print_table(result["groups"])


def _evaluate(
    evaluate_split: Callable[[Captioner, Dataset, int], dict[str, Any]],
    tables: str,
    dataset: Path,
    split: str,
    bundle: Path | None,
    limit_pictures: int | None,
    as_json: bool,
    seed: int,
    **how: float | None,
) -> None:
    """Evaluate a split and print the `tables` of the result."""
    pictures = _read(dataset, split, limit_pictures)
    result = evaluate_split(_load_captioner(bundle, how), pictures, seed)
    report(result, result[tables], {**how, "limit_pictures": limit_pictures}, as_json)


def _read(path: Path, split: str, limit_pictures: int | None) -> Dataset:
    return _limited(read_dataset(path, split), limit_pictures)


def _limited(dataset: Dataset, limit_pictures: int | None) -> Dataset:
    return replace(dataset, pictures=dataset.pictures[:limit_pictures])


def _load_captioner(folder: Path | None, how: dict[str, Any]) -> Captioner:
    from captioner.bundle import BUNDLED, load_bundle
    from captioner.captioner import Captioner

    bundle = load_bundle(load_settings(bundle=folder).bundle or BUNDLED)
    changed = {name: value for name, value in how.items() if value is not None}
    return Captioner(replace(bundle, search=replace(bundle.search, **changed)))


SOURCES = {"similar": "--labelled DIR", "absent": "--pictures DIR", "faces": "--faces DIR"}
"""The pictures of the tasks that need no data set."""


def report(result: dict[str, Any], tables: dict[str, dict[str, float]], options: dict[str, Any], as_json: bool) -> None:
    """Print `result` and the command that reproduces it, as JSON or as facts and `tables` of figures.

    `options` are those of the command that changed the result; None means that the option was not given.
    """
    document = {"command": _command(result, options), **result}
    if as_json:
        print_json(document)
        return
    print_left_out(result["problems"])
    for name, value in document.items():
        if isinstance(value, str | int | float):
            click.echo(f"{name.replace('_', ' '):30}{value}")
    _print_table(tables)


def _print_table(tables: dict[str, dict[str, float]]) -> None:
    """Print a line for each row of figures; print a single row as a line for each figure."""
    if len(tables) == 1:
        ((title, figures),) = tables.items()
        for name, value in figures.items():
            click.echo(f"{f'{title} {name}'.strip():30}{value:.2f}")
        return
    width = 2 + max(len(title) for title in tables)
    click.echo(" " * width + "".join(f"{name:>10}" for name in next(iter(tables.values()))))
    for title, figures in tables.items():
        click.echo(f"{title:{width}}" + "".join(f"{value:>10.2f}" for value in figures.values()))


def _command(result: dict[str, Any], options: dict[str, Any]) -> str:
    """Return the command that reproduces these figures, without paths; the model version identifies the bundle."""
    source = SOURCES.get(result["task"]) or f"--dataset DIR --split {result['split']}"
    parts = ["retroflex evaluate", result["task"], source]
    given = {name: value for name, value in {"seed": result["seed"], **options}.items() if value is not None}
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        parts += [flag] * bool(value) if isinstance(value, bool) else [f"{flag} {value}"]
    return " ".join(parts)
