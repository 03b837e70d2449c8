"""What a picture file says of itself: when and where it was taken, and its words in EXIF, XMP, IPTC and PNG data."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from PIL import ExifTags, Image

from data import jpeg2000, png
from data.metadata import dates
from data.metadata.iptc import read_iptc
from data.metadata.positions import exif_position
from data.metadata.xmp import MOST_BYTES, read_xmp
from data.records import PictureText, Position

LONGEST = 2000
"""Characters of one text; what is longer is a document or data."""
MOST_TEXTS = 500
_BASE = ExifTags.Base
_GPS_BLOCK = ExifTags.IFD.GPSInfo
_WINDOWS = {_BASE.XPTitle: "title", _BASE.XPSubject: "title", _BASE.XPComment: "description"}
_BOILERPLATE = re.compile(
    r"(olympus|konica|minolta|konica minolta|samsung|sony|vivitar|polaroid|pentax|kodak|casio|jenoptik|medion)?"
    r"\s*(digital (still )?camera|camera pictures)"
    r"|sony dsc|dsc|img|image|picture|photo|default|untitled|unknown|none|null|n/?a|ascii|unicode|binary comment"
    r"|exif[ _]jpeg[ _]picture|jpeg|jfif|cof|dav|hdr|sdr|rhdr|oznor\w*|ptr|mde|bty|edf|fbt|nor|pt|tps|rpt|hdrpl|burst"
    r"|(created|made|processed|edited|generated|optimized|compressed) with .*|creator: .*|lead technologies.*"
    r"|(file written by|software:|maker:|charset=).*|applemark.*|minolta|digimax.*|dcim[\\/].*|.*\.jpe?g"
    r"|\W*|[\d\W]*|(?=.*\d)[0-9a-f-]{16,}|<.*>|\{.*\}",
    re.IGNORECASE | re.DOTALL,
)
"""What cameras and programs write where a description belongs."""
_PNG_TEXTS = {"Title": "title", "Description": "description"}
_PNG_DATES = ("Creation Time", "exif:DateTimeOriginal")
_XMP_KEYWORD = "XML:com.adobe.xmp"


class Metadata(NamedTuple):
    """The date taken and its source, a key of `dates.SOURCES`, both None if the file does not tell; texts in order.

    `position` is where it was taken, None if the file does not tell, or tells what cannot be.
    """

    taken_at: datetime | None = None
    taken_from: str | None = None
    texts: tuple[PictureText, ...] = ()
    position: Position | None = None

    def to_json(self) -> list[Any]:
        """Return plain values for JSON."""
        taken_at = self.taken_at.isoformat() if self.taken_at else None
        return [taken_at, self.taken_from, self.texts, self.position]

    @classmethod
    def from_json(cls, document: list[Any]) -> Metadata:
        """Return the metadata that `to_json` wrote. Raises ValueError or TypeError if it did not."""
        taken_at, taken_from, texts, position = document
        date = datetime.fromisoformat(taken_at) if taken_at else None
        return cls(date, taken_from, tuple(PictureText(*text) for text in texts), position and Position(*position))


def read_metadata(image: Image.Image, content: bytes, now: datetime) -> Metadata:
    """Return what the picture file `content`, opened as `image`, says of itself; what cannot be read is left out."""
    chunks = dict(_png_chunks(content)) if content.startswith(png.SIGNATURE) else {}
    written = _png_texts(chunks)
    exif = _exif_entries(image, chunks)
    packet = written.get(_XMP_KEYWORD, "").encode() or image.info.get("xmp") or _box_xmp(image, content)
    xmp = read_xmp(packet if isinstance(packet, bytes) else str(packet).encode())
    iptc_dates, iptc_texts = _guarded_iptc(image)
    candidates: dict[str, Iterable[Any]] = {
        "original": [exif.get(_BASE.DateTimeOriginal)],
        "digitized": [exif.get(_BASE.DateTimeDigitized)],
        "xmp": xmp.dates,
        "iptc": iptc_dates,
        "changed": [exif.get(_BASE.DateTime)],
        "png": [*map(written.get, _PNG_DATES), _png_time(chunks.get(b"tIME", []))],
    }
    taken_from, taken_at = _first_date(candidates, now)
    png_texts = [PictureText(field, written[name]) for name, field in _PNG_TEXTS.items() if name in written]
    texts = cleaned([*xmp.texts, *iptc_texts, *_exif_texts(exif), *png_texts])
    return Metadata(taken_at, taken_from, texts, exif_position(exif.get(_GPS_BLOCK)) or xmp.position)


def _box_xmp(image: Image.Image, content: bytes) -> bytes:
    """Return the XMP packet of a JPEG 2000, whose boxes Pillow does not read; empty for other files."""
    return jpeg2000.xmp(content) if image.format == "JPEG2000" else b""


def exif_date(image: Image.Image, now: datetime) -> datetime | None:
    """Return the date of the EXIF block alone, None where it has none that can be believed."""
    exif = _exif_entries(image, {})
    tags = {"original": _BASE.DateTimeOriginal, "digitized": _BASE.DateTimeDigitized, "changed": _BASE.DateTime}
    source, moment = _first_date({source: [exif.get(tag)] for source, tag in tags.items()}, now)
    return None if source in dates.PARTIAL else moment


def _first_date(candidates: Mapping[str, Iterable[Any]], now: datetime) -> tuple[str, datetime] | tuple[None, None]:
    """Return the first source that tells a day and its moment, else the best that tells a month or a year."""
    parts = []
    for source, values in candidates.items():
        for value in values:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if not isinstance(text, str):
                continue
            if moment := dates.read_date(text, now):
                return source, moment
            parts.append(dates.read_part(text, now))
    return dates.best_part(parts) or (None, None)


def _exif_entries(image: Image.Image, chunks: Mapping[bytes, list[bytes]]) -> dict[int, Any]:
    try:
        if not chunks:
            exif = image.getexif()
        else:  # Pillow decodes the pixels of a PNG first, to see whether the block follows them
            exif = Image.Exif()
            exif.load(b"".join(chunks.get(b"eXIf", [])[:1]))
        entries = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception:  # EXIF blocks are free-form and often broken; such a picture has no entries.
        return {}
    try:
        return {**entries, _GPS_BLOCK: exif.get_ifd(_GPS_BLOCK)}
    except Exception:  # A broken block of positions leaves the rest of use.
        return {**entries, _GPS_BLOCK: None}


def _guarded_iptc(image: Image.Image) -> tuple[list[str], list[PictureText]]:
    try:
        return read_iptc(image)
    except Exception:  # TIFF directories are read on access, and may be broken like EXIF blocks.
        return [], []


def _exif_texts(exif: Mapping[int, Any]) -> Iterator[PictureText]:
    for tag in (_BASE.ImageDescription, _BASE.UserComment):
        if text := _exif_text(exif.get(tag)):
            yield PictureText("description", text)
    for tag, field in _WINDOWS.items():
        yield PictureText(field, _windows_text(exif.get(tag)))
    for keyword in _windows_text(exif.get(_BASE.XPKeywords)).split(";"):
        yield PictureText("keyword", keyword)


def _exif_text(value: Any) -> str:
    """Return a description, or a comment behind the eight bytes that name its character set."""
    if not isinstance(value, bytes):
        return value if isinstance(value, str) else ""
    charset, text = value[:8], value[8:]
    if charset == b"UNICODE\x00":
        little = text[:2] == b"\xff\xfe" or (text[:2] != b"\xfe\xff" and text[1:2] == b"\x00")
        return text.decode("utf-16-le" if little else "utf-16-be", "replace").lstrip("\ufeff")
    if charset in (b"ASCII\x00\x00\x00", bytes(8)):
        return text.decode("utf-8", "replace")
    return value.decode("utf-8", "replace")


def _windows_text(value: Any) -> str:
    if isinstance(value, tuple) and all(type(one) is int and 0 <= one < 256 for one in value):
        value = bytes(value)
    return value.decode("utf-16-le", "replace") if isinstance(value, bytes) else ""


def cleaned(texts: Iterable[PictureText]) -> tuple[PictureText, ...]:
    """Return the texts as one line each, each once, without what no person wrote."""
    kept: dict[PictureText, None] = {}
    for field, text in texts:
        line = "".join(letter if letter.isprintable() else " " for letter in text.replace("\x00", " "))
        line = " ".join(line.split())[:LONGEST]
        if line and not (field == "description" and _BOILERPLATE.fullmatch(line)):
            kept[PictureText(field, line)] = None
    return tuple(kept)[:MOST_TEXTS]


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield the chunks of each type that hold metadata, wherever they are in the file."""
    found: dict[bytes, list[bytes]] = {b"IHDR": []}
    for kind, begin, end in png.chunks(content):
        if kind in (b"tIME", b"eXIf", b"tEXt", b"zTXt", b"iTXt") and end - begin <= MOST_BYTES:
            found.setdefault(kind, []).append(content[begin:end])
    yield from found.items()


