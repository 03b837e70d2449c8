"""Which folders hold what machines made: thumbnails, previews, trash and snapshots, not a person's pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase

from data.text import plural

TAKE = "!"
"""An exclude pattern that begins with this takes what it matches although machines made it, as in .gitignore."""

_SINGLE_WORDS = (
    "@eadir @recycle @recently-snapshot @sharebin @tmp #recycle #snapshot ~snapshot .@__thumb @__thumb "
    "$recycle.bin recycler recycled .trash .trashes .dtrash .snapshot .snapshots .zfs .stversions .stfolder "
    ".spotlight-v100 .fseventsd .documentrevisions-v100 .temporaryitems .appledouble __macosx lost+found "
    ".thumbnails .thumbs .cache"
)
ALWAYS = {*_SINGLE_WORDS.split(), "system volume information", "network trash folder", "temporary items"}
"""Names of folders of servers, systems and file managers, in lower case."""

PATTERNS = (".trash-*", "*.lrdata", "*.lrcat-data", "appdata_*")
"""The trash of Linux, the previews of Lightroom, and the data of Nextcloud and ownCloud's apps."""

LIBRARIES = ("*.photoslibrary", "*.photolibrary", "*.migratedphotolibrary", "*.aplibrary", "iphoto library")
"""Apple's libraries, folders that hold far more than the pictures."""
ORIGINALS = frozenset({"originals", "masters"})
MODIFIED = frozenset({"modified"})
"""Where iPhoto keeps what people edited."""

BESIDE = {
    "thumbnails": (ORIGINALS, frozenset({"files"})),  # of iPhoto; of ownCloud
    "thumbs": (frozenset({"upload"}),),  # of Immich, as the next
    "encoded-video": (frozenset({"upload"}),),
    "files_trashbin": (frozenset({"files"}),),  # of Nextcloud, as the next
    "files_versions": (frozenset({"files"}),),
    "sidecar": (frozenset({"originals", "cache", "config", "import"}),),  # of PhotoPrism
}
"""Folders that are a machine's only beside one of others, by name: a person's folder may have the same name."""

SHOWN_NAMES = 6

WITHIN = {"sidecar": ("*photoprism*", "storage"), "cache": ("captureone", "*photoprism*")}
"""Folders that are a machine's only within a folder of such a name."""


def is_machine_made(name: str, parent: str, beside: Callable[[], Collection[str]]) -> bool:
    """Return whether the folder `name` in the folder `parent` holds what a machine made; letter case does not count.

    `beside` returns the names in `parent`; it is called for few names only.
    """
    name, parent = name.casefold(), parent.casefold()
    if name in ALWAYS or _matches(name, PATTERNS):
        return True
    if _matches(parent, LIBRARIES):
        return name not in ORIGINALS | MODIFIED
    if _matches(parent, WITHIN.get(name, ())):
        return True
    return name in BESIDE and any(one & {other.casefold() for other in beside()} for one in BESIDE[name])


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def left_out_text(folders: Mapping[str, int]) -> str:
    """Return "3 folders of machine-made files (@eaDir, #recycle)" for numbers of folders by name; "" without any."""
    total = sum(folders.values())
    names = sorted(folders, key=lambda name: (-folders[name], name))
    listed = ", ".join(names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else "")
    return f"{plural(total, 'folder')} of machine-made files ({listed})" if total else ""
