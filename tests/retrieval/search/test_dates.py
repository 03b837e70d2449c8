"""Dates that queries name, and what is left of the query."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.search.dates import read_dates, without

DAYS = np.array([20181231, 20190101, 20190504, 20190531, 20190601, 20191231, 20200504, 0])


@pytest.mark.parametrize(
    ("text", "days", "rest"),
    [
        ("2019", [20190101, 20190504, 20190531, 20190601, 20191231], ""),
        ("beach 2019", [20190101, 20190504, 20190531, 20190601, 20191231], "beach"),
        ("May 2019", [20190504, 20190531], ""),
        ("the beach in may 2019", [20190504, 20190531], "the beach in"),
        ("2019-05", [20190504, 20190531], ""),
        ("2019 may", [20190504, 20190531], ""),
        ("mai 2019", [20190504, 20190531], ""),
        ("květen 2019", [20190504, 20190531], ""),
        ("4 May 2019", [20190504], ""),
        ("May 4th, 2019", [20190504], ""),
        ("4.5.2019", [20190504], ""),
        ("2019-05-04", [20190504], ""),
        ("2010s", [20181231, 20190101, 20190504, 20190531, 20190601, 20191231], ""),
        ("snow december", [20181231, 20191231], "snow"),
        ("Dezember 2018", [20181231], ""),
        ("may", [20190504, 20190531, 20200504], ""),
        (" Jun. ", [20190601], "."),
    ],
)
def test_a_date_includes_its_days(text: str, days: list[int], rest: str) -> None:
    dates = read_dates(text)
    assert len(dates) == 1
    assert DAYS[dates[0].includes(DAYS)].tolist() == days
    assert without(text, dates) == rest


@pytest.mark.parametrize(
    "text",
    ["dogs that may march", "a march", "IMG_2019", "IMG_2019.jpg", "2019.jpg", "2682", "3 dogs", "12019"],
)
def test_what_is_no_date(text: str) -> None:
    assert read_dates(text) == []
