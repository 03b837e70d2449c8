"""`retroflex albums`: albums of picked pictures, and saved searches."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.albums import albums as changes
from data.albums.albums import Album, find_album, list_albums
from data.albums.favourites import pictures_below, set_favourites
from data.albums.history import undo
from data.errors import RetroflexError
from data.paths import absolute, clean_text, to_bytes
from data.settings import load_settings
from data.store import StoredPicture
from data.text import plural
from retrieval.commands.options import json_option, library_option, print_json
from retrieval.library import Library

if TYPE_CHECKING:
    from captioner.types import Describer

AT_ONCE = 1000
paths_option = click.option("--paths", is_flag=True, help="Print the paths and nothing else, one a line.")
print0_option = click.option("--print0", is_flag=True, help="As --paths, but end each path by a NUL, for xargs -0.")


@click.group()
def albums() -> None:
    """Albums: pictures that you pick, in your order, and searches that you save."""


def _opened(library: Path | None) -> Library:
    return Library.open(load_settings(library=library))


@albums.command("list")
@library_option
@json_option
def list_all(library: Path | None, as_json: bool) -> None:
    """List the albums: number, name and pictures, or the search that is saved."""
    listed = list_albums(_opened(library).store)
    if as_json:
        print_json({"albums": [_told(one) for one in listed]})
        return
    for one in listed:
        holds = plural(len(one.pictures), "picture") if one.query is None else f"search: {one.query}"
        click.echo(f"{one.id:>6}  {one.name}  {holds}")
    if not listed:
        click.echo("there are no albums yet; make one: retroflex albums new NAME FILE...")


def _told(one: Album) -> dict[str, Any]:
    holds = len(one.pictures) if one.query is None else None
    return {"id": one.id, "name": one.name, "query": one.query, "pictures": holds, "cover": one.cover}


@albums.command("show")
@click.argument("album")
@paths_option
@print0_option
@library_option
@json_option
def show(album: str, paths: bool, print0: bool, library: Path | None, as_json: bool) -> None:
    """Show the pictures of ALBUM, a name or a number, in its order; of a saved search what it finds now."""
    if as_json and (paths or print0):
        raise click.UsageError("--json and --paths exclude each other; give one of them")
    opened = _opened(library)
    one = find_album(opened.store, album)
    ids = one.pictures if one.query is None else _found(opened, one.query)
    pictures = [
        picture
        for start in range(0, len(ids), AT_ONCE)
        for picture in opened.store.pictures(ids[start : start + AT_ONCE]).values()
    ]
    if as_json:
        listed = [{"id": picture.id, "paths": picture.shown_paths} for picture in pictures]
        print_json(_told(one) | {"pictures": len(pictures), "listed": listed})
    elif paths or print0:
        end = b"\0" if print0 else b"\n"
        sys.stdout.buffer.write(b"".join(path + end for picture in pictures for path in picture.paths[:1]))
        sys.stdout.buffer.flush()
    else:
        _print(one, pictures)


def _print(one: Album, pictures: Sequence[StoredPicture]) -> None:
    click.echo(f"{one.name}: {plural(len(pictures), 'picture')}")
    for picture in pictures:
        click.echo(f"{picture.id:>6}  {next(iter(picture.shown_paths), '')}")
        click.echo(f"        {next(iter(picture.texts), '')}")


@albums.command("new")
@click.argument("name")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--search", metavar="QUERY", help="Save a search, as in the page's address: 'q=dog&favourite=yes'.")
@library_option
def new(name: str, files: tuple[Path, ...], search: str | None, library: Path | None) -> None:
    """Make the album NAME of FILES, in this order, or of a search."""
    if search is not None and files:
        raise click.UsageError("an album has files or a search; leave one of them out")
    opened = _opened(library)
    query = None if search is None else _checked(opened, search)
    number = changes.make_album(opened.store, name, _ids(opened, files), query)
    one = find_album(opened.store, number)
    click.echo(f"made the album {one.name}: {query or plural(len(one.pictures), 'picture')}")


@albums.command("add")
@click.argument("album")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@library_option
def add(album: str, files: tuple[Path, ...], library: Path | None) -> None:
    """Add FILES of the library, or all in a folder, at the end of ALBUM, a name or a number."""
    opened = _opened(library)
    one = find_album(opened.store, album)
    added = changes.add_pictures(opened.store, one.id, _ids(opened, files))
    click.echo(f"{plural(len(added), 'picture')} added to {one.name}")


@albums.command("remove")
@click.argument("album")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@library_option
def remove(album: str, files: tuple[Path, ...], library: Path | None) -> None:
    """Take FILES, or all in a folder, out of ALBUM; they stay in the library."""
    opened = _opened(library)
    one = find_album(opened.store, album)
    gone = changes.remove_pictures(opened.store, one.id, _ids(opened, files))
    click.echo(f"{plural(len(gone), 'picture')} taken out of {one.name}; `retroflex albums undo` puts them back")


@albums.command("rename")
@click.argument("album")
@click.argument("name")
@library_option
def rename(album: str, name: str, library: Path | None) -> None:
    """Call ALBUM, a name or a number, NAME."""
    opened = _opened(library)
    one = find_album(opened.store, album)
    changes.change_album(opened.store, one.id, name)
    click.echo(f"{one.name} is now {find_album(opened.store, one.id).name}")


@albums.command("delete")
@click.argument("album")
@library_option
def delete(album: str, library: Path | None) -> None:
    """Delete ALBUM, a name or a number; its pictures stay in the library."""
    opened = _opened(library)
    one = find_album(opened.store, album)
    changes.delete_album(opened.store, one.id)
    click.echo(f"deleted the album {one.name}; `retroflex albums undo` brings it back")


@albums.command("undo")
@library_option
def undo_last(library: Path | None) -> None:
    """Undo the last change of albums; again for the one before."""
    done = undo(_opened(library).store)
    click.echo(f"undone: {done}" if done else "there is nothing to undo")


@albums.command("favourite")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--remove", is_flag=True, help="They are no favourites any more.")
@library_option
def favourite(files: tuple[Path, ...], remove: bool, library: Path | None) -> None:
    """Make FILES, or all in a folder, favourites; `retroflex search --favourite yes` searches them."""
    opened = _opened(library)
    changed = set_favourites(opened.store, _ids(opened, files), not remove)
    click.echo(f"{plural(len(changed), 'picture')} {'no longer' if remove else 'now'} among the favourites")


def _ids(library: Library, files: Sequence[Path]) -> list[int]:
    """Return the ids of the pictures at these paths and in these folders. Raises RetroflexError for one without."""
    ids: list[int] = []
    for file in files:
        found = pictures_below(library.store, to_bytes(absolute(file)))
        if not found:
            where = clean_text(to_bytes(file))
            raise RetroflexError(f"{where} is no picture of the library, nor a folder with some; index it first")
        ids.extend(found)
    return ids


@contextmanager
def _page(library: Library) -> Iterator[None]:
    """Run the block as if in a request of the page, which reads saved searches."""
    from webui.app import create_app

    def no_captioner() -> Describer:
        raise RetroflexError("this saved search needs the captioner; open it on the page")

    with create_app(library, no_captioner).test_request_context():
        yield


def _found(library: Library, query: str) -> Sequence[int]:
    """Return the ids of what a saved search finds, as the page shows it."""
    with _page(library):
        from webui.api.albums import found_ids

        return found_ids(query)


def _checked(library: Library, query: str) -> str:
    with _page(library):
        from webui.api.albums import checked_query

        return checked_query(query)
