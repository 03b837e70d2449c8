"""Sidecars are found beside pictures, read as XMP in a file is, and cannot do harm."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from data.metadata.embedded import Metadata
from data.metadata.sidecars import Sidecar, sidecars_of, signature, with_sidecars
from data.metadata.xmp import MOST_BYTES, read_xmp
from data.records import PictureText

NOW = datetime(2024, 6, 1)
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 exif:DateTimeOriginal="{date}"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:subject><rdf:Bag><rdf:li>lake</rdf:li><rdf:li>Places|Italy|Rome</rdf:li></rdf:Bag></dc:subject></rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
WORDS = (PictureText("keyword", "lake"), PictureText("keyword", "Places|Italy|Rome"))
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


def write(path: Path, date: str = "2019-05-04T10:11:12", title: str = "Sunday swim") -> Sidecar:
    path.write_text(PACKET.format(date=date, title=title))
    return sidecars_of(path.with_suffix(""), [path.name])[0]


def test_both_names_are_found_the_longer_first(tmp_path: Path) -> None:
    for name in ("IMG_1.xmp", "IMG_1.jpg.XMP", "IMG_2.xmp", "IMG_1.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "IMG_3.xmp").mkdir()
    by_disk = sidecars_of(tmp_path / "IMG_1.jpg")
    assert [one.path.name for one in by_disk] == ["IMG_1.jpg.XMP", "IMG_1.xmp"]
    assert sidecars_of(tmp_path / "IMG_1.jpg", os.listdir(tmp_path)) == by_disk
    assert sidecars_of(tmp_path / "IMG_3.jpg") == sidecars_of(tmp_path / "IMG_1.jpg", []) == ()


def test_the_signature_follows_name_size_and_time(tmp_path: Path) -> None:
    one = Sidecar(tmp_path / "a.xmp", 10, 20)
    others = [one._replace(path=tmp_path / "a.XMP"), one._replace(size=11), one._replace(mtime_ns=21)]
    assert len({signature([other]) for other in (one, *others)} | {signature([one, one])}) == 5
    assert signature([one._replace(path=tmp_path / "in" / "a.xmp")]) == signature([one])
    assert signature([]) is None


def test_date_title_and_keywords_are_read(tmp_path: Path) -> None:
    sidecar = write(tmp_path / "a.jpg.xmp")
    metadata, notes = with_sidecars(Metadata(texts=(PictureText("title", "Embedded"), WORDS[0])), [sidecar], NOW)
    words = (PictureText("title", "Sunday swim"), *WORDS, PictureText("title", "Embedded"))
    assert (metadata, notes) == (Metadata(datetime(2019, 5, 4, 10, 11, 12), "xmp", words), ())


@pytest.mark.parametrize(
    ("source", "wins"),
    [("original", False), ("digitized", False), ("xmp", True), ("changed", True), ("png", True), (None, True)],
)
def test_a_date_in_a_sidecar_ranks_as_one_of_xmp(tmp_path: Path, source: str | None, wins: bool) -> None:
    own = datetime(2001, 2, 3) if source else None
    metadata, _ = with_sidecars(Metadata(own, source), [write(tmp_path / "a.jpg.xmp")], NOW)
    expected = (datetime(2019, 5, 4, 10, 11, 12), "xmp") if wins else (own, source)
    assert (metadata.taken_at, metadata.taken_from) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Metadata(), (datetime(2019, 5, 1), "month")),
        (Metadata(datetime(2018, 1, 1), "year"), (datetime(2019, 5, 1), "month")),
        (Metadata(datetime(2018, 1, 2), "png"), (datetime(2018, 1, 2), "png")),
    ],
)
def test_a_month_in_a_sidecar_ranks_behind_every_day(
    tmp_path: Path, known: Metadata, expected: tuple[datetime, str]
) -> None:
    assert with_sidecars(known, [write(tmp_path / "a.jpg.xmp", "2019-05")], NOW)[0][:2] == expected


def test_a_date_that_cannot_be_believed_is_left_out(tmp_path: Path) -> None:
    sidecars = [write(tmp_path / "a.jpg.xmp", "9999-01-01"), write(tmp_path / "a.xmp", "2018-01-02")]
    metadata, _ = with_sidecars(Metadata(), sidecars, NOW)
    assert metadata.taken_at == datetime(2018, 1, 2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it holds no XML"),
        (b"\x00\xff" * 50, "it holds no XML"),
        (b"<x>" + bytes(30) + b"</x>", "it is damaged: not well-formed"),
        (BOMB.encode(), "it has a document type or entities, which are refused"),
        (b" " * (MOST_BYTES + 1), f"it has {MOST_BYTES + 1:,} bytes, the cap is {MOST_BYTES:,}"),
    ],
)
def test_a_bad_one_is_a_note(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a\n.jpg.xmp").write_bytes(content)
    metadata, (note,) = with_sidecars(Metadata(), sidecars_of(tmp_path / "a\n.jpg"), NOW)
    assert metadata == Metadata()
    assert note.startswith("has a sidecar that is not read, a")
    assert reason in note
    assert "\n" not in note


def test_one_that_went_away_or_is_shut_is_a_note(tmp_path: Path) -> None:
    _, notes = with_sidecars(Metadata(), [Sidecar(tmp_path / "a.xmp", 1, 1)], NOW)
    assert notes == ("has a sidecar that is not read, a.xmp: No such file or directory",)


def test_nested_properties_take_no_more_time_than_their_length() -> None:
    depth = 30_000
    name = '<s xmlns="http://purl.org/dc/elements/1.1/"><subject>'.replace("<s ", "<subject ")
    packet = name + "<subject>" * depth + "lake" + "</subject>" * depth + "</subject></subject>"
    start = time.process_time()
    assert read_xmp(packet.encode()) == ([], [WORDS[0]], None)
    assert time.process_time() - start < 10  # quadratic, it took minutes
