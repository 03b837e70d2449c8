"""What each part of the decoder's training is worth: `python -m bench.ablations --dataset DIR --out RUNS`.

Every row changes one thing of a short training on the bundled encoder's features and is repeated with several
seeds. Prints a Markdown table for docs/training.md; a stopped run goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import click

from captioner.bundle import SearchConfig
from captioner.decoder import Decoder
from captioner.quiet import load_keras
from training.config import TrainConfig
from training.examples import Split
from training.state import save_text

FIGURES = {"bleu1": 1, "bleu4": 1, "cider": 3, "distinct": 0}
"""Each figure's column, and its decimals."""


@dataclass(frozen=True)
class Row:
    """One row: the options of `retroflex train` that make it, and the same as a configuration."""

    title: str
    options: str
    config: TrainConfig


def rows(epochs: int) -> list[Row]:
    """The plain training and what is changed about it, one thing a row."""
    base = TrainConfig(epochs=epochs)
    return [
        Row("plain", "", base),
        Row("no label smoothing", "--smoothing 0", replace(base, smoothing=0.0)),
        Row("twice the dropout", "--dropout 2", replace(base, dropout=2.0)),
        Row("half the dropout", "--dropout 0.5", replace(base, dropout=0.5)),
        Row("moving average of weights", "--average 0.998", replace(base, average=0.998)),
        Row("scheduled sampling", "--own-words 0.25", replace(base, own_words=0.25)),
        Row("one self-critical epoch more", "--self-critical 1", replace(base, critic_epochs=1)),
        Row(
            "the same, with distinction",
            "--self-critical 1 --distinction 1",
            replace(base, critic_epochs=1, distinction=1.0),
        ),
    ]


SEARCHES = {
    "beam 1": SearchConfig(beam=1),
    "beam 5": SearchConfig(beam=5),
    "no length normalisation": SearchConfig(length_power=0.0),
    "length power 1": SearchConfig(length_power=1.0),
}


@click.command()
@click.option("--dataset", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--epochs", type=click.IntRange(1), default=6, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
def main(dataset: Path, out: Path, epochs: int, seeds: int) -> None:
    """Run every row that is not yet done and print the table."""
    load_keras()
    from training.sources import load_encoder_source
    from training.splits import encode_splits

    train, dev = encode_splits(load_encoder_source("bundled"), dataset, out / "features")
    results: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        for row in rows(epochs):
            folder = out / f"{row.title.replace(' ', '-')}-{seed}"
            for title, scores in _measure(train, dev, folder, replace(row.config, seed=seed)).items():
                results.setdefault(title or row.title, []).append(scores)
    click.echo(_table(results, {row.title: row.options for row in rows(epochs)}, epochs))


def _measure(train: Split, dev: Split, folder: Path, config: TrainConfig) -> dict[str, dict[str, float]]:
    """A row's dev scores under the empty title and, for the plain one, those of other searches under theirs."""
    from training.train import score_split, train_decoder

    done = folder / "scores.json"
    if not done.exists():
        trained = train_decoder(train, dev, folder, config)
        scores = {"": trained.scores}
        if config == TrainConfig(epochs=config.epochs, seed=config.seed):
            decoder = Decoder(trained.config, trained.weights)
            for title, search in SEARCHES.items():
                scores[title] = score_split(decoder, trained.vocabulary, dev, search)
        save_text(json.dumps(scores), done)
    found: dict[str, dict[str, float]] = json.loads(done.read_text())
    return found


def _table(results: dict[str, list[dict[str, float]]], options: dict[str, str], epochs: int) -> str:
    lines = ["| row | options | BLEU-1 | BLEU-4 | CIDEr | distinct |", "|---|---|---|---|---|---|"]
    for title, runs in results.items():
        given = f"`--epochs {epochs} {options[title]}`".replace(" `", "`") if title in options else "plain, searched so"
        cells = [_spread([run[name] for run in runs], digits) for name, digits in FIGURES.items()]
        lines.append(f"| {title} | {given} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: list[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ± {stdev(values) if len(values) > 1 else 0:.{digits}f}"


if __name__ == "__main__":
    main()
