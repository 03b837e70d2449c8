"""What each part of the decoder and its training is worth: `python -m bench.ablations --dataset DIR --out RUNS`.

Every row changes one thing of a short training on the bundled encoder's features and is repeated with several
seeds; dev is captioned after the last epoch alone. Prints a Markdown table. A stopped run goes on, and
what is finished is not repeated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import click

from captioner.bundle import SearchConfig
from captioner.decoder import Decoder
from captioner.frameworks import load_keras
from captioner.quantise import rounded
from captioner.vocabulary import Vocabulary
from training.config import TrainConfig
from training.decoder.examples import Split
from training.state import save_text

FIGURES = {"bleu1": 1, "bleu4": 1, "cider": 3, "distinct": 0}
"""Each figure's column, and its decimals."""
BASE = "base"
STATE = "state.safetensors"
SCORES = "scores.json"


@dataclass(frozen=True)
class Row:
    """One row: what it changes, in words, and the whole configuration; some go on from the base run's end."""

    title: str
    change: str
    config: TrainConfig
    goes_on: bool = False


def rows(epochs: int) -> list[Row]:
    """The plain training and what is changed about it, one thing a row."""
    base = TrainConfig(epochs=epochs)
    critic = replace(base, critic_epochs=1)
    return [
        Row(BASE, f"`--epochs {epochs}`", base),
        Row("no sentinel", "attention to cells alone", replace(base, sentinel=False)),
        Row("untied", "words have weights of their own on the way out", replace(base, tied=False)),
        Row("twice the dropout", "`--dropout 2`", replace(base, dropout=2.0)),
        Row("half the dropout", "`--dropout 0.5`", replace(base, dropout=0.5)),
        Row("no label smoothing", "`--smoothing 0`", replace(base, smoothing=0.0)),
        Row("moving average of weights", "`--average 0.998`", replace(base, average=0.998)),
        Row("scheduled sampling", "`--own-words 0.25`", replace(base, own_words=0.25)),
        Row("self-critical", "base, then `--self-critical 1`", critic, goes_on=True),
        Row(
            "self-critical with distinction",
            "the same with `--distinction 1`",
            replace(critic, distinction=1.0),
            goes_on=True,
        ),
    ]


SEARCHES = {
    "beam 1": SearchConfig(beam=1),
    "beam 5": SearchConfig(beam=5),
    "length power 0": SearchConfig(length_power=0.0),
    "length power 1": SearchConfig(length_power=1.0),
}
"""Other ways to search for captions with the base run's decoder."""


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
            for title, scores in _measure(train, dev, out / f"epochs-{epochs}-seed-{seed}", row, seed).items():
                results.setdefault(title, []).append(scores)
    click.echo(table(results, {row.title: row.change for row in rows(epochs)}))


def _measure(train: Split, dev: Split, runs: Path, row: Row, seed: int) -> dict[str, dict[str, float]]:
    """A row's dev scores under its title and, for the base, those of other searches under theirs."""
    from training.decoder.train import score_split

    folder = runs / row.title.replace(" ", "-")
    if not (folder / SCORES).exists():
        folder.mkdir(parents=True, exist_ok=True)
        config = replace(row.config, seed=seed)
        vocabulary = Vocabulary.from_captions((one for picture in train.captions for one in picture), config.min_count)
        decoder = _train(train, vocabulary, config, folder, runs / BASE if row.goes_on else folder)
        searches = {row.title: config.search} | (SEARCHES if row.title == BASE else {})
        scores = {title: score_split(decoder, vocabulary, dev, search) for title, search in searches.items()}
        save_text(json.dumps(scores), folder / SCORES)
    found: dict[str, dict[str, float]] = json.loads((folder / SCORES).read_text())
    return found


def _train(train: Split, vocabulary: Vocabulary, config: TrainConfig, folder: Path, before: Path) -> Decoder:
    """Train into `folder`, going on from what it holds or else from what `before` holds; the last epoch's decoder."""
    from training.decoder.train import Lesson
    from training.state import restore_state, save_state

    lesson = Lesson(train, vocabulary, config)
    own = folder / STATE
    done = restore_state(lesson.model, own if own.exists() else before / STATE)
    for epoch in range(done, config.epochs + config.critic_epochs):
        lesson.teach(epoch) if epoch < config.epochs else lesson.criticise(epoch)
        save_state(lesson.model, epoch + 1, own)
    return Decoder(lesson.sizes, rounded(lesson.weights()))  # as a bundle stores it


def table(results: dict[str, list[dict[str, float]]], changes: dict[str, str]) -> str:
    """Mean and standard deviation over the seeds of each row's figures, in Markdown; rows without a change searched."""
    lines = ["| row | change | BLEU-1 | BLEU-4 | CIDEr | distinct |", "|---|---|---|---|---|---|"]
    for title, runs in results.items():
        cells = [_spread([run[name] for run in runs], digits) for name, digits in FIGURES.items()]
        lines.append(f"| {title} | {changes.get(title, 'base, searched so')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: list[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ± {stdev(values) if len(values) > 1 else 0:.{digits}f}"


if __name__ == "__main__":
    main()