def _png_texts(chunks: Mapping[bytes, list[bytes]]) -> dict[str, str]:
    """Return the texts of a PNG file that are of use by keyword, the first of several."""
    texts: dict[str, str] = {}
    for kind in (b"tEXt", b"zTXt", b"iTXt"):
        for chunk in chunks.get(kind, []):
            keyword, _, rest = chunk.partition(b"\x00")
            name = keyword.decode("latin-1")
            if name not in texts and name in (*_PNG_TEXTS, *_PNG_DATES, _XMP_KEYWORD):
                texts[name] = _png_text(kind, rest)
    return texts


def _png_text(kind: bytes, rest: bytes) -> str:
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        return _inflated(rest[1:]).decode("latin-1")
    compressed, text = rest[:1] == b"\x01", rest[2:].split(b"\x00", 2)[-1]
    return (_inflated(text) if compressed else text).decode("utf-8", "replace")


def _inflated(data: bytes) -> bytes:
    """Return compressed data, nothing where it is broken or longer than any packet that is read."""
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(data, MOST_BYTES)
        return b"" if stream.unconsumed_tail else text
    except zlib.error:
        return b""


def _png_time(chunks: list[bytes]) -> str | None:
    if not chunks or len(chunks[0]) != 7:
        return None
    year, (month, day, hour, minute, second) = int.from_bytes(chunks[0][:2], "big"), chunks[0][2:]
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
