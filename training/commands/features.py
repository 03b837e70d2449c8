"""The command `retroflex train features`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from captioner.encoders.autoencoder import NAME
from captioner.encoders.weights import trained_file
from captioner.frameworks import load_keras
from data.errors import RetroflexError
from data.paths import display
from data.settings import load_settings
from retrieval.commands.options import json_option, library_option, print_json, print_left_out


@click.command()
@click.option("--kind", type=click.Choice([NAME]), default=NAME, show_default=True, help="What is trained.")
@click.option("--pictures", type=click.Path(path_type=Path), required=True, help="Folder of pictures to learn from.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File for the weights [default: in the library]."
)
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True, help="Times that each is seen.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of weights, order and sampling.")
@library_option
@json_option
def features(
    kind: str, pictures: Path, out: Path | None, epochs: int, seed: int, library: Path | None, as_json: bool
) -> None:
    """Train an encoder on your own pictures: a variational autoencoder, whose latent means are a kind of vectors.

    The same command resumes a run that was stopped.
    """
    settings = load_settings(library=library)
    if out is not None and out.suffix != ".safetensors":
        raise RetroflexError(f"--out {display(out)}: the name of a file of weights ends in .safetensors")
    load_keras()
    from training.autoencoder.trainer import Settings, train

    trained = train(pictures, out or trained_file(settings.library, kind), Settings(epochs, seed=seed))
    if as_json:
        print_json(asdict(trained) | {"file": display(trained.file)})
        return
    print_left_out(trained.problems)
    click.echo(f"{trained.pictures:,} pictures, loss {trained.loss:.1f}: {display(trained.file)}")
    named = f" --weights {kind}={display(out)}" if out else ""
    click.echo(f"add its vectors with: retroflex index --features {kind}{named}")
