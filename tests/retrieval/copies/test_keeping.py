"""Which copy is the best, and what is to win."""

from __future__ import annotations

import pytest

from data.choices import Choice, Copy
from data.copy_facts import CopyFacts
from retrieval.copies.duplicates import Group
from retrieval.copies.keeping import Gain, best, gain, not_kept

LARGE = CopyFacts(12_000_000, True, 3_000_000, {b"/photos/original.jpg": 50})


def group(*ids: int, keep: tuple[int, ...] | None = None) -> Group:
    choices = [None if keep is None else Choice("near-1", number in keep) for number in ids]
    return Group("near", [Copy(number) for number in ids], choices)


@pytest.mark.parametrize(
    ("other", "first"),
    [
        (CopyFacts(149 * 149, False, 9_000_000, {b"/small.png": 1}), 1),  # many bytes do not make up for pixels
        (CopyFacts(24_000_000, False, 9_000, {b"/large.jpg": 99}), 2),
        (CopyFacts(12_000_000, False, 9_000_000, {b"/converted.png": 1}), 1),  # a program made it, the date is lost
        (CopyFacts(12_000_000, True, 2_000_000, {b"/compressed.jpg": 1}), 1),
        (CopyFacts(12_000_000, True, 3_000_000, {b"/later.jpg": 60}), 1),
        (CopyFacts(12_000_000, True, 3_000_000, {b"/late.jpg": 60, b"/earlier.jpg": 40}), 2),
    ],
)
def test_the_best_has_most_pixels_then_quality_then_age(other: CopyFacts, first: int) -> None:
    for order in ((1, 2), (2, 1)):
        assert best(group(*order), {1: LARGE, 2: other}) == Copy(first)


def test_of_files_with_the_same_content_the_oldest_is_the_best() -> None:
    facts = {7: CopyFacts(1, False, 10, {b"/a": 30, b"/b": 20, b"/c": 40})}
    files = Group("exact", [Copy(7, path) for path in facts[7].files], [None] * 3)
    assert best(files, facts) == Copy(7, b"/b")
    assert gain([files], facts) == Gain(2, 20)


def test_what_is_to_win_follows_the_decisions() -> None:
    facts = {1: LARGE, 2: CopyFacts(4, False, 100, {b"/x": 1, b"/y": 2}), 3: CopyFacts(4, False, 7, {b"/z": 1})}
    assert gain([group(1, 2, 3)], facts) == Gain(3, 207)
    assert gain([group(1, 2, 3, keep=(1, 2))], facts) == Gain(1, 7)
    assert gain([group(1, 2, 4)], facts) == Gain(2, 200), "a picture that is gone wins nothing"
    assert best(group(8, 9), facts) is None


def test_what_is_not_kept_is_listed_with_what_is_kept_in_its_place() -> None:
    facts = {1: LARGE, 2: CopyFacts(4, False, 100, {b"/x": 1, b"/y": 2})}
    assert not_kept([group(1, 2)], facts) == [], "undecided"
    listed = not_kept([group(1, 2, keep=(1,))], facts)
    assert [(one.path, one.kept) for one in listed] == [
        (b"/x", b"/photos/original.jpg"),
        (b"/y", b"/photos/original.jpg"),
    ]
    assert [one.kept for one in not_kept([group(1, 2, keep=())], facts)] == [b"", b"", b""]
