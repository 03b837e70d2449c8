"""IPTC: the datasets of the Information Interchange Model, version 4.2, in JPEG and TIFF files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image

from data.records import PictureText

MOST_BYTES = 2**20
_RESOURCE = 0x0404
"""Of Photoshop's image resources, the one with IPTC data."""
_TIFF_TAG = 33723
_UTF8 = b"\x1b%G"
_FIELDS = {5: "title", 105: "title", 120: "description", 25: "keyword"} | dict.fromkeys((90, 92, 95, 101), "place")
_DATE, _TIME = 55, 60


def read_iptc(image: Image.Image) -> tuple[list[str], list[PictureText]]:
    """Return the date of a picture's IPTC data, if any, and its texts."""
    datasets = list(_datasets(_block(image)))
    as_utf8 = any(name == (1, 90) and value == _UTF8 for name, value in datasets)
    texts, moments = [], dict[int, str]()
    for (record, number), value in datasets:
        text = _text(value, as_utf8)
        if record == 2 and number in (_DATE, _TIME):
            moments.setdefault(number, text)
        elif record == 2 and number in _FIELDS:
            texts.append(PictureText(_FIELDS[number], text))
    day, time = moments.get(_DATE, ""), moments.get(_TIME, "")
    return ([f"{day}T{time}", day] if time else [day] if day else []), texts


def _block(image: Image.Image) -> bytes:
    resources = image.info.get("photoshop")
    block: Any = resources.get(_RESOURCE) if isinstance(resources, dict) else None
    if block is None and image.format == "TIFF":
        block = getattr(image, "tag_v2", {}).get(_TIFF_TAG)
    if isinstance(block, tuple) and all(isinstance(part, int) for part in block):  # as numbers of 32 bits
        order = "big" if getattr(getattr(image, "tag_v2", None), "prefix", b"II") == b"MM" else "little"
        block = b"".join((part & 0xFFFFFFFF).to_bytes(4, order) for part in block)
    return block[:MOST_BYTES] if isinstance(block, bytes) else b""


def _datasets(block: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield (record, dataset) and the value, up to the first that is cut short."""
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        size = int.from_bytes(block[at + 3 : at + 5], "big")
        if size & 0x8000 or at + 5 + size > len(block):  # an extended dataset, which only holds objects
            return
        yield (block[at + 1], block[at + 2]), block[at + 5 : at + 5 + size]
        at += 5 + size


def _text(value: bytes, as_utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace") if as_utf8 else value.decode("cp1252", "replace")
