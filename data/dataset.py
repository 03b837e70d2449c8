"""Read a data set of captioned pictures, whichever form it has."""

from __future__ import annotations

from pathlib import Path

from data.caption_table import read_caption_table
from data.captioned import SPLITS, Dataset
from data.errors import RetroflexError
from data.flickr8k import read_flickr8k
from data.paths import display
from data.tabular import SUFFIXES

FORMS = f"a folder in Flickr8k layout, or a {', '.join(SUFFIXES)} file of picture and caption"


def read_dataset(path: Path, split: str | None) -> Dataset:
    """Read the `split` ("train", "dev" or "test"), or with None every captioned picture.

    A folder is read as Flickr8k, a file as a table of captions. What is malformed or missing is skipped and named
    in `problems`. Raises RetroflexError when the path is neither, the split is unknown, or nothing usable is left.
    """
    if split is not None and split not in SPLITS:
        raise RetroflexError(f"no split is called {split!r}; choose one of {', '.join(SPLITS)}")
    if not path.exists():
        raise RetroflexError(f"no such data set: {display(path)}; give {FORMS}")
    if path.is_dir():
        return read_flickr8k(path, split)
    if path.suffix.lower() in SUFFIXES:
        return read_caption_table(path, split)
    raise RetroflexError(f"{display(path)} is no data set; give {FORMS}")
