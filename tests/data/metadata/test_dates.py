"""Dates as cameras, programs, phones and messengers write them; what no camera can mean is not believed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from data.metadata.dates import SOURCES, date_in_name, in_words, read_date, read_part

NOW = datetime(2026, 11, 29, 12)
DAY, SHOT = datetime(2019, 5, 4), datetime(2019, 5, 4, 10, 11, 12)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2019:05:04 10:11:12", SHOT),
        ("2019:05:04 10:11:12\x00", SHOT),
        ("2019: 5: 4 10:11:12", SHOT),
        ("2019:05:04 10-11-12", SHOT),
        ("May 4, 2019 10:11:12 AM", SHOT),
        ("Sat May 04 10:11:12 CEST 2019", SHOT),
        (" 2019:05:04 10:11:12 ", SHOT),
        ("2019-05-04T10:11:12", SHOT),
        ("2019-05-04T10:11:12Z", SHOT),
        ("2019-05-04T10:11:12.123456+02:00", SHOT),
        ("2019:05:04 10:11:12+0200", SHOT),
        ("2019:05:04 10:11:12 -11:30", SHOT),
        ("2019:05:04 10:11:12.50", SHOT),
        ("2019/05/04 10:11:12", SHOT),
        ("2019.05.04 10:11:12", SHOT),
        ("2019:5:4 10:11:12", SHOT),
        ("20190504T101112", SHOT),
        ("20190504T101112+0200", SHOT),
        ("20190504101112", SHOT),
        ("Sat, 04 May 2019 10:11:12 +0200", SHOT),
        ("Sat May  4 10:11:12 2019", SHOT),
        ("2019:05:04 10:11", SHOT.replace(second=0)),
        ("2019:05:04 10:11:12 PM", SHOT.replace(hour=22)),
        ("2019:05:04 10:11:60", SHOT.replace(second=59)),
        ("2019:05:04 23:59:60", datetime(2019, 5, 4, 23, 59, 59)),
        ("2019:05:04 24:00:00", datetime(2019, 5, 5)),
        ("2019:05:04", DAY),
        ("20190504", DAY),
        ("2019 05 04 10 11 12", SHOT),
        ("2019-05-04T10:11:12 CEST", SHOT),
        ("2019-05-04T10:11:12Z[UTC]", SHOT),
        ("2019:05:04 10:11:12\x00\x00of another program", SHOT),
        ("25/12/2018 10:11:12", datetime(2018, 12, 25, 10, 11, 12)),
        ("12-25-2018", datetime(2018, 12, 25)),
        ("05/05/2019", datetime(2019, 5, 5)),
        ("2019-05-04_10:11:12", DAY),
        ("2019:05:04 10:60:00", DAY),
        ("2019:05:04 25:00:00", DAY),
        ("2019:05:04 10:11:61", DAY),
        ("2019:05:04 --:--:--", DAY),
        ("2019-05-04T99:99", DAY),
        ("20190504T996060", DAY),
        ("Sat, 04 May 2019 25:11:12 +0200", DAY),
        ("04.05.2019", DAY),
        ("2019:05:04   :  :  ", DAY),
        ("1936-02-29", datetime(1936, 2, 29)),
        ("2026:11:30 11:59:59", datetime(2026, 11, 30, 11, 59, 59)),
    ],
)
def test_what_is_a_date(text: str, moment: datetime) -> None:
    assert read_date(text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00" * 20,
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "0001:01:01 00:00:00",
        "1825:12:31 00:00:00",
        "1904:01:01 00:00:00",
        "1970:01:01 00:00:00",
        "1970-01-01T01:00:00+01:00",
        "1969:12:31 16:00:00",
        "9999:12:31 23:59:59",
        "2026:11:30 12:00:01",
        "2019",
        "2019:05",
        "2019-05-00",
        "2019:05:00 10:11:12",
        "2019:13:04 10:11:12",
        "2019:02:29 10:11:12",
        "04/05/2019",
        "13/13/2019",
        "yesterday",
        "2019:05:04 " + "1" * 1000,
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert read_date(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "source", "moment"),
    [
        ("2019", "year", datetime(2019, 1, 1)),
        ("1936", "year", datetime(1936, 1, 1)),
        ("1970", "year", datetime(1970, 1, 1)),
        ("2019:00:00 00:00:00", "year", datetime(2019, 1, 1)),
        ("20190000", "year", datetime(2019, 1, 1)),
        ("2019:  :     :  :  ", "year", datetime(2019, 1, 1)),
        ("2019-05", "month", datetime(2019, 5, 1)),
        ("2019/5", "month", datetime(2019, 5, 1)),
        ("2019:05:00 10:11:12", "month", datetime(2019, 5, 1)),
        ("2019:05:  ", "month", datetime(2019, 5, 1)),
        ("20190500", "month", datetime(2019, 5, 1)),
    ],
)
def test_months_and_years(text: str, source: str, moment: datetime) -> None:
    assert read_part(text, NOW) == (source, moment)
    assert read_date(text, NOW) is None


@pytest.mark.parametrize(
    "text", ["", "0000", "0000:00:00", "1825", "9999", "2026-12", "2019-13", "2019:02:30", "201905", "20191304", "may"]
)
def test_what_is_no_month_or_year(text: str) -> None:
    assert read_part(text, NOW) is None


def test_what_is_ahead_depends_on_today() -> None:
    assert read_date("2019:05:04 10:11:12", SHOT - timedelta(hours=23)) == SHOT
    assert read_date("2019:05:04 10:11:12", SHOT - timedelta(hours=25)) is None


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("IMG_20190504_101112.jpg", SHOT),
        ("IMG_20190504_101112_HDR.jpg", SHOT),
        ("Screen Shot 2019-05-04 at 1.11.12 PM.png", SHOT.replace(hour=13)),
        ("2019-05-04_10h11m12s.png", SHOT),
        ("IMG_20190504_101112 (2).jpg", SHOT),
        ("PXL_20190504_101112123.PORTRAIT.jpg", SHOT),
        ("20190504_101112.jpg", SHOT),
        ("20190504T101112.jpg", SHOT),
        ("00000IMG_00000_BURST20190504101112123_COVER.jpg", SHOT),
        ("Screenshot_2019-05-04-10-11-12.png", SHOT),
        ("Screenshot_20190504-101112_Chrome.jpg", SHOT),
        ("Screenshot from 2019-05-04 10-11-12.png", SHOT),
        ("Screen Shot 2019-05-04 at 10.11.12\u202fAM.png", SHOT),
        ("Screenshot 2019-05-04 at 10.11.12 PM.png", SHOT.replace(hour=22)),
        ("Bildschirmfoto 2019-05-04 um 10.11.12.png", SHOT),
        ("2019-05-04 10.11.12.jpg", SHOT),
        ("2019-05-04 10:11:12.png", SHOT),
        ("WhatsApp Image 2019-05-04 at 10.11.12.jpeg", SHOT),
        ("WhatsApp-Image-2019-05-04-at-10.11.12.jpg", SHOT),
        ("Screenshot_2019-05-04_at_10.11.12.png", SHOT),
        ("Schermafbeelding 2019-05-04 om 10.11.12.png", SHOT),
        ("Captura de Pantalla 2019-05-04 a la(s) 10.11.12.png", SHOT),
        ("photo_5123@04-05-2019_10-11-12.jpg", SHOT),
        ("2019_0504_101112_001.JPG", SHOT),
        ("signal-2019-05-04-101112.jpg", SHOT),
        ("signal-2019-05-04-10-11-12-123.jpg", SHOT),
        ("photo_2019-05-04_10-11-12.jpg", SHOT),
        ("WIN_20190504_10_11_12_Pro.jpg", SHOT),
        ("FB_IMG_1556964672123.jpg", SHOT),
        ("IMG-20190504-WA0001.jpg", DAY),
        ("VID-20190504-WA0001.jpg", DAY),
        ("WP_20190504_001.jpg", DAY),
        ("IMG_20190504_991112.jpg", DAY),
        ("04.05.2019 Berlin.jpg", DAY),
        ("1954-06-12 wedding.jpg", datetime(1954, 6, 12)),
    ],
)
def test_a_date_in_a_name(name: str, moment: datetime) -> None:
    assert date_in_name(name, NOW) == moment
    assert date_in_name(f"/somewhere/2001-01-01/{name}", NOW) == moment


@pytest.mark.parametrize(
    "name",
    [
        "IMG_12345678.jpg",
        "20191304.jpg",
        "IMG_20190231_101112.jpg",
        "IMG_20300504_101112.jpg",
        "2019.jpg",
        "2019-05.jpg",
        "DSC00001.HIF",
        "120190504.jpg",
        "12345678_1234567890_n.jpg",
        "1559999999.jpg",
        "beach.jpg",
        "00000000_000000.jpg",
    ],
)
def test_a_name_that_is_no_date(name: str) -> None:
    assert date_in_name(name, NOW) is None


def test_dates_in_words() -> None:
    assert in_words(SHOT, "name") == "4 May 2019, 10:11 (by the file's name)"
    assert in_words(DAY, "name") == "4 May 2019 (by the file's name)"
    assert in_words(DAY, None) == "4 May 2019"
    assert in_words(DAY, "month") == "May 2019 (by a month in the file's data)"
    assert in_words(DAY, "year") == "2019 (by a year in the file's data)"
    assert list(SOURCES)[-4:] == ["name", "month", "year", "file"]
