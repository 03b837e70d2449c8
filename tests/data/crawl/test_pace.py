"""Calls an hour, pauses, and Retry-After in both forms."""

from __future__ import annotations

from pathlib import Path

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


def test_the_limit_holds_over_runs(time: FakeTime, tmp_path: Path) -> None:
    """A new run every seven calls, some killed after their last call, may not make more calls than one long run."""
    made = list[float]()
    for _ in range(40):
        bucket = TokenBucket(time.timing, tmp_path / "calls.json", calls=100, burst=10)
        for _ in range(7):
            bucket.take()
            made.append(time.now)
    assert max(sum(begin <= one < begin + 3600 for one in made) for begin in made) <= 100
    assert made[-1] - made[0] <= 3600 * 280 / 90
    time.now += 7200
    fresh = TokenBucket(time.timing, tmp_path / "calls.json", calls=100, burst=10)
    at = time.now
    for _ in range(10):
        fresh.take()
    assert time.now == at


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"tokens": 1e9, "at": 0}', '{"tokens": NaN, "at": 0}', '{"tokens": 5, "at": 1e15}', '{"at": 0}'],
)
def test_a_damaged_file_allows_nothing_at_once(time: FakeTime, tmp_path: Path, content: str) -> None:
    (tmp_path / "calls.json").write_text(content)
    bucket, began = TokenBucket(time.timing, tmp_path / "calls.json"), time.now
    bucket.take()
    assert 0.9 < time.now - began < 1.1


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
