"""XMP: dates and words out of the RDF that programs write into pictures, read without trusting it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from data.errors import one_line
from data.metadata.positions import xmp_position
from data.records import PictureText, Position

MOST_BYTES = 2 * 2**20
"""Of a packet; those of editors with a long history have some hundred kilobytes."""

_DC, _PHOTOSHOP = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/photoshop/1.0/"
_EXIF, _XMP = "http://ns.adobe.com/exif/1.0/", "http://ns.adobe.com/xap/1.0/"
_TIFF, _LIGHTROOM = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/lightroom/1.0/"
_DIGIKAM, _MICROSOFT = "http://www.digikam.org/ns/1.0/", "http://ns.microsoft.com/photo/1.0/"
_REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
_MICROSOFT_REGION = "http://ns.microsoft.com/photo/1.2/t/Region#"
_IPTC, _IPTC_MORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"

DATES = (f"{{{_EXIF}}}DateTimeOriginal", f"{{{_XMP}}}CreateDate", f"{{{_PHOTOSHOP}}}DateCreated")
"""The properties with a date, the most reliable first."""
_POSITION = (f"{{{_EXIF}}}GPSLatitude", f"{{{_EXIF}}}GPSLongitude")
_TEXTS = {
    f"{{{namespace}}}{name}": field
    for field, properties in {
        "title": ((_DC, "title"), (_PHOTOSHOP, "Headline")),
        "description": ((_DC, "description"), (_TIFF, "ImageDescription"), (_EXIF, "UserComment")),
        "keyword": (
            (_DC, "subject"),
            (_LIGHTROOM, "hierarchicalSubject"),
            (_DIGIKAM, "TagsList"),
            (_MICROSOFT, "LastKeywordXMP"),
            (_MICROSOFT, "LastKeywordIPTC"),
        ),
        "person": ((_REGIONS, "Name"), (_MICROSOFT_REGION, "PersonDisplayName"), (_IPTC_MORE, "PersonInImage")),
        "place": (
            (_IPTC, "Location"),
            *((_PHOTOSHOP, name) for name in ("City", "State", "Country")),
            *((_IPTC_MORE, name) for name in ("LocationName", "Sublocation", "City", "ProvinceState", "CountryName")),
        ),
    }.items()
    for namespace, name in properties
}


class Xmp(NamedTuple):
    """What XMP says: dates, the most reliable first; texts; where the picture was taken, None if it does not tell.

    Keywords of a hierarchy stay whole: "Places|Italy|Rome".
    """

    dates: list[str]
    texts: list[PictureText]
    position: Position | None


def read_xmp(packet: bytes) -> Xmp:
    """Return what an XMP packet says; nothing of what cannot be read."""
    try:
        return read_properties(parse_xmp(packet))
    except ValueError:
        return Xmp([], [], None)


def read_properties(root: Element) -> Xmp:
    """Return what parsed XMP says."""
    properties = list(_properties(root))
    dates = [value for wanted in DATES for name, value in properties if name == wanted]
    texts = [PictureText(_TEXTS[name], value) for name, value in properties if name in _TEXTS]
    first = dict(reversed(properties))
    return Xmp(dates, texts, xmp_position(*(first.get(name, "") for name in _POSITION)))


def parse_xmp(packet: bytes) -> Element:
    """Return a packet parsed; entities and document types are refused. Raises ValueError with the reason."""
    start, end = packet.find(b"<"), packet.rfind(b">")
    if not 0 <= start < end:
        raise ValueError("it holds no XML")
    if len(packet) > MOST_BYTES:
        raise ValueError(f"it has {len(packet):,} bytes, the cap is {MOST_BYTES:,}")
    in_utf16 = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        root: Element = fromstring(packet if in_utf16 else packet[start : end + 1], forbid_dtd=True)
    except DefusedXmlException as error:
        raise ValueError("it has a document type or entities, which are refused") from error
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise ValueError(f"it is damaged: {one_line(error)}") from error
    return root


def _properties(root: Element) -> Iterator[tuple[str, str]]:
    """Yield names and texts: of attributes, of elements, and one for each value of a list.

    A text belongs to the innermost property around it.
    """
    open_elements: list[tuple[Element, str]] = [(root, "")]
    while open_elements:
        element, around = open_elements.pop()
        yield from element.attrib.items()
        name = element.tag if element.tag in _TEXTS or element.tag in (*DATES, *_POSITION) else around
        if name and element.text and element.text.strip():
            yield name, element.text.strip()
        open_elements.extend((child, name) for child in reversed(element))
