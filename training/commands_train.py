"""`retroflex train`."""

from __future__ import annotations

from pathlib import Path

import click

from captioner.encoder import EncoderConfig
from captioner.quiet import load_keras
from training.config import TrainConfig

SHOWN_PROBLEMS = 5


@click.command()
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder in Flickr8k layout, or a CSV or TSV file with the columns picture and caption.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where features, logs and the bundle go.")
@click.option(
    "--encoder", default="bundled", show_default=True, help="bundled, imagenet, a bundle or a Keras VGG16 file."
)
@click.option(
    "--side", type=click.IntRange(32, 448), help="Pixels of the encoder's input [default: the encoder's own]."
)
@click.option(
    "--go-on", type=click.Path(path_type=Path, exists=True), help="A bundle whose decoder to go on with, at its words."
)
@click.option("--epochs", type=click.IntRange(1), default=TrainConfig.epochs, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=TrainConfig.batch, show_default=True, help="Pictures a step.")
@click.option("--fine-tune", type=click.IntRange(0), default=0, show_default=True, help="Epochs of encoder training.")
@click.option(
    "--fine-tune-narrow",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Epochs of it at half width before, a quarter of the work, for an encoder whose channels are twins.",
)
@click.option("--self-critical", type=click.IntRange(0), default=0, show_default=True, help="Epochs that reward CIDEr.")
@click.option(
    "--distinction",
    type=click.FloatRange(0),
    default=TrainConfig.distinction,
    show_default=True,
    help="How much --self-critical takes off what fits look-alikes too.",
)
@click.option(
    "--average",
    type=click.FloatRange(0, 0.9999),
    default=TrainConfig.average,
    show_default=True,
    help="Momentum of a moving average of the decoder's weights; 0: none.",
)
@click.option(
    "--own-words",
    type=click.FloatRange(0, 1),
    default=TrainConfig.own_words,
    show_default=True,
    help="Scheduled sampling: share of the model's own words at the end.",
)
@click.option(
    "--smoothing",
    type=click.FloatRange(0, 0.5),
    default=TrainConfig.smoothing,
    show_default=True,
    help="Label smoothing.",
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 3.9),
    default=TrainConfig.dropout,
    show_default=True,
    help="Times the usual dropout; more for fewer pictures.",
)
@click.option("--rate", type=float, default=TrainConfig.rate, show_default=True, help="Highest learning rate.")
@click.option(
    "--story", type=click.Path(path_type=Path), help="JSON for the model card: data, commands, examples, limits."
)
@click.option("--seed", type=int, default=TrainConfig.seed, show_default=True)
def train(
    dataset: Path,
    out: Path,
    encoder: str,
    side: int | None,
    go_on: Path | None,
    epochs: int,
    batch: int,
    fine_tune: int,
    fine_tune_narrow: int,
    self_critical: int,
    distinction: float,
    average: float,
    own_words: float,
    smoothing: float,
    dropout: float,
    rate: float,
    story: Path | None,
    seed: int,
) -> None:
    """Train a captioner on a data set; the same command goes on with a run that was stopped."""
    load_keras()
    from training.pipeline import load_encoder_source, read_story, train_bundle

    source = load_encoder_source(encoder, EncoderConfig.for_side(side) if side else None)
    config = TrainConfig(
        epochs=epochs,
        batch=batch,
        rate=rate,
        smoothing=smoothing,
        dropout=dropout,
        seed=seed,
        average=average,
        own_words=own_words,
        narrow_epochs=fine_tune_narrow,
        tune_epochs=fine_tune,
        critic_epochs=self_critical,
        distinction=distinction,
    )
    bundle, problems = train_bundle(dataset, out, source, config, read_story(story), go_on)
    for problem in problems[:SHOWN_PROBLEMS]:
        click.echo(f"left out: {problem}", err=True)
    if len(problems) > SHOWN_PROBLEMS:
        click.echo(f"... and {len(problems) - SHOWN_PROBLEMS} more left out", err=True)
    click.echo(f"bundle: {bundle}")
