"""Groups of copies, and what a person decided about them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from data.choices import Choice, Copy, exact_copies, forget_choices, read_choices, remember_choices
from data.roots import folder_id
from data.store import Store
from retrieval.search.query import QueryError

KINDS = ("exact", "near")


@dataclass(frozen=True)
class Group:
    """Copies of one another: files with the same content ("exact"), or pictures that look the same ("near").

    `choices` has the decision on each copy, or None. The key changes when a copy joins or leaves, so nobody decides on
    a group that they have not seen.
    """

    kind: str
    copies: Sequence[Copy]
    choices: Sequence[Choice | None]

    @property
    def key(self) -> str:
        """The group's name, for example near-0123456789abcdef."""
        members = "".join(f"{copy.picture_id} {copy.path.hex()}\n" for copy in self.copies)
        return f"{self.kind}-{hashlib.sha256(members.encode()).hexdigest()[:16]}"

    @property
    def decided(self) -> bool:
        """Whether all copies were decided on together, perhaps with others that are gone since."""
        return self.choices[0] is not None and len({choice and choice.group_key for choice in self.choices}) == 1


def copy_id(copy: Copy) -> int | str:
    """Return a copy's id for clients: a picture's id, or for a file an id that hides its path."""
    return folder_id(copy.path) if copy.path else copy.picture_id


def exact_groups(store: Store) -> list[Group]:
    """Return the pictures that have several files, by id. Raises StoreError."""
    chosen = read_choices(store)
    return [
        _group("exact", [Copy(picture_id, path) for path in paths], chosen)
        for picture_id, paths in exact_copies(store).items()
    ]


def near_groups(store: Store, groups: Sequence[Sequence[int]]) -> list[Group]:
    """Return groups of near copies with the decisions on them. Raises StoreError."""
    chosen = read_choices(store)
    return [_group("near", [Copy(picture_id) for picture_id in group], chosen) for group in groups]


def decide(store: Store, group: Group, keep: Collection[int | str]) -> None:
    """Remember which copies of a group to keep, the others not. Raises QueryError for an id that is none of them."""
    by_id = {copy_id(copy): copy for copy in group.copies}
    unknown = [identifier for identifier in keep if identifier not in by_id]
    if unknown:
        raise QueryError(f"{str(unknown[0])[:40]!r} is no copy of this group; take ids from the group")
    remember_choices(store, group.key, {copy: identifier in keep for identifier, copy in by_id.items()})


def forget(store: Store, group: Group) -> None:
    """Delete the decision on a group. Raises StoreError."""
    forget_choices(store, group.copies)


def _group(kind: str, copies: Sequence[Copy], chosen: Mapping[Copy, Choice]) -> Group:
    return Group(kind, copies, [chosen.get(copy) for copy in copies])
