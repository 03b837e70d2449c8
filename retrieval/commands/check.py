"""`retroflex check`."""

from __future__ import annotations

import filecmp
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from captioner.cells import are_sound
from captioner.types import CELLS
from data.checks import (
    Finding,
    blobs_of,
    check_file,
    check_number_of_changes,
    check_rows,
    check_vectors,
    forget_descriptions,
    missing_files,
)
from data.paths import display
from data.progress import progress_bar
from data.roots import read_roots
from data.settings import load_settings
from data.store import Store, StoreDamaged
from data.temporary import temporary_folder
from retrieval.commands.options import json_option, library_option, print_json, remark
from retrieval.index.files import CURRENT
from retrieval.index.index import Part
from retrieval.index.segment import build_segment
from retrieval.index.storage import load_index
from retrieval.indexing.turn import take_turn
from retrieval.library import Library

AT_ONCE = 200
Show = Callable[[str, int, int], None]


@click.command()
@library_option
@json_option
def check(library: Path | None, as_json: bool) -> None:
    """Check the whole library, and mend what can be mended from files or by describing pictures again.

    Captions that a person wrote are never dropped. The exit status is 1 while something is wrong that cannot be mended.
    """
    settings = load_settings(library=library)
    opened = Library.open(settings)
    findings: list[Finding] = []
    with progress_bar(desc="checking", hidden=as_json, leave=False) as bar:
        wait = nullcontext() if opened.store.read_only else take_turn(settings.library, remark, lambda *_: None)
        with wait:
            for finding in _findings(opened, lambda what, done, total: _update(bar, what, done, total)):
                findings.append(finding)
                if not as_json:
                    tqdm.write(str(finding))
    _report(findings, opened, as_json)
    if any(finding.mended is None for finding in findings):
        sys.exit(1)


def _update(bar: tqdm, what: str, done: int, total: int) -> None:
    bar.set_description(f"checking {what}")
    bar.total = total or None
    bar.n = done
    bar.refresh()


def _report(findings: list[Finding], opened: Library, as_json: bool) -> None:
    count, examples, pictures = 0, list[str](), 0
    with suppress(StoreDamaged):  # it is among the findings
        count, examples = missing_files(opened.store)
        pictures = opened.store.status().pictures
    wrong = sum(finding.mended is None for finding in findings)
    if as_json:
        listed = [{"problem": finding.problem, "mended": finding.mended} for finding in findings]
        print_json({"findings": listed, "cannot_be_mended": wrong, "missing_files": count})
        return
    if count:
        shown = ", ".join(examples) + (", ..." if count > len(examples) else "")
        click.echo(f"{count:,} files are not there now ({shown}); `retroflex index` notes them as absent")
    click.echo(f"{pictures:,} pictures checked, {len(findings):,} problems found, {wrong:,} of them cannot be mended")


def _findings(opened: Library, show: Show) -> Iterator[Finding]:
    store = opened.store
    show("the database file", 0, 0)
    stages = (
        check_file(store),
        check_number_of_changes(store),
        check_rows(store, opened.settings.limits, lambda name: show(name, 0, 0)),
        check_vectors(store, lambda done, total: show("vectors", done, total)),
        _cells(store, show),
        _index(opened, show),
        _derived_files(opened.settings.library, store.read_only),
    )
    for stage in stages:
        try:
            yield from stage
        except StoreDamaged as error:  # whose pages cannot even be read
            yield Finding(str(error), None)


def _cells(store: Store, show: Show) -> Iterator[Finding]:
    """Check the attention cells, which only their model reads."""
    ids = store.searched_items()[1].tolist()
    for start in range(0, len(ids), AT_ONCE):
        show("attention cells", start, len(ids))
        blobs = blobs_of(store, ids[start : start + AT_ONCE], CELLS)
        yield from forget_descriptions(
            store, "attention cells", [item for item, blob in blobs.items() if not are_sound(blob)]
        )


def _index(opened: Library, show: Show) -> Iterator[Finding]:
    """Check the search index against the store; a damaged one is built again."""
    folder, store = opened.settings.index_dir, opened.store
    index = load_index(folder)
    problems = [] if index is None else list(index.damage)
    if index is not None and not problems and index.generation == store.generation():
        for number, part in enumerate(index.parts):
            show("the search index", number, len(index.parts))
            if not _matches(part, folder, store, index.models if opened.settings.vectors is None else {}):
                problems.append("a segment of the search index differs from the library")
    for problem in problems:
        yield Finding(problem, None if store.read_only else "built again")
    if problems and not store.read_only:
        (folder / CURRENT).unlink(missing_ok=True)
    if index is not None and not store.read_only:
        opened.searcher()


def _matches(part: Part, folder: Path, store: Store, models: Mapping[str, str]) -> bool:
    """Return whether a segment has what the store has, by building it again."""
    roots = [root.path for root in read_roots(store)]
    made = build_segment(store.searched_pictures(part.ids.tolist()), models, len(part), roots)
    if not np.array_equal(made.ids, part.ids) or not np.array_equal(made.by_user, part.segment.by_user[part.rows]):
        return False
    if part.absent is not None or part.stored is None:  # a new segment lacks the rows that are absent from this one
        return True
    with temporary_folder() as temporary:
        beside = temporary / "segment"
        beside.mkdir()
        made.save(beside)
        names = [file.name for file in beside.iterdir() if "_codes" not in file.name]
        return not any(filecmp.cmpfiles(beside, folder / part.stored.name, names, shallow=False)[1:])


def _derived_files(library: Path, read_only: bool) -> Iterator[Finding]:
    """Check the other files of the library: access keys, near copies, thumbnails."""
    access = library / "access.json"
    if access.exists() and not _is_json(access):
        yield Finding(f"{display(access)} is damaged; delete it and set the password again", None)
    for file, is_sound in ((library / "copies.npz", zipfile.is_zipfile), *_thumbnails(library)):
        if file.exists() and not is_sound(file):
            yield Finding(f"{display(file)} is damaged", None if read_only else _deleted(file))


def _thumbnails(library: Path) -> Iterator[tuple[Path, Callable[[Path], bool]]]:
    return ((file, _is_webp) for file in sorted((library / "thumbnails").rglob("*.webp")))


def _is_webp(file: Path) -> bool:
    content = file.read_bytes()
    return content[:4] + content[8:12] == b"RIFFWEBP" and len(content) == int.from_bytes(content[4:8], "little") + 8


def _is_json(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def _deleted(file: Path) -> str | None:
    try:
        file.unlink()
    except OSError:
        return None
    return "deleted; it is made again when it is needed"
