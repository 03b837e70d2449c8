"""Pictures whose classes stand in a table: a CSV or TSV file beside a folder of pictures."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from data.errors import RetroflexError
from data.paths import display
from data.tabular import SUFFIXES, read_table
from training.evaluation.folders import Labelled, pictures_below

PICTURE_COLUMNS = ("picture", "image", "filename", "file", "path", "id")
"""Names of the column that names the picture, in this order of preference."""


def read_labelled_table(table: Path, label: str, images: Path, problems: list[str]) -> Labelled:
    """Read the pictures that `table` names, each with the class in its column `label`.

    A picture is named by its path in the folder `images`, its file's name, or that without suffix. Rows without a
    class or a picture are named in `problems`. Raise RetroflexError when the table, the column or all pictures are
    missing, or when there are fewer than two classes.
    """
    if table.suffix.lower() not in SUFFIXES:
        raise RetroflexError(f"{display(table)} is no table; give a folder, or a {', '.join(SUFFIXES)} file")
    if not images.is_dir():
        raise RetroflexError(f"{display(images)}: no such folder; give the folder of the table's pictures")
    header, rows = read_table(table, problems)
    picture_column, label_column = _picture_column(table, header), _column(table, header, label)
    files = _by_name(images)
    found: dict[Path, str] = {}
    for line, fields in rows:
        name, its_label = fields[picture_column], fields[label_column]
        file = files.get(name)
        if file is None or not its_label:
            lacks = f"has no {label}" if file else f"names no picture of {display(images)}: {display(Path(name))}"
            problems.append(f"{display(Path(table.name))} line {line} {lacks}")
        else:
            found.setdefault(file, its_label)
    labelled = Labelled(list(found), list(found.values()))
    if len(labelled.classes) < 2:
        first = f" (the first problem: {problems[0]})" if problems else ""
        count = len(labelled.classes)
        raise RetroflexError(f"{display(table)} has {count} class{'' if count == 1 else 'es'}; two are needed{first}")
    return labelled


def _picture_column(table: Path, header: list[str]) -> int:
    names = [name.lower() for name in header]
    for name in PICTURE_COLUMNS:
        if name in names:
            return names.index(name)
    raise RetroflexError(f"{display(table)} has no column that names pictures; call one {' or '.join(PICTURE_COLUMNS)}")


def _column(table: Path, header: list[str], name: str) -> int:
    if name in header:
        return header.index(name)
    near = get_close_matches(name, header, 1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(header)[:200]}"
    raise RetroflexError(f"{display(table)} has no column {name[:40]!r}; {hint}")


def _by_name(images: Path) -> dict[str, Path]:
    """Return the pictures of a folder by their stem, their name and their path in it, the last winning."""
    files = pictures_below(images)
    names: dict[str, Path] = {}
    for key in (lambda file: file.stem, lambda file: file.name, lambda file: str(file.relative_to(images))):
        names |= {key(file): file for file in reversed(files)}
    return names
