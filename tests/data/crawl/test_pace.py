"""Calls an hour, pauses, and Retry-After in both forms."""

from __future__ import annotations

import pytest

from data.crawl.pace import LONGEST_PAUSE, TokenBucket, back_off, retry_after
from tests.data.crawl.replay import FakeTime


def test_no_hour_has_more_calls_than_allowed(time: FakeTime) -> None:
    bucket, made = TokenBucket(time.timing, calls=100, burst=10), list[float]()
    for _ in range(350):
        bucket.take()
        made.append(time.now)
    assert made[9] == made[0]
    assert max(sum(begin <= one < begin + 3600 for one in made) for begin in made) <= 100
    assert made[-1] - made[0] <= 3600 * 350 / 90  # and no slower than that


def test_a_clock_set_back_stops_nothing(time: FakeTime) -> None:
    bucket = TokenBucket(time.timing, burst=2)
    bucket.take()
    time.now -= 86_400
    for _ in range(3):
        bucket.take()
    assert sum(time.naps) < 5


def test_pauses_grow_up_to_a_cap() -> None:
    assert [back_off(tries) for tries in (1, 2, 3, 20)] == [1, 2, 4, LONGEST_PAUSE]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("9" * 400, 999_999_999),
    ],
)
def test_retry_after(given: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": given}, 1_700_000_000.0) == seconds


def test_without_the_header_nothing_is_asked_for() -> None:
    assert retry_after({}, 0.0) is None
