"""Index pictures: find new files, describe them, write them group by group.

A kill at any time loses no written transaction; the next run continues with the rest.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from captioner.calibration import FORMAT_1_NEAR_COPY
from captioner.pipeline import BATCH, Described, Executor, ThreadExecutor, as_row, in_groups
from captioner.types import StagedDescriber
from data.films.kinds import SUFFIXES, can_read_films
from data.films.reads import film_digests
from data.heap import return_freed
from data.identity import unseen_pictures
from data.limits import Limits
from data.paths import from_bytes, to_bytes
from data.records import Batch, MetadataRow, PictureRow, SkipRow, StoredFile
from data.scan import FoundFile, Scan, Skip, scan
from data.sharing.claims import claiming
from data.store import Store
from data.store_errors import UnknownPicture
from retrieval.indexing.continuity import absence_warnings, continue_pictures, look_again
from retrieval.indexing.films import FilmCounts, FilmReader, described_films, sampled_otherwise, split
from retrieval.indexing.metadata import Copies, Sidecars, outdated_copies, read_metadata_again
from retrieval.indexing.pictures import PictureReader
from retrieval.indexing.skips import NEVER

BULK = 8
"""From this many batches on, the faster decoder of large JPEG files is worth loading, see `data.pictures.decode`."""


@dataclass
class Report:
    """What an indexing run did: counts of files, each file left out with its reason, and lines to show.

    `notes` are files that were indexed, each with what of it could not be used. `passed_over` and `left_out` are those
    of `data.scan.Scan`. `films` counts films, which are also counted as files.
    """

    captioned: int = 0
    known_content: int = 0
    unchanged: int = 0
    gone: int = 0
    skipped: list[Skip] = field(default_factory=list)
    notes: list[Skip] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    films: FilmCounts = field(default_factory=FilmCounts)

    @property
    def is_empty(self) -> bool:
        """Whether there was no picture, new, known, bad or gone."""
        return not (self.captioned or self.known_content or self.unchanged or self.gone or self.skipped)

    def __add__(self, other: Report) -> Report:
        """Return the counts of both runs together."""
        return Report(
            self.captioned + other.captioned,
            self.known_content + other.known_content,
            self.unchanged + other.unchanged,
            self.gone + other.gone,
            self.skipped + other.skipped,
            self.notes + other.notes,
            self.warnings + other.warnings,
            self.passed_over + other.passed_over,
            self.left_out + other.left_out,
            self.films + other.films,
        )


Progress = Callable[[int, int, Report], None]
"""Gets the number of files that are done, that of all files, and the report so far."""


def index(
    store: Store,
    describer: StagedDescriber,
    roots: Sequence[Path],
    limits: Limits,
    exclude: Sequence[str] = (),
    progress: Progress = lambda done, total, report: None,
    recaption: bool = True,
    executor: Executor | None = None,
    near_copy: float = FORMAT_1_NEAR_COPY,
    forget: bool = False,
    every: float | None = None,
) -> Report:
    """Bring the store up to date with the files of pictures and films under `roots`.

    Only new and changed files are read and, with `recaption`, pictures that another model version described. What
    pictures say of themselves is read again where an older version of the program read less of it.
    `progress` gets (files done, all files, the report so far). Files that are gone are kept as absent, with `forget`
    dropped, see `data.identity`; pictures with a cosine of `near_copy` look alike. Films are sampled one frame `every`
    so many seconds, by scenes where that is None; they are passed over where nothing reads them. Raises RetroflexError
    if a root is missing or the store fails. A bad picture is skipped and reported.
    """
    stored = store.stored_files(roots)
    found = _scan(roots, stored, exclude)
    _note_skipped(store, found.skipped, stored)
    version = describer.model_version
    stale = _stale_files(store, version, stored, set(found.gone), found.changed) if recaption else []
    pictures = {path for path, file in stored.items() if file.digest}
    gone, new_paths = pictures & {*found.gone}, {to_bytes(file.path) for file in found.changed}
    report = _report_of(found, len(stale), len(gone), [] if forget else absence_warnings(pictures, gone, roots))
    to_read, films = _by_kind(store, found.changed, stale)
    films += sampled_otherwise(store, stored, {*found.gone, *map(to_bytes, (file.path for file in films))}, every)
    sidecars = Sidecars(found.sidecars)
    outdated = outdated_copies(store, stored, {*found.gone, *new_paths}, sidecars)
    steps = _Steps(progress, len(to_read) + len(films) + len(outdated), report)
    steps.advance(0)
    executor = executor or ThreadExecutor()
    with claiming(store, version) as claims:
        reader = PictureReader(store, describer.input_side, limits, sidecars, claims, len(to_read) > (BULK - 1) * BATCH)
        outdated += steps.follow(_described(store, describer, to_read, reader, executor), stored, sidecars)
        film_reader = FilmReader(store, describer.input_side, limits, sidecars, claims, every)
        steps.follow_films(described_films(store, describer, films, film_reader, executor))
    for read, rows in read_metadata_again(store, outdated, limits, sidecars):
        _note(report, rows, {row.digest: row.path for copies in outdated for row in copies})
        steps.advance(read)
    if found.gone:
        store.write_batch(Batch(gone=found.gone))
    continue_pictures(store, roots, new_paths, near_copy, forget)
    steps.look_again(store, describer.input_side, limits)
    return report


def _scan(roots: Sequence[Path], stored: Mapping[bytes, StoredFile], exclude: Sequence[str]) -> Scan:
    """Walk the roots; films that are stored stay where nothing reads films any more."""
    readable = can_read_films()
    found = scan(roots, stored, exclude, films=readable)
    if readable:
        return found
    gone = [path for path in found.gone if from_bytes(path).suffix.lower() not in SUFFIXES or not os.path.exists(path)]
    return replace(found, gone=gone)


def _by_kind(
    store: Store, changed: Sequence[FoundFile], stale: Sequence[FoundFile]
) -> tuple[list[FoundFile], list[FoundFile]]:
    """Return the files of pictures and those of films; what is stored as a picture stays one until it changes."""
    if not can_read_films():
        return [*changed, *stale], []
    pictures, films = split(changed)
    known = film_digests(store)
    described = {} if not known else {path for one in store.paths_of(known).values() for path in one}
    again = [file for file in stale if to_bytes(file.path) in described]
    return [*pictures, *(file for file in stale if file not in again)], [*films, *again]


def _report_of(found: Scan, stale: int, gone: int, warnings: list[str]) -> Report:
    """Return the report of a walk, before anything is read."""
    return Report(
        unchanged=found.unchanged - stale,
        gone=gone,
        skipped=list(found.skipped),
        warnings=warnings,
        passed_over=found.passed_over,
        left_out=found.left_out,
    )


@dataclass
class _Steps:
    """Counts the files that are done, and reports them."""

    progress: Progress
    total: int
    report: Report
    done: int = 0

    def advance(self, count: int) -> None:
        self.done += count
        self.progress(self.done, self.total, self.report)

    def follow(self, written: Iterable[Batch], stored: Mapping[bytes, StoredFile], sidecars: Sidecars) -> list[Copies]:
        """Count files once they are written; return the pictures whose new sidecars are to be read then."""
        outdated: list[Copies] = []
        for batch in written:
            _count(self.report, batch)
            late = _with_new_sidecars(batch, stored, sidecars)
            outdated += late
            self.total += len(late)
            self.advance(len(batch.files) + len(batch.skipped))
        return outdated

    def follow_films(self, written: Iterable[tuple[Batch, FilmCounts]]) -> None:
        """Count each film once it is written."""
        for batch, counts in written:
            _count(self.report, batch)
            self.report.films += counts
            self.advance(1)

    def look_again(self, store: Store, side: int, limits: Limits) -> None:
        """Complete what an older version did not store of the pixels, see `continuity.look_again`."""
        unseen = unseen_pictures(store)
        self.total += len(unseen)
        for tried in look_again(store, unseen, side, limits):
            self.advance(tried)


def _described(
    store: Store, describer: StagedDescriber, files: Sequence[FoundFile], reader: PictureReader, executor: Executor
) -> Iterator[Batch]:
    """Read, describe and write the files; yield what was written.

    Files that cannot be written yet, or that another machine describes now, are read again.
    """
    unread = list(files)
    while unread:
        groups, unread = in_groups(unread), []
        for group in executor.describe(groups, reader, describer):
            batch = _joined(group, describer.model_version)
            unread += _write(store, batch)
            reader.claims.release({row.digest for row in batch.descriptions})
            return_freed()
            yield batch
        unread += reader.wait()


def _with_new_sidecars(batch: Batch, stored: Mapping[bytes, StoredFile], sidecars: Sidecars) -> list[Copies]:
    """Return the files of known pictures whose sidecars are not read yet, or are gone; those of a picture together."""
    copies: dict[str, Copies] = {}
    for row in batch.files:
        own, before = sidecars.signature(row.path), stored.get(row.path)
        had = before is not None and before.sidecars is not None
        if row.sidecars != own or (had and own is None):
            copies.setdefault(row.digest, []).append(replace(row, sidecars=own))
    return list(copies.values())


def _note_skipped(store: Store, skips: Sequence[Skip], stored: Mapping[bytes, StoredFile]) -> None:
    """Store what the walk left out, except pictures of the library, which may come back."""
    noted = dict(store.skipped_files()) if skips else {}
    reasons = {to_bytes(skip.path): skip.reason for skip in skips}
    new = {path: reason for path, reason in reasons.items() if noted.get(path) != reason}
    rows = [SkipRow(path, 0, NEVER, reason) for path, reason in new.items() if path in noted or path not in stored]
    if rows:
        store.write_batch(Batch(skipped=rows))


def _stale_files(
    store: Store, version: str, stored: dict, gone: set[bytes], changed: Sequence[FoundFile]
) -> list[FoundFile]:
    """Return one unchanged file of each picture that this model version has not described."""
    excluded = gone | {to_bytes(file.path) for file in changed}
    by_digest = {file.digest: (path, file) for path, file in stored.items() if file.digest and path not in excluded}
    needed = store.describe_needed(by_digest.keys(), version)
    return [FoundFile.of(*known) for digest, known in by_digest.items() if digest in needed]


def _joined(group: Described[Batch], version: str) -> Batch:
    """Join a group of batches and their descriptions to one batch."""
    whole = Batch()
    for part, description in group:
        whole.files.extend(part.files)
        whole.pictures.extend(part.pictures)
        whole.skipped.extend(part.skipped)
        if description is not None:
            whole.descriptions.append(as_row(part.files[0].digest, version, description))
    return whole


def _write(store: Store, batch: Batch) -> list[FoundFile]:
    """Write the batch without files whose picture was removed after they were read; return these."""
    try:
        store.write_batch(batch)
        return []
    except UnknownPicture:
        new = {row.digest for row in batch.pictures}
        lost = [row for row in batch.files if row.digest not in new and store.picture_id(row.digest) is None]
        batch.files[:] = [row for row in batch.files if row not in lost]
        return [FoundFile.of(row.path, row) for row in lost] + _write(store, batch)


def _count(report: Report, batch: Batch) -> None:
    report.captioned += len(batch.descriptions)
    report.known_content += len(batch.files) - len(batch.descriptions)
    report.skipped += [Skip(from_bytes(row.path), row.reason) for row in batch.skipped]
    _note(report, batch.pictures, {row.digest: row.path for row in reversed(batch.files)})


def _note(report: Report, rows: Sequence[PictureRow | MetadataRow], paths: Mapping[str, bytes]) -> None:
    for row in rows:
        if row.digest in paths:
            notes = [*getattr(row, "notes", ()), *row.sidecar_notes]
            report.notes += [Skip(from_bytes(paths[row.digest]), note) for note in notes]
