"""Groups of faces: named, merged, split and hidden by a person, whose decisions stay; made by `retrieval.faces`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from data.database import StoreError, chunks
from data.faces import history
from data.faces.reads import stored_faces
from data.faces.records import Person, StoredFace
from data.films.records import FRAME
from data.soundness import sound
from data.store import Store
from data.tables import faces, items, people
from data.text import plural, tokenize

LONGEST_NAME = 128


def list_people(store: Store) -> list[Person]:
    """Return all people that have a face, the named ones first, then those with most faces. Raises StoreError."""
    with store.reading() as connection:
        own: dict[int, list[StoredFace]] = {}
        for face in stored_faces(connection, faces.c.person_id.is_not(None)):
            own.setdefault(int(face.person_id or 0), []).append(face)
        rows = connection.execute(select(people).where(sound(people))).all()
    listed = [_person(row.id, row.name, row.hidden, own[row.id]) for row in rows if row.id in own]
    return sorted(listed, key=lambda one: (one.name is None, (one.name or "").casefold(), -one.faces, one.id))


def _person(number: int, name: str | None, hidden: bool, own: Sequence[StoredFace]) -> Person:
    cover = max(own, key=lambda face: (face.confidence > 0.99, face.box.area))
    return Person(number, name, hidden, len(own), len({face.picture_id for face in own}), cover.id)


def find_person(store: Store, said: str) -> Person:
    """Return one of the people by id or name. Raises StoreError where there is none."""
    for one in list_people(store):
        if said == str(one.id) or (one.name or "").casefold() == " ".join(said.split()).casefold() != "":
            return one
    raise StoreError(f"there is no person or group {said[:60]}; `retroflex faces list` shows those there are")


def faces_of_person(store: Store, person: int) -> list[StoredFace]:
    """Return the faces of a person, by id. Raises StoreError."""
    with store.reading() as connection:
        return stored_faces(connection, faces.c.person_id == person)


def named(store: Store) -> dict[int, str]:
    """Return the names of people by id, hidden ones left out. Raises StoreError."""
    query = select(people.c.id, people.c.name).where(people.c.name.is_not(None), ~people.c.hidden, sound(people))
    with store.reading() as connection:
        return dict(map(tuple, connection.execute(query)))


def shown_on(store: Store, persons: Collection[int]) -> set[int]:
    """Return the ids of the pictures, and of the frames of films, that show one of these people. Raises StoreError."""
    frame = items.alias("frame")
    at = (frame.c.parent_id == items.c.parent_id) & (frame.c.kind == FRAME) & (frame.c.seconds == items.c.seconds)
    query = select(func.coalesce(frame.c.id, items.c.parent_id)).select_from(items)
    query = query.join(faces, faces.c.item_id == items.c.id).outerjoin(frame, at)
    query = query.where(items.c.parent_id.is_not(None)).distinct()
    with store.reading() as connection:
        shown = (connection.scalars(query.where(faces.c.person_id.in_(piece))) for piece in chunks(persons))
        return set().union(*shown)


def name_person(store: Store, person: int, name: str) -> None:
    """Give a group a name; its faces stay with it from then on. Raises StoreError for a name that others have."""
    name = _clean(name)
    with store.writing() as connection:
        _known(connection, [person])
        other = _called(connection, name)
        if other not in (None, person):
            join = f"retroflex faces merge {other} {person}"
            raise StoreError(f"{name} is group {other} already; to join both: {join}")
        own = _face_ids(connection, [person])
        history.remember(connection, f"group {person} was named {name}", [person], own)
        connection.execute(update(people).where(people.c.id == person).values(name=name))
        _put(connection, own, person)


def merge_people(store: Store, persons: Sequence[int]) -> int:
    """Join groups into one and return its id: the first that has a name, or else the first.

    Names of the others are lost, which undo brings back. Raises StoreError for unknown ids.
    """
    chosen = list(dict.fromkeys(persons))
    with store.writing() as connection:
        names = _known(connection, chosen)
        with_name = [one for one in chosen if names[one]]
        if len(chosen) < 2:
            raise StoreError("give at least two different groups to merge")
        into = (with_name or chosen)[0]
        others = [one for one in chosen if one != into]
        own = _face_ids(connection, chosen)
        merged = ", ".join(map(str, others))
        history.remember(connection, f"{merged} merged into {names[into] or into}", chosen, own)
        _put(connection, own, into)
        connection.execute(delete(people).where(people.c.id.in_(others)))
    return into


def split_person(store: Store, person: int, face_ids: Collection[int]) -> int:
    """Take faces out of a group; they make a new one, whose id is returned. Raises StoreError if they are not in it."""
    with store.writing() as connection:
        names = _known(connection, [person])
        own = set(_face_ids(connection, [person]))
        wanted = sorted(set(face_ids))
        strangers = [one for one in wanted if one not in own]
        if strangers or not wanted:
            raise StoreError(
                f"face {strangers[0]} is not in group {person}" if strangers else "give the faces that make a new group"
            )
        if len(wanted) == len(own):
            raise StoreError(f"these are all the faces of group {person}; leave one in it")
        new = _new_person(connection)
        what = f"{plural(len(wanted), 'face')} split off {names[person] or person}"
        history.remember(connection, what, [person], own, made=[new])
        _put(connection, sorted(own - set(wanted)), person)  # decided too: whoever splits has looked at them
        _put(connection, wanted, new)
    return new


def say_who(store: Store, face_id: int, name: str) -> int:
    """Say whose face this is; return the person.

    A group without a name gets it, or joins the person of that name. A face without a group, or in one of another name,
    moves alone. Raises StoreError for an unknown face or a name without letters.
    """
    name = _clean(name)
    with store.writing() as connection:
        face = next(iter(stored_faces(connection, items.c.id == face_id)), None)
        if face is None:
            raise StoreError(f"no face has the id {face_id}")
        present = _known(connection, [face.person_id])[face.person_id] if face.person_id else None
        alone = face.person_id is None or (present is not None and present.casefold() != name.casefold())
        moved = [face_id] if alone else _face_ids(connection, [int(face.person_id or 0)])
        group = None if alone else face.person_id
        there = _called(connection, name)
        person = there or group or _new_person(connection)
        made = [person] if person not in (there, group) else []
        touched = [one for one in {person, group} - {None, *made} if one is not None]
        history.remember(connection, f"{plural(len(moved), 'face')} named {name}", touched, moved, made)
        if there is None:
            connection.execute(update(people).where(people.c.id == person).values(name=name))
        _put(connection, moved, person)
        if group not in (None, person):
            connection.execute(delete(people).where(people.c.id == group))
    return person


def hide_person(store: Store, person: int, hidden: bool) -> None:
    """Hide a group from the page and from searches by name, or show it again. Raises StoreError for an unknown id."""
    with store.writing() as connection:
        names = _known(connection, [person])
        own = _face_ids(connection, [person])
        who = names[person] or person
        history.remember(connection, f"{who} was hidden" if hidden else f"{who} was shown", [person], own)
        connection.execute(update(people).where(people.c.id == person).values(hidden=hidden))
        _put(connection, own, person)


def put_groups(store: Store, groups: Mapping[int, Sequence[int]], new: Sequence[Sequence[int]]) -> None:
    """Put faces that nobody decided about into groups: those of `groups` by id, and `new` ones, in one transaction.

    Faces that a person decided about stay where they are; all others leave their groups first, and groups without a
    face and a name are dropped. Raises StoreError.
    """
    with store.writing() as connection:
        connection.execute(update(faces).where(~faces.c.decided).values(person_id=None))
        there = set(connection.scalars(select(people.c.id)))
        placed = [(one, person) for person, members in groups.items() if person in there for one in members]
        for members in new:
            person = _new_person(connection)
            placed += [(one, person) for one in members]
        for number, person in placed:
            undecided = (faces.c.item_id == number) & ~faces.c.decided
            connection.execute(update(faces).where(undecided).values(person_id=person))
        used = select(faces.c.person_id).where(faces.c.person_id.is_not(None))
        connection.execute(delete(people).where(people.c.name.is_(None), people.c.id.not_in(used)))


def _clean(name: str) -> str:
    name = " ".join(name.encode(errors="replace").decode().split())
    if not tokenize(name) or len(name) > LONGEST_NAME:
        raise StoreError(f"a name needs letters, and {LONGEST_NAME} characters at most")
    return name


def _called(connection: Connection, name: str) -> int | None:
    """Return the person of this name in any case, None if there is none."""
    rows = connection.execute(select(people.c.id, people.c.name).where(people.c.name.is_not(None)))
    return next((number for number, taken in rows if taken.casefold() == name.casefold()), None)


def _new_person(connection: Connection) -> int:
    return int(connection.execute(insert(people).values(hidden=False).returning(people.c.id)).scalar_one())


def _known(connection: Connection, persons: Sequence[int]) -> dict[int, str | None]:
    """Return the names of these people by id. Raises StoreError for an unknown id."""
    query = select(people.c.id, people.c.name).where(people.c.id.in_(persons))
    names = dict(map(tuple, connection.execute(query)))
    for person in persons:
        if person not in names:
            raise StoreError(f"there is no group of faces {person}; `retroflex faces list` shows those there are")
    return names


def _face_ids(connection: Connection, persons: Sequence[int]) -> list[int]:
    query = select(faces.c.item_id).where(faces.c.person_id.in_(persons)).order_by(faces.c.item_id)
    return list(connection.scalars(query))


def _put(connection: Connection, face_ids: Sequence[int], person: int) -> None:
    for piece in chunks(face_ids):
        placed = update(faces).where(faces.c.item_id.in_(piece))
        connection.execute(placed.values(person_id=person, decided=True))
