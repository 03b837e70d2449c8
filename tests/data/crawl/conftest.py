"""A server and a clock for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.data.crawl.replay import FakeTime, Replay, replaying


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """A server on this machine, asked without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with replaying() as server:
        yield server


@pytest.fixture
def time() -> FakeTime:
    """A clock that only sleep moves."""
    return FakeTime()
