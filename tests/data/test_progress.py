"""Without a terminal progress is told by lines, now and then."""

from __future__ import annotations

import time

import pytest

from data import progress
from data.progress import progress_bar


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)


def test_a_line_is_due_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress_bar(range(10), desc="captions", unit="pic"):
        time.sleep(0.02)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("captions: ") and " of 10 pic, " in line and line.endswith(" left") for line in lines)
    assert "\r" not in "".join(lines)


def test_without_a_total_the_rate_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(desc="checking", unit="B", unit_scale=True) as bar:
        for _ in range(2):
            time.sleep(0.06)
            bar.update(3000)
            bar.refresh()  # as often as one likes
            bar.refresh()
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("checking: 3.00k B, ")
    assert second.startswith("checking: 6.00k B, ")
    assert second.endswith("B/s")


def test_what_is_hidden_or_ends_soon_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in progress_bar(range(10), hidden=True, desc="captions"):
        time.sleep(0.01)
    monkeypatch.setattr(progress, "LINE_SECONDS", 1000.0)
    for _ in progress_bar(range(10), desc="captions", leave=True):
        pass
    assert capsys.readouterr().err == ""
