"""`retroflex faces`: the people of a library."""

from __future__ import annotations

from pathlib import Path

import click

from data.faces.forget import forget_faces
from data.faces.history import undo
from data.faces.people import (
    faces_of_person,
    find_person,
    hide_person,
    list_people,
    merge_people,
    name_person,
    split_person,
)
from data.films.records import clock
from data.settings import load_settings
from data.text import plural
from retrieval.commands.options import json_option, library_option, print_json
from retrieval.faces.search import rounded
from retrieval.library import Library


@click.group()
def faces() -> None:
    """The people of a library: groups of faces, made by `retroflex index --faces`."""


def _opened(library: Path | None) -> Library:
    return Library.open(load_settings(library=library))


@faces.command("list")
@library_option
@click.option("--hidden", is_flag=True, help="Also those that are hidden.")
@json_option
def list_faces(library: Path | None, hidden: bool, as_json: bool) -> None:
    """List people and groups: number, name, faces and pictures."""
    opened = _opened(library)
    opened.faces.check()
    shown = [one for one in list_people(opened.store) if hidden or not one.hidden]
    if as_json:
        print_json({"people": [one._asdict() for one in shown]})
        return
    for one in shown:
        counts = f"{plural(one.faces, 'face')} in {plural(one.pictures, 'picture')}"
        click.echo(f"{one.id:>6}  {one.name or '-'}  {counts}{'  (hidden)' if one.hidden else ''}")
    if not shown:
        click.echo("no face is like another one yet; a search by a face needs no group: retroflex similar --face")


@faces.command("show")
@click.argument("person")
@library_option
@json_option
def show_person(person: str, library: Path | None, as_json: bool) -> None:
    """List the faces of PERSON, a number or a name, with their pictures."""
    opened = _opened(library)
    one = find_person(opened.store, person)
    own = faces_of_person(opened.store, one.id)
    pictures = opened.store.pictures([face.picture_id for face in own])
    rows = [
        (face, next(iter(pictures[face.picture_id].shown_paths), "")) for face in own if face.picture_id in pictures
    ]
    if as_json:
        listed = [
            {"id": face.id, "picture": face.picture_id, "path": path, "time": face.seconds, "box": rounded(face.box)}
            for face, path in rows
        ]
        print_json(one._asdict() | {"listed": listed})
        return
    for face, path in rows:
        click.echo(f"{face.id:>6}  {path}{'' if face.seconds is None else f' at {clock(face.seconds)}'}")


@faces.command("name")
@click.argument("person")
@click.argument("name")
@library_option
def name_faces(person: str, name: str, library: Path | None) -> None:
    """Call PERSON, a number or a name, NAME; its faces stay with it, and new ones like them join."""
    opened = _opened(library)
    one = find_person(opened.store, person)
    name_person(opened.store, one.id, name)
    click.echo(f"{one.called} is now {' '.join(name.split())}: {plural(one.faces, 'face')}")


@faces.command("merge")
@click.argument("people", nargs=-1, required=True)
@library_option
def merge_faces(people: tuple[str, ...], library: Path | None) -> None:
    """Join PEOPLE, numbers or names, into one: the first of them that has a name."""
    opened = _opened(library)
    into = merge_people(opened.store, [find_person(opened.store, one).id for one in people])
    one = find_person(opened.store, str(into))
    click.echo(f"{one.called} has {plural(one.faces, 'face')} now")


@faces.command("split")
@click.argument("person")
@click.argument("faces_", metavar="FACES...", nargs=-1, required=True, type=int)
@library_option
def split_faces(person: str, faces_: tuple[int, ...], library: Path | None) -> None:
    """Take FACES, numbers of `retroflex faces show`, out of PERSON; they make a new group."""
    opened = _opened(library)
    new = split_person(opened.store, find_person(opened.store, person).id, faces_)
    click.echo(f"group {new} has {plural(len(set(faces_)), 'face')}")


@faces.command("hide")
@click.argument("person")
@click.option("--show", "shown", is_flag=True, help="Show it again.")
@library_option
def hide_faces(person: str, shown: bool, library: Path | None) -> None:
    """Hide PERSON from lists and from searches by name."""
    opened = _opened(library)
    one = find_person(opened.store, person)
    hide_person(opened.store, one.id, not shown)
    click.echo(f"{one.called} is {'shown' if shown else 'hidden'}")


@faces.command("undo")
@library_option
def undo_faces(library: Path | None) -> None:
    """Undo the last change of people; again for the one before."""
    done = undo(_opened(library).store)
    click.echo(f"undone: {done}" if done else "there is nothing to undo")


@faces.command("forget")
@click.option("--yes", is_flag=True, help="Do not ask.")
@library_option
def forget(yes: bool, library: Path | None) -> None:
    """Delete all faces, vectors of faces, groups, names and decisions about them, for ever; pictures stay."""
    opened = _opened(library)
    if not yes:
        click.confirm("Delete all faces, groups and names for ever?", abort=True, err=True)
    found, people = forget_faces(opened.store)
    click.echo(
        f"forgotten: {plural(found, 'face')} with their vectors, {plural(people, 'group')} with names and decisions; "
        "the database file was written anew; copies that you made of the library yourself still have them"
    )
