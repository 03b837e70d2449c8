"""The option of `retroflex index` that finds faces, and what it does."""

from __future__ import annotations

from collections.abc import Callable

import click

from captioner.captioner import Captioner
from data.errors import RetroflexError
from data.faces.reads import is_wanted
from data.faces.writes import set_wanted
from retrieval.commands.options import remark
from retrieval.commands.progress import Display, counting_faces
from retrieval.faces.grouping import group_faces
from retrieval.faces.indexing import CropEncoder, FaceReport, find_faces
from retrieval.library import Library

faces_option: Callable[[Callable[..., None]], Callable[..., None]] = click.option(
    "--faces/--no-faces",
    "faces",
    default=None,
    help="Also find faces, and go on so in later runs; --no-faces ends that.",
)


def check_faces_option(faces: bool | None) -> None:
    """Raise RetroflexError where faces are asked for, and a package for them is missing."""
    from captioner.faces.finder import what_is_missing

    if faces and what_is_missing():
        raise RetroflexError(what_is_missing())


def index_faces(library: Library, captioner: Captioner, faces: bool | None, kind: type[Display]) -> FaceReport | None:
    """Find faces if they are asked for, now or in an earlier run; return what was done, None for nothing.

    A display of this `kind` shows the progress.
    """
    from captioner.faces.finder import MODEL_VERSION, ShippedFinder, what_is_missing

    before = is_wanted(library.store)
    wanted = before if faces is None else faces
    if wanted != before:
        set_wanted(library.store, wanted)
    if not wanted:
        return None
    if what_is_missing():
        remark(f"{what_is_missing()}; this run finds no faces")
        return None
    crops = CropEncoder(captioner.search_model.encoder, captioner)
    with counting_faces(kind) as show:
        report = find_faces(library.store, MODEL_VERSION, ShippedFinder, crops, library.settings.limits, show)
    if report.pictures:
        group_faces(library.store)
    return report
