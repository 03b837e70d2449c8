"""What pictures are called, as words to compare: the same for the index, for queries and for what a hit tells."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from data.limits import FORMATS
from data.paths import clean_text
from data.records import PictureText
from data.roots import lies_in
from data.text import FUNCTION_WORDS, fold, tokenize, without_accents

GENERIC = frozenset(
    tokenize(
        "dcim img imgp dsc dscn dscf dsci pict pxl mvimg vid camera kamera roll picture photo foto fotos bild bilder "
        "untitled unbenannt misc various file files folder ordner neuer new neu my copy kopie edited export exports "
        "originals masters album albums library documents desktop users home root jpg jpeg png gif bmp tif tiff webp "
        "heic heif avif hif jpe jfif"
    )
)
"""Words of names and folders that cameras and systems give, which say nothing of a picture."""
_CAMERA_FOLDER = re.compile(r"\d{3}[a-z_]{3,5}")
_JOINED = re.compile(r"([^\W\d_]{2,})(\d{2,})|(\d{2,})([^\W\d_]{2,})")
_CAPITAL = re.compile(r"(?<=[^\W\d_A-ZÀ-Þ])(?=[A-ZÀ-Þ])")
_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_SUFFIX = re.compile(
    r"\.(jpe?g|jpe|jfif|png|apng|webp|gif|bmp|dib|tiff?|hei[cf]s?|hif|avifs?|mpo|jp[2fx]|jpc|j2[ck])$", re.IGNORECASE
)
_HIERARCHY = re.compile(r"[|/\\]")

NAME, FOLDER, KEYWORD = "name", "folder", "keyword"


def plain(text: str) -> str:
    """Return `text` in lower case without accents."""
    return without_accents(text.lower())


def key(text: str) -> str:
    """Return the letters and digits of `text` alone: "IMG_2682" and "img 2682" have the same key."""
    return "".join(tokenize(plain(text))).replace("'", "")


def stem_of(name: str) -> tuple[str, str]:
    """Split the name of a picture file: its stem, and its suffix in lower case without the dot, "" for none."""
    found = _SUFFIX.search(name)
    return (name[: found.start()], found[1].lower()) if found else (name, "")


def words_of(text: str) -> list[str]:
    """Return the stems of the words of `text` that can be found, in order, without accents.

    Words that stand together are also read apart: "beach2019" and "MyHoliday". Chinese, Japanese and Korean are read
    in pairs of characters. What is not telling is left out, see `is_telling`.
    """
    joined = tokenize(plain(text))
    apart = tokenize(plain(_CAPITAL.sub(" ", text))) if _CAPITAL.search(text) else []
    words = [part for word in (*joined, *apart) for part in (word, *_parts(word))]
    return [fold(word) if word.isalpha() else word for word in dict.fromkeys(words) if is_telling(word)]


def _parts(word: str) -> Sequence[str]:
    if _CJK.search(word):
        return [word[at : at + 2] for at in range(len(word) - 1)]
    found = _JOINED.fullmatch(word)
    return [part for part in found.groups() if part] if found else ()


def is_telling(word: str) -> bool:
    """Return whether a word, in lower case, can name a picture.

    One letter cannot, nor one or two digits, which count things in queries and files in folders, nor a function word.
    """
    long_enough = len(word) > (2 if word.isdigit() else 1) or bool(_CJK.match(word))
    return long_enough and word not in FUNCTION_WORDS


def is_generic(word: str) -> bool:
    """Return whether cameras and systems give this word to files and folders."""
    return word in GENERIC or bool(_CAMERA_FOLDER.fullmatch(word))


def texts_of(paths: Sequence[bytes], metadata: Sequence[PictureText], roots: Sequence[bytes]) -> list[PictureText]:
    """Return all texts by which a picture can be found: names, folders below `roots`, and those in its file."""
    names = [PictureText(NAME, clean_text(os.path.basename(path))) for path in paths]
    folders = [PictureText(FOLDER, name) for path in paths for name in _folders(path.rpartition(b"/")[0], roots)]
    return [*dict.fromkeys(names), *dict.fromkeys(folders), *metadata]


def _folders(folder: bytes, roots: Sequence[bytes]) -> list[str]:
    """Return the names of a folder and those above it, below the uppermost root; none outside all roots."""
    tops = [root for root in roots if lies_in(folder, root)]
    if not tops:
        return []
    below = folder[len(min(tops, key=len)) :]
    return [clean_text(name) for name in below.split(b"/") if name]


def found_words(text: PictureText) -> frozenset[str]:
    """Return the words by which a text is found; generic ones of names and folders are left out."""
    field, content = text
    if field == NAME:
        content = stem_of(content)[0]
    return _known_words(content, field in (NAME, FOLDER))


@lru_cache(2**14)
def _known_words(content: str, own: bool) -> frozenset[str]:
    words = words_of(content)
    if own and _CAMERA_FOLDER.fullmatch(plain(content)):
        return frozenset()
    return frozenset(words).difference(_GENERIC_STEMS if own else ())


_GENERIC_STEMS = frozenset(map(fold, GENERIC | {one.lower() for one in FORMATS}))


def terms_of(texts: Sequence[PictureText]) -> Iterator[str]:
    """Yield the terms by which the index finds a picture, some of them several times.

    Beside words there are whole texts, for exact matches: "=" and the key of a text, "=beach.jpg" for a file's name.
    """
    for text in texts:
        yield from found_words(text)
        yield from whole_terms(text)


def whole_terms(text: PictureText) -> list[str]:
    """Return the terms that stand for a text as a whole."""
    field, content = text
    if field == NAME:
        stem, suffix = stem_of(content)
        return [f"={key(stem)}", f"={key(stem)}.{suffix}"]
    parts = _HIERARCHY.split(content) if field == KEYWORD else [content]
    if field == FOLDER and not found_words(text):
        return []
    return [f"={one}" for one in map(key, parts) if len(one) > 1]
