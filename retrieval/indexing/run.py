"""What one run of indexing goes through: the folders it was given, or all that are remembered."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from captioner.types import StagedDescriber
from data.errors import RetroflexError
from data.limits import Limits
from data.paths import absolute, from_bytes, to_bytes
from data.roots import note_indexed, read_roots, remember_root
from data.scan import Skip
from data.store import Store
from retrieval.indexing.indexer import Report, index

Progress = Callable[[int, int, Report], None]
"""Gets files done, files in all, and what was done so far."""


@dataclass(frozen=True)
class Task:
    """Folders or files to go through, and the patterns to leave out of them."""

    folders: Sequence[Path]
    exclude: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """Tasks, one after the other, and remembered folders that are not there now."""

    tasks: Sequence[Task]
    missing: Sequence[Skip] = field(default_factory=list)


def plan_given(store: Store, folders: Sequence[Path], exclude: Sequence[str]) -> Plan:
    """Plan to index what was given, and remember the folders among it. Raises StoreError."""
    for folder in map(absolute, folders):
        if os.path.isdir(folder):
            remember_root(store, to_bytes(folder), exclude)
    return Plan([Task(folders, exclude)])


def plan_remembered(store: Store) -> Plan:
    """Plan to index all remembered folders; one that is not there, as on a disk that was taken out, is left alone.

    Raises RetroflexError where no folder is remembered, or StoreError.
    """
    roots = sorted(read_roots(store), key=lambda root: (root.exclude, root.path))
    if not roots:
        raise RetroflexError("no folder is remembered yet; name one: retroflex index DIR")
    missing = [root for root in roots if not os.path.isdir(from_bytes(root.path))]
    there = groupby((root for root in roots if root not in missing), key=lambda root: root.exclude)
    return Plan(
        [Task([from_bytes(root.path) for root in group], exclude) for exclude, group in there],
        [Skip(from_bytes(root.path), "is not there now; its pictures are kept") for root in missing],
    )


def run(
    plan: Plan,
    store: Store,
    describer: StagedDescriber,
    limits: Limits,
    recaption: bool = True,
    progress: Progress = lambda done, total, report: None,
) -> Report:
    """Run the plan, see `indexer.index`; folders that are indexed completely are noted as such."""
    whole = _Whole(progress, Report(skipped=list(plan.missing)))
    for task in plan.tasks:
        whole.add(index(store, describer, task.folders, limits, task.exclude, whole.show, recaption))
        note_indexed(store, [to_bytes(absolute(folder)) for folder in task.folders])
    return whole.report


@dataclass
class _Whole:
    """The progress and the report of several tasks as if they were one."""

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
