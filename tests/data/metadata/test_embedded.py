"""What files of each format say of themselves: the first date that can be believed, and words that a person wrote."""

from __future__ import annotations

import io
import struct
import zlib
from datetime import datetime
from typing import Any

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from data.metadata.embedded import Metadata, read_metadata
from data.pictures import open_header
from data.records import PictureText

T = ExifTags.Base
NOW = datetime(2026, 11, 29)
SHOT = datetime(2019, 5, 4, 10, 11, 12)
GOOD, LATER, ZEROS = "2019:05:04 10:11:12", "2024:01:01 00:00:00", "0000:00:00 00:00:00"
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" {attributes}>{elements}</rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
WORDS = """<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Harbour at dusk</rdf:li></rdf:Alt></dc:title>
<dc:subject><rdf:Bag><rdf:li>boats</rdf:li><rdf:li>Ève</rdf:li></rdf:Bag></dc:subject>
<lr:hierarchicalSubject><rdf:Bag><rdf:li>Places|Italy|Rome</rdf:li></rdf:Bag></lr:hierarchicalSubject>
<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description mwg-rs:Type="Face"
 mwg-rs:Name="Anna Smith"/></rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"""


def xmp(elements: str = "", attributes: str = "") -> bytes:
    return PACKET.format(elements=elements, attributes=attributes).encode()


def drawn(picture_format: str = "JPEG", exif: dict[int, Any] | None = None, **options: Any) -> bytes:
    """A picture file with these EXIF entries; those of the inner directory have numbers from 0x8000 on."""
    block = Image.Exif()
    inner = {tag: value for tag, value in (exif or {}).items() if tag > 0x8FFF and tag not in range(0x9C9B, 0x9CA0)}
    block.update({tag: value for tag, value in (exif or {}).items() if tag not in inner})
    block.get_ifd(ExifTags.IFD.Exif).update(inner)
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, picture_format, exif=block.tobytes(), **options)
    return content.getvalue()


def read(content: bytes) -> Metadata:
    return read_metadata(open_header(content), content, NOW)


def dataset(number: int, value: bytes, record: int = 2) -> bytes:
    return bytes([0x1C, record, number]) + struct.pack(">H", len(value)) + value


def with_iptc(content: bytes, *datasets: bytes) -> bytes:
    """A JPEG with IPTC data in Photoshop's image resources."""
    data = b"".join(datasets)
    resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(data)) + data + b"\x00" * (len(data) % 2)
    segment = b"Photoshop 3.0\x00" + resource
    return content[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + content[2:]


def with_chunk(content: bytes, kind: bytes, data: bytes) -> bytes:
    """A PNG with a chunk behind its pixels."""
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content[:-12] + chunk + content[-12:]


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize(
    ("entries", "source"),
    [
        ({T.DateTimeOriginal: GOOD, T.DateTimeDigitized: LATER, T.DateTime: LATER}, "original"),
        ({T.DateTimeOriginal: ZEROS, T.DateTimeDigitized: GOOD, T.DateTime: LATER}, "digitized"),
        ({T.DateTimeOriginal: "9999:12:31 23:59:59", T.DateTime: GOOD}, "changed"),
    ],
)
def test_the_first_valid_exif_date(picture_format: str, entries: dict[int, str], source: str) -> None:
    assert read(drawn(picture_format, entries))[:2] == (SHOT, source)


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_xmp_of_every_format(picture_format: str) -> None:
    packet = xmp(WORDS, 'xmp:CreateDate="2019-05-04T10:11:12+02:00"')
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", packet.decode())
    options: dict[str, Any] = {"PNG": {"pnginfo": text}, "TIFF": {"tiffinfo": {700: packet}}}.get(
        picture_format, {"xmp": packet}
    )
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, picture_format, **options)
    found = read(content.getvalue())
    assert found[:2] == (SHOT, "xmp")
    assert found.texts == (
        PictureText("title", "Harbour at dusk"),
        PictureText("keyword", "boats"),
        PictureText("keyword", "Ève"),
        PictureText("keyword", "Places|Italy|Rome"),
        PictureText("person", "Anna Smith"),
    )


def test_xmp_dates_in_their_order() -> None:
    both = "<photoshop:DateCreated>2018-01-01</photoshop:DateCreated><exif:DateTimeOriginal>{}</exif:DateTimeOriginal>"
    assert read(drawn(xmp=xmp(both.format("2019-05-04T10:11:12")))).taken_at == SHOT
    assert read(drawn(xmp=xmp(both.format("0001-01-01T00:00:00")))).taken_at == datetime(2018, 1, 1)


def test_a_day_comes_before_a_month_and_a_month_before_a_year() -> None:
    written = "<photoshop:DateCreated>{}</photoshop:DateCreated>"
    year, month = ({"xmp": xmp(written.format(date))} for date in ("2019", "2019-05"))
    assert read(drawn(**year))[:2] == (datetime(2019, 1, 1), "year")
    assert read(drawn(**month))[:2] == (datetime(2019, 5, 1), "month")
    assert read(drawn(exif={T.DateTimeOriginal: "2019:00:00 00:00:00"}, **month))[:2] == (datetime(2019, 5, 1), "month")
    assert read(drawn(exif={T.DateTime: GOOD}, **year))[:2] == (SHOT, "changed")
    assert read(with_iptc(drawn(), dataset(55, b"20190500")))[:2] == (datetime(2019, 5, 1), "month")


