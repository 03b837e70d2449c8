"""The command `retroflex train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from captioner.encoders.vgg16 import LAYERS
from captioner.frameworks import load_keras
from captioner.quantise import LEVELS
from retrieval.commands.options import print_left_out
from training.config import TrainConfig


def _setting(flag: str, name: str, kind: click.ParamType, text: str) -> Callable[[Callable[..., None]], Any]:
    """Return an option for the field `name` of TrainConfig, with its default."""
    return click.option(flag, name, type=kind, default=getattr(TrainConfig, name), show_default=True, help=text)


EPOCHS = click.IntRange(0)
BITS = click.Choice(tuple(LEVELS))


@click.command()
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder in Flickr8k layout, or a CSV or TSV file with the columns picture and caption.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for features, logs and the bundle.")
@click.option(
    "--encoder",
    default="bundled",
    show_default=True,
    help="An encoder by name, see `retroflex features`; bundled, imagenet, a bundle or a Keras VGG16 file.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File of weights for an --encoder by name.",
)
@click.option(
    "--side", type=click.IntRange(32, 448), help="Pixels of the encoder's input [default: the encoder's own]."
)
@click.option(
    "--layer",
    type=click.Choice(LAYERS),
    help="Layer of VGG16 that is the grid [default: the encoder's own].",
)
@click.option(
    "--also", type=click.Path(path_type=Path), help="A second data set; all its pictures are added to the training."
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of tables LANGUAGE.tsv (picture, split, caption) to learn words and languages from.",
)
@click.option("--language", default="en", show_default=True, help="Language of the data set's captions, as in --texts.")
@click.option(
    "--go-on",
    type=click.Path(path_type=Path, exists=True),
    help="Start from the decoder of this bundle, which must have the same words.",
)
@click.option(
    "--crowd",
    type=click.Path(path_type=Path, exists=True),
    help="Folder or tar file of pictures that show none of --absent, to learn how strictly to treat rare words.",
)
@click.option(
    "--absent", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="File of such words, one a line."
)
@_setting("--epochs", "epochs", EPOCHS, "Epochs of the decoder on human captions; 0 keeps the decoder of --go-on.")
@_setting("--batch", "batch", click.IntRange(1), "Pictures in a batch.")
@_setting("--fine-tune", "tune_epochs", EPOCHS, "Epochs of joint training of the encoder's last block and the decoder.")
@_setting("--text-epochs", "text_epochs", EPOCHS, "Epochs of the decoder on --texts alone, before pictures.")
@_setting("--self-critical", "critic_epochs", EPOCHS, "Epochs of self-critical training, which rewards CIDEr.")
@_setting(
    "--distinction",
    "distinction",
    click.FloatRange(0),
    "Penalty in --self-critical for captions that fit similar pictures.",
)
@_setting("--text-encoders", "text_encoders", click.IntRange(0, 9), "Pairs of encoders for search by words; 0: none.")
@_setting("--average", "average", click.FloatRange(0, 0.9999), "Momentum of a moving average of weights; 0: none.")
@_setting(
    "--own-words", "own_words", click.FloatRange(0, 1), "Scheduled sampling: share of predicted words at the end."
)
@_setting("--smoothing", "smoothing", click.FloatRange(0, 0.5), "Label smoothing.")
@_setting("--dropout", "dropout", click.FloatRange(0, 3.9), "Factor of the default dropout; more for fewer pictures.")
@_setting(
    "--views", "views", click.IntRange(1, 32), "Versions of each train picture: itself, its mirror image, then crops."
)
@_setting("--bits", "bits", BITS, "Bits of the numbers in large kernels; 4 halves the bundle.")
@_setting("--rate", "rate", click.FLOAT, "Highest learning rate.")
@_setting("--seed", "seed", click.INT, "Random seed of weights, order and dropout.")
@click.option(
    "--story", type=click.Path(path_type=Path), help="JSON for the model card: data, commands, examples, limits."
)
def train(
    dataset: Path,
    out: Path,
    encoder: str,
    weights: Path | None,
    side: int | None,
    layer: str | None,
    also: Path | None,
    texts: Path | None,
    language: str,
    go_on: Path | None,
    story: Path | None,
    crowd: Path | None,
    absent: Path | None,
    **settings: Any,
) -> None:
    """Train a captioner on a data set. The same command resumes a run that was stopped."""
    if not settings["epochs"] and go_on is None:
        raise click.UsageError("--epochs 0 trains no decoder; name a bundle with a decoder with --go-on")
    if (crowd is None) != (absent is None):
        raise click.UsageError("--crowd and --absent go together: pictures, and words for what none of them shows")
    load_keras()
    from training.evaluation.absent import read_words
    from training.inputs import load_encoder_source
    from training.pipeline import TrainingInputs, read_notes, train_bundle
    from training.relevance.crowd import Crowd
    from training.texts import Texts, read_texts

    config = TrainConfig(**settings)
    own = {name: value for name, value in (("side", side), ("layer", layer)) if value is not None}
    source = load_encoder_source(encoder, own, config.bits, weights)
    hidden = Crowd(crowd, read_words(absent, ())) if crowd else None
    inputs = TrainingInputs(dataset, also, read_texts(texts, language) if texts else Texts(), go_on, hidden)
    bundle, problems = train_bundle(inputs, out, source, config, read_notes(story))
    print_left_out(problems)
    click.echo(f"bundle: {bundle}")
