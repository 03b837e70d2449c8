"""The command `retroflex train metric`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from platformdirs import user_cache_path

from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.commands.options import bundle_option, json_option, library_option, print_json
from training.commands.compare import labelled_options, read_labelled_pictures

if TYPE_CHECKING:
    import numpy as np

    from training.comparison.cache import DescriptionCache
    from training.comparison.kinds import Kind
    from training.metric.trainer import Settings, Trained

DEFAULT_KIND = "joint"


@click.command()
@labelled_options
@click.option(
    "--triplets",
    type=click.Path(path_type=Path),
    help="Instead of classes: CSV or TSV file with the columns anchor, positive and negative.",
)
@click.option("--of", "kind", default=DEFAULT_KIND, show_default=True, help="The kind of vectors to project.")
@click.option("--name", default="metric", show_default=True, help="What the new kind of vectors is called.")
@click.option(
    "--unseen",
    type=click.FloatRange(0, 0.9),
    help="Train without this share of the classes, and tell P@10 on them before and after; nothing is saved.",
)
@click.option("--epochs", type=click.IntRange(0), default=30, show_default=True, help="The most epochs.")
@click.option("--margin", type=click.FloatRange(0, 4), default=0.2, show_default=True, help="In squared distance.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of splits and batches.")
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), help="As for retroflex compare.")
@library_option
@bundle_option
@json_option
def metric(
    labelled: Path | None,
    label: str | None,
    images: Path | None,
    triplets: Path | None,
    kind: str,
    name: str,
    unseen: float | None,
    epochs: int,
    margin: float,
    seed: int,
    cache: Path | None,
    library: Path | None,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Train a metric: a projection of vectors in which pictures of one class lie near each other."""
    from captioner.bundle import BUNDLED
    from captioner.captioner import Captioner
    from captioner.metric import check_name
    from training.comparison.cache import DescriptionCache
    from training.comparison.kinds import PRODUCT, chosen, known_kinds
    from training.metric.trainer import Settings

    if (labelled is None) == (triplets is None):
        raise RetroflexError("give either classes, by --labelled, or --triplets")
    if triplets and unseen is not None:
        raise RetroflexError("--unseen leaves out classes, which triplets have not; give --labelled")
    settings = load_settings(library=library, bundle=bundle)
    known = known_kinds(lambda: Captioner.load(settings.bundle or BUNDLED), {}, None)
    check_name(name, list(known))
    (of,) = chosen(kind, {one: known[one] for one in known if one != PRODUCT}, "kind of vectors")[:1]
    training = Settings(epochs, margin, seed=seed)
    with closing(DescriptionCache(cache or user_cache_path("retroflex") / "compare")) as kept:
        if triplets:
            trained, source = _on_triplets(known[of], triplets, kept, training)
        else:
            assert labelled is not None
            pictures = read_labelled_pictures(labelled, label, images)
            vectors, labels, source = _labelled_vectors(known[of], pictures.files, pictures.labels, kept)
            if unseen is not None:
                _report(_on_unseen(vectors, labels, unseen, training), as_json)
                return
            from training.metric.trainer import train_on_classes

            trained = train_on_classes(vectors, labels, training)
    _save(trained, name, of, source, settings.library, training, as_json)


def _labelled_vectors(
    kind: Kind, files: Any, labels: Any, kept: DescriptionCache
) -> tuple[np.ndarray, np.ndarray, str]:
    import numpy as np

    from training.metric.examples import vectors_of_files

    made = vectors_of_files(kind, files, kept)
    return made.values, np.array(labels)[made.rows], made.model_version


def _on_triplets(kind: Kind, table: Path, kept: DescriptionCache, training: Settings) -> tuple[Trained, str]:
    from training.metric.examples import read_triplets, readable, vectors_of_files
    from training.metric.trainer import train_on_triplets

    files, triplets = read_triplets(table)
    made = vectors_of_files(kind, files, kept)
    return train_on_triplets(made.values, readable(triplets, made.rows), training), made.model_version


def _on_unseen(vectors: np.ndarray, labels: np.ndarray, share: float, training: Settings) -> dict[str, Any]:
    """Return P@10 among the pictures of classes that training does not see, before and after, and both numbers."""
    from training.metric.trainer import precision_at_10, split_classes, train_on_classes

    left = split_classes(labels, share, training.seed)
    trained = train_on_classes(vectors[~left], labels[~left], training)
    return {
        "seed": training.seed,
        "unseen_classes": len(set(labels[left].tolist())),
        "unseen_pictures": int(left.sum()),
        "before": round(precision_at_10(vectors[left], labels[left]), 2),
        "after": round(precision_at_10(trained.projection(vectors[left]), labels[left]), 2),
        "shrinkage": trained.shrinkage,
        "epochs": trained.epochs,
    }


def _save(
    trained: Trained, name: str, kind: str, source: str, library: Path, training: Settings, as_json: bool
) -> None:
    from dataclasses import asdict

    from captioner.metric import Metric, save_metric

    figures = {
        "held_out_before": round(trained.before, 2),
        "held_out_after": round(trained.score, 2),
        "shrinkage": trained.shrinkage,
        "epochs": trained.epochs,
    }
    made_by = {**figures, "settings": asdict(training)}
    learned = Metric(name, kind, source, *trained.projection, made_by=made_by)
    folder = save_metric(learned, library)
    _report({"name": name, "model_version": learned.model_version, "folder": str(folder), **figures}, as_json)
    if not as_json:
        click.echo(f"add its vectors with: retroflex index --features {name}")


def _report(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    for title, value in figures.items():
        click.echo(f"{title.replace('_', ' '):20}{value}")
