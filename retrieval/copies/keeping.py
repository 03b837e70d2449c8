"""Which of several copies to keep, what keeping it alone would win, and what a person decided not to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data.choices import Copy
from data.copy_facts import CopyFacts, read_copy_facts
from data.store import Store
from retrieval.copies.duplicates import Group


class Gain(NamedTuple):
    """How many files need not be kept, and their bytes."""

    files: int = 0
    bytes: int = 0


class NotKept(NamedTuple):
    """A file that a person decided not to keep, and one that they keep in its place, empty where they keep none."""

    path: bytes
    kept: bytes
    kind: str
    bytes: int


def best(group: Group, facts: Mapping[int, CopyFacts]) -> Copy | None:
    """Return the copy to keep, None where none is known any more.

    Most pixels come first. Of as many, one whose file tells when a camera took it: copies that a program made lost
    that. Then most bytes, the least compressed, and then the oldest file.
    """
    known = [copy for copy in group.copies if copy.picture_id in facts]
    return min(known, key=lambda copy: _rank(copy, facts[copy.picture_id]), default=None)


def _rank(copy: Copy, facts: CopyFacts) -> tuple[int, bool, int, int, bytes]:
    modified = facts.files.get(copy.path, 0) if copy.path else min(facts.files.values(), default=0)
    return -facts.pixels, not facts.by_camera, -facts.size, modified, copy.path


def gain(groups: Sequence[Group], facts: Mapping[int, CopyFacts]) -> Gain:
    """Return what is not kept by the decisions, and in groups without one what would not be if the best alone were."""
    files, size = 0, 0
    for group in groups:
        for copy in _left(group, facts):
            count = 1 if copy.path else len(facts[copy.picture_id].files)
            files += count
            size += count * facts[copy.picture_id].size
    return Gain(files, size)


def facts_of(store: Store, groups: Sequence[Group]) -> dict[int, CopyFacts]:
    """Return the facts of all pictures in groups. Raises StoreError."""
    return read_copy_facts(store, {copy.picture_id for group in groups for copy in group.copies})


def not_kept(groups: Sequence[Group], facts: Mapping[int, CopyFacts]) -> list[NotKept]:
    """Return all files that a person decided not to keep, group by group."""
    listed = []
    for group in groups:
        if not group.decided:
            continue
        kept = next((copy for copy in _with_choice(group, True) if copy.picture_id in facts), None)
        beside = next(iter(_paths(kept, facts)), b"") if kept else b""
        for copy in _with_choice(group, False):
            if copy.picture_id in facts:
                size = facts[copy.picture_id].size
                listed += [NotKept(path, beside, group.kind, size) for path in _paths(copy, facts)]
    return listed


def _left(group: Group, facts: Mapping[int, CopyFacts]) -> list[Copy]:
    chosen = best(group, facts)
    others = _with_choice(group, False) if group.decided else [copy for copy in group.copies if copy != chosen]
    return [copy for copy in others if copy.picture_id in facts]


def _with_choice(group: Group, keep: bool) -> list[Copy]:
    return [copy for copy, choice in zip(group.copies, group.choices, strict=True) if choice and choice.keep is keep]


def _paths(copy: Copy, facts: Mapping[int, CopyFacts]) -> list[bytes]:
    return [copy.path] if copy.path else list(facts[copy.picture_id].files)
