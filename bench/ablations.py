"""Ablations of the decoder and its training: `python -m bench.ablations --dataset DIR --out RUNS`.

Every row changes one thing of a short training on the bundled encoder's features, and is repeated with several seeds;
dev is captioned after the last epoch only. Print a Markdown table. A stopped run resumes without repeating what is
finished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import click
import numpy as np

from captioner.bundle import SearchConfig
from captioner.decoder import Decoder
from captioner.frameworks import load_keras
from captioner.quantise import rounded
from captioner.vocabulary import Vocabulary
from training.batches import Split
from training.checkpoints import save_text
from training.config import TrainConfig

FIGURES = {"bleu1": 1, "bleu4": 1, "cider": 3, "distinct": 0}
"""The decimals of each figure's column."""
BASE = "base"
STATE = "state.safetensors"
SCORES = "scores.json"


@dataclass(frozen=True)
class Row:
    """A row of the table: the change in words, and the configuration; some start from the end of the base run."""

    title: str
    change: str
    config: TrainConfig
    from_base: bool = False


@dataclass(frozen=True)
class Data:
    """What a row is trained and measured on; `start` are the decoder's initial weights, None for random ones."""

    train: Split
    dev: Split
    vocabulary: Vocabulary
    start: dict[str, np.ndarray] | None = None


def rows(epochs: int) -> list[Row]:
    """Return the base training and its variants, one change in each row."""
    base = TrainConfig(epochs=epochs)
    critic = replace(base, critic_epochs=1)
    return [
        Row(BASE, f"`--epochs {epochs}`", base),
        Row("no sentinel", "attention to cells alone", replace(base, sentinel=False)),
        Row("untied", "separate weights for input and output words", replace(base, tied=False)),
        Row("twice the dropout", "`--dropout 2`", replace(base, dropout=2.0)),
        Row("half the dropout", "`--dropout 0.5`", replace(base, dropout=0.5)),
        Row("no label smoothing", "`--smoothing 0`", replace(base, smoothing=0.0)),
        Row("moving average of weights", "`--average 0.998`", replace(base, average=0.998)),
        Row("scheduled sampling", "`--own-words 0.25`", replace(base, own_words=0.25)),
        Row("self-critical", "base, then `--self-critical 1`", critic, from_base=True),
        Row(
            "self-critical with distinction",
            "the same with `--distinction 1`",
            replace(critic, distinction=1.0),
            from_base=True,
        ),
    ]


SEARCHES = {
    "beam 1": SearchConfig(beam=1),
    "beam 5": SearchConfig(beam=5),
    "length power 0": SearchConfig(length_power=0.0),
    "length power 1": SearchConfig(length_power=1.0),
}
"""Other beam searches with the base run's decoder."""


@click.command()
@click.option("--dataset", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--epochs", type=click.IntRange(1), default=6, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
def main(dataset: Path, out: Path, epochs: int, seeds: int) -> None:
    """Run the missing rows and print the table."""
    load_keras()
    from training.inputs import encode_splits, load_encoder_source

    train, dev = encode_splits(load_encoder_source("bundled"), dataset, out / "features")
    data = Data(train, dev, vocabulary_of(train))
    results: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        for row in rows(epochs):
            searches = SEARCHES if row.title == BASE else {}
            for title, scores in measure(data, out / f"epochs-{epochs}-seed-{seed}", row, seed, searches).items():
                results.setdefault(title, []).append(scores)
    click.echo(table(results, {row.title: row.change for row in rows(epochs)}))


def vocabulary_of(train: Split) -> Vocabulary:
    """Return the words of the captions of `train`, as a training chooses them."""
    return Vocabulary.from_captions((one for picture in train.captions for one in picture), TrainConfig.min_count)


def measure(
    data: Data, runs: Path, row: Row, seed: int, searches: Mapping[str, SearchConfig]
) -> dict[str, dict[str, float]]:
    """Return a row's dev scores by its title, and those of other `searches` by theirs; train it if need be."""
    from training.decoder.trainer import score_split

    folder = runs / row.title.replace(" ", "-")
    if not (folder / SCORES).exists():
        folder.mkdir(parents=True, exist_ok=True)
        config = replace(row.config, seed=seed)
        decoder = _train(data, config, folder, runs / BASE if row.from_base else folder)
        scores = {
            title: score_split(decoder, data.vocabulary, data.dev, search)
            for title, search in ({row.title: config.search} | dict(searches)).items()
        }
        save_text(json.dumps(scores), folder / SCORES)
    saved: dict[str, dict[str, float]] = json.loads((folder / SCORES).read_text())
    return saved


def _train(data: Data, config: TrainConfig, folder: Path, before: Path) -> Decoder:
    """Train, resuming from `folder` or else starting from `before`; return the last epoch's decoder."""
    from training.checkpoints import restore_state, save_state
    from training.decoder.model import set_weights
    from training.decoder.trainer import Trainer

    trainer = Trainer(data.train, data.vocabulary, config)
    if data.start:
        set_weights(trainer.model, data.start)
    own = folder / STATE
    done = restore_state(trainer.model, own if own.exists() else before / STATE)
    for epoch in range(done, config.epochs + config.critic_epochs):
        trainer.train_teacher_forcing(epoch) if epoch < config.epochs else trainer.train_self_critical(epoch)
        save_state(trainer.model, epoch + 1, own)
    return Decoder(trainer.sizes, rounded(trainer.weights()))  # as a bundle stores it


def table(results: dict[str, list[dict[str, float]]], changes: dict[str, str]) -> str:
    """Return each row's mean and standard deviation over the seeds, in Markdown; rows without change are searches."""
    lines = ["| row | change | BLEU-1 | BLEU-4 | CIDEr | distinct |", "|---|---|---|---|---|---|"]
    for title, runs in results.items():
        cells = [_spread([run[name] for run in runs], digits) for name, digits in FIGURES.items()]
        lines.append(f"| {title} | {changes.get(title, 'base, other search')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: list[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ± {stdev(values) if len(values) > 1 else 0:.{digits}f}"


if __name__ == "__main__":
    main()
