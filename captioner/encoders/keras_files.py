"""Files of weights: where Keras keeps them, and what one says of the network it is for."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from data.errors import RetroflexError

SEEN = (
    ("vgg19", "block5_conv4"),
    ("vgg16", "block5_conv3"),
    ("resnet152", "conv4_block36_1_conv"),
    ("resnet101", "conv4_block23_1_conv"),
    ("resnet50", "conv4_block6_1_conv"),
    ("efficientnetv2_s", "block6o_project_conv"),
    ("efficientnetv2_b0", "block6h_project_conv"),
    ("mobilenetv2", "block_16_project"),
    ("mobilenetv3_large", "expanded_conv_14_project"),
    ("mobilenetv3_small", "expanded_conv_10_project"),
)
"""Networks and a layer of each; the first whose layer a file has is the file's."""


def layer_names(source: Path) -> list[str]:
    """Return the names of the layers in a file of Keras (HDF5); none if it has only numbers for them.

    Raises RetroflexError for a file of another kind.
    """
    import h5py

    try:
        with h5py.File(source, "r") as file:
            group = file.get("model_weights", file)
            return [one.decode() if isinstance(one, bytes) else str(one) for one in group.attrs.get("layer_names", ())]
    except OSError as error:
        raise RetroflexError(f"{source} is no file of weights that Keras reads: .h5 or .weights.h5") from error


def seen(layers: Sequence[str]) -> str | None:
    """Return the network whose layers these are, None if they do not tell."""
    known = {layer.replace("/", "_").lower() for layer in layers}
    return next((name for name, mark in SEEN if mark in known), None)


def misfit(name: str, source: Path, layers: Sequence[str], error: Exception | None = None) -> str:
    """Return one line: the file is not for the network `name`, and for which, or else the error that says so."""
    other = seen(layers)
    why = f"it seems to be for {other}" if other and other != name else "it is for another network"
    return (
        f"{source} does not have the weights of {name}: {first_line(error) if error and other in (None, name) else why}"
    )


def no_weights(name: str, file: str, error: Exception) -> str:
    """Return one line that says what to download, from where as Keras knows it, and where to put it."""
    found = re.search(r"https?://\S+?(?=:? |$)", str(error))
    where = f"download {found[0]}" if found else f"get {file} ({first_line(error)})"
    return (
        f"{name} has no weights on this machine, and they cannot be downloaded: {where} and put it into "
        f"{keras_folder()}, or give it by --weights {name}=FILE"
    )


def keras_folder() -> Path:
    """Return where Keras keeps the weights that it has downloaded."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def first_line(error: Exception) -> str:
    """Return the first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
