"""Without a terminal progress is told by lines, now and then."""

from __future__ import annotations

import pytest

from data import progress
from data.progress import LINE_SECONDS, progress_bar


class Clock:
    """Stands for the module `time`, and goes on as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_line_is_due_again_and_again(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = progress_bar(range(10), desc="captions", unit="pic")
    for _ in bar:
        clock.now += LINE_SECONDS / 2
        bar.refresh()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("captions: ") and " of 10 pic, " in line and line.endswith(" left") for line in lines)
    assert "\r" not in "".join(lines)


def test_without_a_total_the_rate_is_told(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(desc="checking", unit="B", unit_scale=True) as bar:
        for _ in range(2):
            clock.now += LINE_SECONDS
            bar.update(3000)
            bar.refresh()  # as often as one likes
            bar.refresh()
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("checking: 3.00k B, ")
    assert second.startswith("checking: 6.00k B, ")
    assert second.endswith("B/s")


def test_what_is_hidden_or_ends_soon_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for hidden in (True, False):
        bar = progress_bar(range(10), hidden=hidden, desc="captions", leave=True)
        for _ in bar:
            clock.now += hidden * LINE_SECONDS
            bar.refresh()
    assert capsys.readouterr().err == ""
