"""What kind of file a name promises, and whether a file's first bytes are those of a picture."""

from __future__ import annotations

import mimetypes
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from data import png
from data.films.kinds import begins_like_film
from data.jpeg2000 import CODESTREAM
from data.loading import SUFFIXES
from data.paths import clean_text

HEAD = 32
"""Bytes that `begins_like_picture` reads."""


def _suffixes(text: str) -> frozenset[str]:
    return frozenset(text.split())


RAW = _suffixes(
    ".3fr .arw .bay .cap .cr2 .cr3 .crw .dcr .dcs .dng .drf .eip .erf .fff .gpr .iiq .k25 .kdc .mdc .mef .mos .mrw "
    ".nef .nrw .orf .ori .pef .ptx .pxn .r3d .raf .raw .rw2 .rwl .rwz .sr2 .srf .srw .x3f"
)
"""Raw files of cameras. Many begin like TIFF, which holds a small preview only."""

OTHER = _suffixes(
    ".md .rst .log .yml .yaml .toml .cfg .conf .ini .sql .go .rs .java .kt .ts .tsx .jsx .php .rb .pl .sh .cpp .hpp "
    ".cc .cs .swift .lua .r .ipynb .lock .map .scss .less .vue .tex .bib .epub .mobi .docx .xlsx .pptx .odt .ods "
    ".odp .pages .numbers .key .gz .bz2 .xz .zst .7z .rar .tgz .iso .dmg .apk .jar .deb .rpm .msi .torrent "
    ".mkv .mts .m2ts .m4v .wmv .flv .vob .3gp .insv .lrv .flac .ogg .oga .opus .m4a .aac .wma .mid "
    ".psd .psb .ai .indd .xcf .kra .afphoto .clip .blend .lrcat .lrtemplate .cos .cof .dwg .stl .obj .ttf .otf "
    ".woff .woff2 .sqlite .sqlite3 .db .mdb .sqlite3-wal .sqlite3-shm .parquet .npy .npz .h5 .pkl .safetensors .pt "
    ".onnx .pyi .pyd .whl .part .partial .crdownload .download .opdownload .tmp .swp"
)
"""Suffixes that Python's own table of types lacks."""

NOT_PICTURES = (frozenset(mimetypes.MimeTypes(filenames=()).types_map[True]) - SUFFIXES) | RAW | OTHER
"""Suffixes that are known to be something else; such files are never opened."""

SIDECARS = _suffixes(".xmp .aae .thm .pp3 .dop .cos .nksc .on1 .ctg .bridgesort .bridgelabels")
SYSTEM_FILES = frozenset(
    {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "zbthumbnail.info", "icon\r"}
)

LONGEST_SUFFIX = 12
SHOWN_SUFFIXES = 8
NO_SUFFIX = ""

_MAGIC = (b"\xff\xd8\xff", png.SIGNATURE, b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG_2000 = (CODESTREAM, b"\0\0\0\x0cjP  \r\n\x87\n")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"})
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Bytes of the second header of a BMP file."""


def suffix(name: str) -> str:
    """Return the suffix of a file name, as written but clean text; "" where what follows the last dot is no suffix."""
    end = clean_text(os.fsencode(os.path.splitext(name)[1]))
    return end if 1 < len(end) <= LONGEST_SUFFIX and " " not in end and not end[1:].isdecimal() else NO_SUFFIX


def is_incidental(name: str) -> bool:
    """Return whether a file only goes with others, as sidecars do, or is the system's own; nobody misses it."""
    stem, end = os.path.splitext(name.casefold())
    of_picture = end == ".json" and any(f"{one}." in f"{stem}." for one in SUFFIXES)  # IMG_1.jpg.json
    return name.casefold() in SYSTEM_FILES or end in SIDECARS or of_picture


def begins_like_picture(path: Path) -> bool:
    """Return whether a regular file begins like a picture of `data.limits.FORMATS`; False if it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return _is_picture(file.read(HEAD))
    except OSError:
        return False


def begins_like_picture_or_film(path: Path) -> bool:
    """Return whether a regular file begins like a picture or film that is read; False if it cannot be read."""
    return begins_like_picture(path) or begins_like_film(path)


def _is_picture(head: bytes) -> bool:
    if head.startswith((*_MAGIC, *_JPEG_2000)) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    if head[:2] == b"BM":  # as a text may begin, so more of it is checked
        return head[6:10] == b"\0\0\0\0" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    brands = {head[start : start + 4] for start in (8, 16, 20, 24, 28)}
    return head[4:8] == b"ftyp" and bool(brands & _HEIF_BRANDS)


def counted(suffixes: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of files by suffix, most first; .MOV and .mov count together, as most files spell it."""
    totals: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for one, count in sorted(suffixes.items(), key=lambda item: (-item[1], item[0])):
        totals[spelled.setdefault(one.casefold(), one)] += count
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def passed_over_text(suffixes: Mapping[str, int]) -> str:
    """Return "12 .CR3, 3 .MOV, 2 without suffix" for numbers of files by suffix; "" if there are none."""
    counts = list(counted(suffixes).items())
    texts = [f"{count:,} {one or 'without suffix'}" for one, count in counts[:SHOWN_SUFFIXES]]
    others = sum(count for _, count in counts[SHOWN_SUFFIXES:])
    return ", ".join([*texts, f"{others:,} others"] if others else texts)
