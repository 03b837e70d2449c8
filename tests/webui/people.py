"""Pictures of drawn people in a library of the page's tests, with their faces found and grouped."""

from __future__ import annotations

from pathlib import Path

from retrieval.faces.grouping import group_faces
from retrieval.library import Library
from tests.drawn_faces import draw_people, find_drawn
from tests.webui.conftest import add

DRAWN = {
    "one": {"anna": (20, 20, 60, 60)},
    "two": {"anna": (10, 10, 30, 30), "ben": (40, 10, 80, 50)},
    "three": {"ben": (30, 30, 50, 50)},
}


def add_people(library: Library, folder: Path) -> dict[str, int]:
    """Add the drawn pictures and find their faces; return their ids by name."""
    ids = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, boxes in DRAWN.items():
        path = draw_people(folder / f"{name}.png", boxes)
        add(library, path, path.read_bytes())
        status = library.store.searched_ids()[1]
        ids[name] = int(status[-1])
    find_drawn(library.store)
    group_faces(library.store)
    return ids
