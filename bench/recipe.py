"""Ablations of the shipped recipe: what each of its parts brings to captions.

    python -m bench.recipe --dataset DIR --also DIR --texts DIR --untuned VGG16.safetensors --out RUNS

The base trains a decoder briefly on grids of the bundled encoder, with the pictures of `--also` and started from the
captions of `--texts`; pictures are encoded once, without their mirror images, which halves the time. Every other row
takes one part away, and all are repeated with several seeds; dev is captioned after the last epoch only. Print a
Markdown table. A stopped run resumes without repeating what is finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from safetensors.numpy import load_file

from bench.ablations import BASE, Data, Row, measure, table, vocabulary_of
from captioner.frameworks import load_keras
from training.batches import Split
from training.config import TrainConfig
from training.texts import read_texts

if TYPE_CHECKING:
    from data.captioned import Dataset
    from training.inputs import EncodedSplits, EncoderSource

AT_ONCE = 256
CROPS = 1


@click.command()
@click.option("--dataset", type=click.Path(path_type=Path), required=True)
@click.option("--also", type=click.Path(path_type=Path), required=True)
@click.option("--texts", type=click.Path(path_type=Path), required=True)
@click.option(
    "--untuned", type=click.Path(path_type=Path, exists=True), required=True, help="VGG16 before fine-tuning."
)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option(
    "--pictures", type=click.IntRange(1), help="Train on so many pictures of the data set, and all of --also."
)
@click.option("--epochs", type=click.IntRange(1), default=4, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
def main(
    dataset: Path, also: Path, texts: Path, untuned: Path, out: Path, pictures: int | None, epochs: int, seeds: int
) -> None:
    """Run the missing rows and print the table."""
    load_keras()
    from training.inputs import load_encoder_source, read_splits

    sets, own = read_splits(dataset, also), [one.name for one in read_splits(dataset)["train"].pictures]
    sets["train"] = _without(sets["train"], set(own[pictures:]) if pictures else set())
    base, plain = _tuned_and_not(load_encoder_source("bundled"), load_encoder_source(str(untuned)), sets, out)
    data = Data(base.train, base.dev, vocabulary_of(base.train), _start(base.train, texts, out))
    changes, results = dict[str, str](), dict[str, list[dict[str, float]]]()
    for seed in range(seeds):
        for title, change, changed in _rows(data, (plain.train, plain.dev), set(own)):
            changes[title] = change
            row = Row(title, change, TrainConfig(epochs=epochs))
            found = measure(changed, out / f"epochs-{epochs}-seed-{seed}", row, seed, {})
            results.setdefault(title, []).append(found[title])
    click.echo(table(results, changes))


def _without(dataset: Dataset, names: set[str]) -> Dataset:
    return replace(dataset, pictures=[one for one in dataset.pictures if one.name not in names])


def _tuned_and_not(
    bundled: EncoderSource, untuned: EncoderSource, sets: Mapping[str, Dataset], out: Path
) -> tuple[EncodedSplits, EncodedSplits]:
    """Return the splits as `bundled` encodes them, and with the last block of `untuned` instead of its own."""
    from training.fine_tuning import before_tail, build_tail, through_tail
    from training.inputs import encode

    before = encode(before_tail(bundled), sets, out / "features", CROPS)
    tails = (build_tail(source) for source in (bundled, untuned))
    tuned, not_tuned = (before.map_grids(partial(through_tail, tail)) for tail in tails)
    return tuned, not_tuned


def _rows(data: Data, untuned: tuple[Split, Split], own: set[str]) -> Iterator[tuple[str, str, Data]]:
    """Yield title, change and data of each row; `own` are the names of the first data set's train pictures."""
    yield BASE, "the recipe's first decoder, on the fine-tuned encoder", data
    yield "no start", "the decoder starts at random", replace(data, start=None)
    yield "not fine-tuned", "block 5 as ImageNet taught it", replace(data, train=untuned[0], dev=untuned[1])
    yield "block5_pool", "7 x 7 cells instead of 14 x 14", replace(data, train=_pool(data.train), dev=_pool(data.dev))
    kept = [row for row, name in enumerate(data.train.names) if name in own]
    yield "no second data set", "without the pictures of `--also`", replace(data, train=_only(data.train, kept))


def _start(train: Split, texts: Path, out: Path) -> dict[str, np.ndarray]:
    """Return the decoder after pretraining on captions without pictures, as `retroflex train` does it."""
    from training.checkpoints import save_tensors
    from training.decoder.pretraining import pretrain

    path = out / "texts.safetensors"
    if not path.exists():
        captions = [*read_texts(texts, "en").unpaired_own, *train.captions]
        save_tensors(pretrain(captions, train.captions, train.grids.shape[-1], TrainConfig()), path)
    return load_file(path)


def _pool(split: Split) -> Split:
    """Return the largest of each 2 x 2 cells, which is VGG16's last pooling."""
    pictures, crops, cells, channels = split.grids.shape
    half = round(cells**0.5) // 2
    pooled = np.empty((pictures, crops, half * half, channels), np.float16)
    for start in range(0, pictures, AT_ONCE):
        squares = split.grids[start : start + AT_ONCE].reshape(-1, crops, half, 2, half, 2, channels)
        pooled[start : start + AT_ONCE] = squares.max(axis=(3, 5)).reshape(-1, crops, half * half, channels)
    return replace(split, grids=pooled)


def _only(split: Split, rows: list[int]) -> Split:
    """Return the pictures at `rows`, which come first, without copying their grids."""
    assert rows == list(range(len(rows)))
    return Split([split.names[row] for row in rows], split.grids[: len(rows)], [split.captions[row] for row in rows])


if __name__ == "__main__":
    main()
