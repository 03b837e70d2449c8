from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from data.errors import RetroflexError
from data.limits import PIXELS_CEILING, SOURCE_PIXELS_CEILING, Limits
from data.settings import load_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "LIBRARY",
        "DATABASE_URL",
        "VECTORS",
        "BLEU_CANDIDATES",
        "BUNDLE",
        "MAX_BYTES",
        "MAX_PIXELS",
        "MAX_SOURCE_PIXELS",
        "MAX_UPLOAD_BYTES",
    ):
        monkeypatch.delenv(f"RETROFLEX_{name}", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


def test_defaults_are_in_the_data_folder_of_the_user() -> None:
    settings = load_settings()
    assert settings.library.name == "retroflex"
    assert settings.index_dir == settings.library / "index"
    assert settings.thumbnail_dir == settings.library / "thumbnails"
    assert settings.url == f"sqlite:///{settings.library}/library.sqlite3"
    assert settings.bundle is None
    assert settings.limits == Limits()
    assert settings.max_upload_bytes == 20 * 2**20


def test_environment_beats_defaults_and_overrides_beat_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RETROFLEX_LIBRARY", str(tmp_path / "env"))
    monkeypatch.setenv("RETROFLEX_MAX_BYTES", "1000")
    assert load_settings(library=None).library == tmp_path / "env"
    settings = load_settings(library=tmp_path / "chosen")
    assert settings.library == tmp_path / "chosen"
    assert settings.limits.max_bytes == 1000


def test_a_home_folder_and_a_relative_library_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_settings(library=Path("~/photos")).library == tmp_path / "photos"
    assert load_settings(library=Path("here"), bundle=Path("b")).bundle == tmp_path / "b"


def test_odd_folder_names_survive_in_the_url(tmp_path: Path) -> None:
    settings = load_settings(library=tmp_path / "what? 100%25 été#@:")
    assert make_url(settings.url).database == str(settings.library / "library.sqlite3")


def test_a_database_url_replaces_the_file() -> None:
    assert load_settings(database_url="postgresql://host/pictures").url == "postgresql://host/pictures"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"max_bytes": "many"}, ["max_bytes", "RETROFLEX_MAX_BYTES", "many"]),
        ({"max_pixels": 0}, ["RETROFLEX_MAX_PIXELS", "greater than 0"]),
        ({"max_pixels": PIXELS_CEILING + 1}, ["RETROFLEX_MAX_PIXELS", str(PIXELS_CEILING)]),
        ({"max_source_pixels": SOURCE_PIXELS_CEILING + 1}, ["RETROFLEX_MAX_SOURCE_PIXELS", str(SOURCE_PIXELS_CEILING)]),
        ({"max_upload_bytes": -1}, ["RETROFLEX_MAX_UPLOAD_BYTES", "-1"]),
        ({"bleu_candidates": "faiss"}, ["RETROFLEX_BLEU_CANDIDATES", "'faiss'", "index or milvus"]),
        ({"bleu_candidates": "milvus"}, ["RETROFLEX_BLEU_CANDIDATES", "RETROFLEX_VECTORS"]),
        ({"colour": "red"}, ["colour"]),
    ],
)
def test_a_bad_value_is_one_clear_line(overrides: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(RetroflexError) as caught:
        load_settings(**overrides)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)


def test_a_bad_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETROFLEX_MAX_PIXELS", "huge")
    with pytest.raises(RetroflexError, match=r"RETROFLEX_MAX_PIXELS.*huge"):
        load_settings()
