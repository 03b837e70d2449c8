"""`retroflex train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from captioner.encoders.vgg16 import LAYERS, VGG16Config
from captioner.frameworks import load_keras
from captioner.quantise import LEVELS
from retrieval.commands.options import print_left_out
from training.config import TrainConfig


def _setting(flag: str, name: str, kind: click.ParamType, told: str) -> Callable[[Callable[..., None]], Any]:
    """An option that is the field `name` of TrainConfig, with its default."""
    return click.option(flag, name, type=kind, default=getattr(TrainConfig, name), show_default=True, help=told)


EPOCHS = click.IntRange(0)
BITS = click.Choice(tuple(LEVELS))


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
@click.option("--layer", type=click.Choice(LAYERS), default=LAYERS[0], show_default=True, help="VGG16's, with --side.")
@click.option(
    "--also", type=click.Path(path_type=Path), help="A second data set, all of whose pictures join the training."
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of tables LANGUAGE.tsv (picture, split, caption) to learn words and languages from.",
)
@click.option("--language", default="en", show_default=True, help="That of the data set's captions, as in --texts.")
@click.option(
    "--go-on",
    type=click.Path(path_type=Path, exists=True),
    help="A bundle whose decoder and sentences to go on with, at its words.",
)
@_setting("--epochs", "epochs", EPOCHS, "Epochs of the decoder on human captions; 0 keeps that of --go-on.")
@_setting("--batch", "batch", click.IntRange(1), "Pictures a step.")
@_setting("--fine-tune", "tune_epochs", EPOCHS, "Epochs of the encoder's last block with the decoder.")
@_setting("--text-epochs", "text_epochs", EPOCHS, "Epochs of the decoder on --texts alone, before it sees pictures.")
@_setting("--self-critical", "critic_epochs", EPOCHS, "Epochs that reward CIDEr.")
@_setting("--distinction", "distinction", click.FloatRange(0), "What --self-critical takes off for look-alikes.")
@_setting("--text-encoders", "text_encoders", click.IntRange(0, 9), "Pairs of encoders for search by words; 0: none.")
@_setting("--average", "average", click.FloatRange(0, 0.9999), "Momentum of a moving average of weights; 0: none.")
@_setting("--own-words", "own_words", click.FloatRange(0, 1), "Scheduled sampling: share of own words at the end.")
@_setting("--smoothing", "smoothing", click.FloatRange(0, 0.5), "Label smoothing.")
@_setting("--dropout", "dropout", click.FloatRange(0, 3.9), "Times the usual dropout; more for fewer pictures.")
@_setting("--views", "views", click.IntRange(1, 32), "Of each train picture: itself, its mirror image, then crops.")
@_setting("--bits", "bits", BITS, "Of the numbers of large kernels; with 4 a bundle takes half the room.")
@_setting("--rate", "rate", click.FLOAT, "Highest learning rate.")
@_setting("--seed", "seed", click.INT, "Of weights, order and dropout.")
@click.option(
    "--story", type=click.Path(path_type=Path), help="JSON for the model card: data, commands, examples, limits."
)
def train(
    dataset: Path,
    out: Path,
    encoder: str,
    side: int | None,
    layer: str,
    also: Path | None,
    texts: Path | None,
    language: str,
    go_on: Path | None,
    story: Path | None,
    **settings: Any,
) -> None:
    """Train a captioner on a data set; the same command goes on with a run that was stopped."""
    if not settings["epochs"] and go_on is None:
        raise click.UsageError("--epochs 0 trains no decoder; name a bundle that has one with --go-on")
    load_keras()
    from training.pipeline import Material, read_story, train_bundle
    from training.sources import load_encoder_source
    from training.texts import Texts, read_texts

    config = TrainConfig(**settings)
    source = load_encoder_source(encoder, VGG16Config(side, layer) if side else None, config.bits)
    material = Material(dataset, also, read_texts(texts, language) if texts else Texts(), go_on)
    bundle, problems = train_bundle(material, out, source, config, read_story(story))
    print_left_out(problems)
    click.echo(f"bundle: {bundle}")
