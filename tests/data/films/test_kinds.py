"""Which files are films, and which are searched with as films."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.films import kinds
from data.films.kinds import is_film, is_film_to_search
from tests.films import make_animation


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_is_searched_with_by_its_first_frame_where_films_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_animation(tmp_path / name)
    monkeypatch.setattr(kinds, "can_read_films", lambda: True)
    assert is_film_to_search(tmp_path / name)
    monkeypatch.setattr(kinds, "can_read_films", lambda: False)
    assert is_film(tmp_path / name)
    assert not is_film_to_search(tmp_path / name)


def test_a_film_is_one_even_where_it_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").touch()
    monkeypatch.setattr(kinds, "can_read_films", lambda: False)
    assert is_film_to_search(tmp_path / "a.mp4"), "the reader then says what to install"