def test_a_day_is_kept_where_no_clock_shows_its_time() -> None:
    entries = {T.DateTimeOriginal: "2019:05:04 10:60:00", T.DateTime: LATER}
    assert read(drawn(exif=entries))[:2] == (datetime(2019, 5, 4), "original")


def test_iptc_of_jpeg() -> None:
    content = with_iptc(
        drawn(),
        dataset(90, b"\x1b%G", record=1),
        dataset(5, "Fête".encode()),
        dataset(25, b"market"),
        dataset(25, b"summer"),
        dataset(55, b"20190504"),
        dataset(60, b"101112+0200"),
        dataset(90, "Zürich".encode()),
        dataset(120, b"At the market"),
    )
    found = read(content)
    assert found[:2] == (SHOT, "iptc")
    assert found.texts == (
        PictureText("title", "Fête"),
        PictureText("keyword", "market"),
        PictureText("keyword", "summer"),
        PictureText("place", "Zürich"),
        PictureText("description", "At the market"),
    )


def test_iptc_in_latin_1_with_a_day_alone_and_cut_short() -> None:
    found = read(with_iptc(drawn(), dataset(25, b"Z\xfcrich"), dataset(55, b"20190504"), b"\x1c\x02\x19\x00\x40cut"))
    assert found == Metadata(datetime(2019, 5, 4), "iptc", (PictureText("keyword", "Zürich"),))


def test_iptc_of_tiff() -> None:
    data = dataset(25, b"lake") + dataset(55, b"20190504")
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, "TIFF", tiffinfo={33723: data})
    assert read(content.getvalue()) == Metadata(datetime(2019, 5, 4), "iptc", (PictureText("keyword", "lake"),))


def test_windows_keywords_and_comments() -> None:
    entries = {
        T.XPTitle: "Hütte\x00".encode("utf-16-le"),
        T.XPKeywords: "snow;hut\x00".encode("utf-16-le"),
        T.XPComment: "with Anna".encode("utf-16-le"),
        T.UserComment: b"UNICODE\x00" + "noch früh".encode("utf-16-le"),
        T.ImageDescription: "The hut",
    }
    assert set(read(drawn(exif=entries)).texts) == {
        PictureText("title", "Hütte"),
        PictureText("keyword", "snow"),
        PictureText("keyword", "hut"),
        PictureText("description", "with Anna"),
        PictureText("description", "noch früh"),
        PictureText("description", "The hut"),
    }


@pytest.mark.parametrize(
    "boilerplate",
    [
        "OLYMPUS DIGITAL CAMERA         ",
        "SONY DSC",
        "SAMSUNG CAMERA PICTURES",
        "KONICA MINOLTA DIGITAL CAMERA",
        "Exif_JPEG_PICTURE",
        "Created with GIMP",
        "DCIM\\100MEDIA\\DJI_0001.JPG",
        "cof",
        "ASCII",
        "12345",
        "---",
    ],
)
def test_what_cameras_write_is_no_description(boilerplate: str) -> None:
    assert read(drawn(exif={T.ImageDescription: boilerplate, T.UserComment: b"ASCII\0\0\0" + bytes(40)})).texts == ()


@pytest.mark.parametrize("compressed", [False, True])
def test_png_texts_and_time(compressed: bool) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Creation Time", "Sat, 04 May 2019 10:11:12 +0200", zip=compressed)
    text.add_text("Title", "A gate", zip=compressed)
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, "PNG", pnginfo=text)
    assert read(content.getvalue()) == Metadata(SHOT, "png", (PictureText("title", "A gate"),))
    timed = with_chunk(drawn("PNG"), b"tIME", struct.pack(">HBBBBB", 2019, 5, 4, 10, 11, 12))
    assert read(timed)[:2] == (SHOT, "png")
    assert read(with_chunk(drawn("PNG"), b"tIME", bytes(7)))[:2] == (None, None)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<",
        b"no xml",
        b"<a><b></a>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<a>" * 50_000,
        xmp(WORDS) + b" " * 2**21,
    ],
)
def test_hostile_xmp_says_nothing(packet: bytes) -> None:
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, "WEBP", xmp=packet)
    assert read(content.getvalue()) == Metadata()


def test_a_text_that_inflates_without_end_is_left_out() -> None:
    bomb = b"Title\x00\x00" + zlib.compress(bytes(2**24))
    assert read(with_chunk(drawn("PNG"), b"zTXt", bomb)) == Metadata()


def test_coordinates_are_no_words() -> None:
    packet = xmp("<exif:GPSLatitude>47,39.5N</exif:GPSLatitude><photoshop:City>Rome</photoshop:City>")
    assert read(drawn(xmp=packet)).texts == (PictureText("place", "Rome"),)
