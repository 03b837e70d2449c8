"""`retroflex evaluate`."""

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
from retrieval.commands.options import bundle_option, json_option
from training.commands.report import report

if TYPE_CHECKING:
    from captioner.captioner import Captioner


@click.group()
def evaluate() -> None:
    """Judge a captioner on pictures with human captions, or search by pictures and by words on pictures without."""


def _search_options(command: Callable[..., None]) -> Callable[..., None]:
    """How captions are searched for, in place of what the bundle says."""
    options = (
        click.option("--beam", type=click.IntRange(1, 50), help="Beam width."),
        click.option("--groups", type=click.IntRange(1, 50), help="Beams that avoid each other's words."),
        click.option("--diversity", type=click.FloatRange(0), help="What a word costs that an earlier beam took."),
        click.option("--nearness", type=click.FloatRange(0), help="What a caption's cosine to its picture counts for."),
    )
    for option in reversed(options):
        command = option(command)
    return command


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
        click.option("--limit-pictures", type=click.IntRange(1), help="Take the first so many, for a quick look."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@evaluate.command()
@_common_options
@_search_options
def captions(
    dataset: Path, split: str, bundle: Path | None, limit_pictures: int | None, as_json: bool, **how: float | None
) -> None:
    """Score generated captions against the human ones: BLEU-1 to BLEU-4 and CIDEr."""
    from training.judging.evaluate import evaluate_captions

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
    help="Ask by the captions of this CSV or TSV file, with the columns picture, split and caption.",
)
@click.option("--language", help="What to call these captions in the result [default: the name of their file].")
@click.option("--captions-per-picture", type=click.IntRange(1), help="Keep so many generated captions [default: all].")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides ties.")
@click.option("--stages", is_flag=True, help="One table: other rankers, then each stage of the product's ranking.")
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
    """Find each picture by its human captions among pictures known by generated captions only."""
    from data.caption_table import with_captions_of
    from training.judging.evaluate import evaluate_search
    from training.judging.stages import evaluate_stages

    if language and not table:
        raise RetroflexError("--language names the captions of a table; say which table with --captions")
    pictures = _read(dataset, split, None)
    pictures = _limited(with_captions_of(table, pictures) if table else pictures, limit_pictures)
    judge = evaluate_stages if stages else evaluate_search
    result = judge(_load_captioner(bundle, how), pictures, seed, captions_per_picture)
    options: dict[str, Any] = {
        "stages": stages,
        **how,
        "captions_per_picture": captions_per_picture,
        "limit_pictures": limit_pictures,
    }
    if table:
        asked = {"language": language or table.stem, "captions": "TABLE"}
        result, options = {"language": asked["language"], **result}, {**asked, **options}
    report(result, result["stages" if stages else "rankings"], options, as_json)


@evaluate.command()
@_common_options
@_search_options
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which words are asked for.")
def words(**given: Any) -> None:
    """Find by one and by two words the pictures of which people said them: precision and recall of the hits."""
    from training.judging.words import evaluate_words

    _judge(evaluate_words, "queries", **given)


@evaluate.command()
@_common_options
@_search_options
@click.option("--seed", type=int, default=0, show_default=True, help="Decides ties and which words are typed.")
def variants(**given: Any) -> None:
    """Compare BLEU variants as rankers, for sentences, for typed words and for captions of the mirrored picture."""
    from training.judging.variants import evaluate_variants

    _judge(evaluate_variants, "rankings", **given)


@evaluate.command()
@_common_options
@click.option("--seed", type=int, default=0, show_default=True, help="Decides what is drawn for a copy, and ties.")
def copies(
    dataset: Path, split: str, bundle: Path | None, limit_pictures: int | None, as_json: bool, seed: int
) -> None:
    """Find each picture by cropped, turned, grey and other copies of it among all pictures of its folder."""
    from training.judging.similar import evaluate_copies

    pictures = _read(dataset, split, limit_pictures)
    result = evaluate_copies(_load_captioner(bundle, {}), pictures, seed)
    report(result, {"recall at 1,": result["recall_at_1"]}, {"limit_pictures": limit_pictures}, as_json)


@evaluate.command()
@_common_options
@click.option("--seed", type=int, default=0, show_default=True, help="Decides what is drawn for a copy.")
def duplicates(
    dataset: Path, split: str, bundle: Path | None, limit_pictures: int | None, as_json: bool, seed: int
) -> None:
    """Tell copies of a picture from other pictures by cosine alone: precision and recall by threshold.

    The limit holds for the pictures that are copied; all of the split are the others.
    """
    from training.judging.duplicates import evaluate_duplicates

    pictures = _read(dataset, split, None)
    result = evaluate_duplicates(_load_captioner(bundle, {}), pictures, seed, limit_pictures)
    report(result, result["thresholds"], {"limit_pictures": limit_pictures}, as_json)


@evaluate.command()
@click.option(
    "--labelled", type=click.Path(path_type=Path), required=True, help="Folder that holds a folder for each class."
)
@click.option("--per-class", type=click.IntRange(2), help="Draw so many pictures of each class [default: all].")
@bundle_option
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which pictures are drawn.")
@json_option
def similar(labelled: Path, per_class: int | None, bundle: Path | None, seed: int, as_json: bool) -> None:
    """Count how many of the ten pictures nearest to each are of its class."""
    from training.judging.labelled import read_labelled
    from training.judging.similar import evaluate_similar

    pictures = read_labelled(labelled, per_class, seed)
    result = evaluate_similar(_load_captioner(bundle, {}), pictures, seed)
    report(result, {"precision at 10,": result["precision_at_10"]}, {"per_class": per_class}, as_json)


@evaluate.command()
@click.option("--pictures", type=click.Path(path_type=Path), required=True, help="Folder or tar file of pictures.")
@click.option("--word", "given", multiple=True, help="What none of them shows; may be given several times.")
@click.option("--words", "file", type=click.Path(path_type=Path), help="File of such words, one a line.")
@click.option("--sample", type=click.IntRange(1), help="Draw so many of the pictures [default: all].")
@bundle_option
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which pictures are drawn.")
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
    """Search pictures for words of which you know that none of them shows the thing, and count the false hits."""
    from training.judging.absent import evaluate_absent, read_words

    words = read_words(file, given)
    result = evaluate_absent(_load_captioner(bundle, {}), pictures, words, sample, seed)
    report(result, result["words"], {"words": "FILE", "sample": sample}, as_json)


def _judge(
    judge: Callable[[Captioner, Dataset, int], dict[str, Any]],
    tables: str,
    dataset: Path,
    split: str,
    bundle: Path | None,
    limit_pictures: int | None,
    as_json: bool,
    seed: int,
    **how: float | None,
) -> None:
    """Judge a split and print the `tables` of the result."""
    pictures = _read(dataset, split, limit_pictures)
    result = judge(_load_captioner(bundle, how), pictures, seed)
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
