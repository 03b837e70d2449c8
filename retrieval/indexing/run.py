"""One run of indexing: the given folders, or all remembered ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from captioner.calibration import FORMAT_1_NEAR_COPY
from captioner.pipeline import Executor
from captioner.types import StagedDescriber
from data.errors import RetroflexError
from data.limits import Limits
from data.loading import SUFFIXES
from data.paths import from_bytes, to_bytes
from data.records import Batch
from data.remote import is_remote, is_there, located
from data.roots import note_indexed, read_roots, remember_root
from data.scan import Skip
from data.store import Store
from retrieval.indexing.continuity import absence_warnings, continue_pictures
from retrieval.indexing.indexer import Progress, Report, index


@dataclass(frozen=True)
class Task:
    """Folders or files to index, and the patterns to exclude."""

    folders: Sequence[Path]
    exclude: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """Tasks in order, and remembered folders that do not exist now."""

    tasks: Sequence[Task]
    missing: Sequence[Path] = field(default_factory=list)


def _is_folder(path: Path) -> bool:
    """Return whether a folder is there. Raises RetroflexError for a store that cannot be asked."""
    if is_remote(path):
        return path.suffix.lower() not in SUFFIXES and is_there(path)
    return os.path.isdir(path)


def plan_given(store: Store, folders: Sequence[Path], exclude: Sequence[str]) -> Plan:
    """Plan to index the given paths, and remember the folders among them. Raises StoreError."""
    for folder in map(located, folders):
        if _is_folder(folder):
            remember_root(store, to_bytes(folder), exclude)
    return Plan([Task(folders, exclude)])


def plan_remembered(store: Store) -> Plan:
    """Plan to index all remembered folders; a missing one may be on a disk that is not connected.

    Raises RetroflexError if no folder is remembered, or StoreError.
    """
    roots = sorted(read_roots(store), key=lambda root: (root.exclude, root.path))
    if not roots:
        raise RetroflexError("no folder is remembered yet; name one: retroflex index DIR")
    missing = [root for root in roots if not _is_folder(from_bytes(root.path))]
    present = groupby((root for root in roots if root not in missing), key=lambda root: root.exclude)
    return Plan(
        [Task([from_bytes(root.path) for root in group], exclude) for exclude, group in present],
        [from_bytes(root.path) for root in missing],
    )


def run(
    plan: Plan,
    store: Store,
    describer: StagedDescriber,
    limits: Limits,
    recaption: bool = True,
    progress: Progress = lambda done, total, report: None,
    executor: Executor | None = None,
    near_copy: float = FORMAT_1_NEAR_COPY,
    forget: bool = False,
    every: float | None = None,
) -> Report:
    """Run the plan, see `indexer.index`; folders that are indexed completely are noted as such."""
    total = _Total(progress, _note_missing(store, plan.missing, near_copy, forget))
    how: dict[str, Any] = {"recaption": recaption, "executor": executor, "near_copy": near_copy, "forget": forget}
    how["every"] = every
    for task in plan.tasks:
        total.add(index(store, describer, task.folders, limits, task.exclude, total.show, **how))
        note_indexed(store, [to_bytes(located(folder)) for folder in task.folders])
    return total.report


def _note_missing(store: Store, missing: Sequence[Path], near_copy: float, forget: bool) -> Report:
    """Note the pictures of folders that are not there as absent; return a report of them."""
    if not missing:
        return Report()
    stored = store.stored_files(missing)
    gone = [path for path, file in stored.items() if file.digest]
    if gone:
        store.write_batch(Batch(gone=gone))
    continue_pictures(store, missing, (), near_copy, forget)
    warnings = [] if forget else absence_warnings(gone, gone, missing)
    kept = "its pictures are forgotten" if forget else "its pictures are kept"
    return Report(
        gone=len(gone), skipped=[Skip(path, f"is not there now; {kept}") for path in missing], warnings=warnings
    )


@dataclass
class _Total:
    """Progress and report over several tasks together."""

    progress: Progress
    report: Report
    finished: int = 0
    total: int = 0

    def show(self, done: int, total: int, report: Report) -> None:
        self.total = self.finished + total
        self.progress(self.finished + done, self.total, self.report + report)

    def add(self, report: Report) -> None:
        self.report += report
        self.finished = self.total
