"""`retroflex copy`: a library goes to PostgreSQL and is searched there with the same answers."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.commands.copy import copy
from retrieval.library import Library
from retrieval.search.query import Query


def call(*arguments: str) -> str:
    result = CliRunner().invoke(copy, arguments, catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def test_searches_answer_the_same(library: Library, postgres_url: str, tmp_path: Path) -> None:
    answer = json.loads(call("--library", str(library.settings.library), "--to", postgres_url, "--json"))
    assert answer["pictures"] == 5
    settings = load_settings(library=tmp_path / "elsewhere", database_url=postgres_url)
    with closing(Library.open(settings)) as copied:
        for words in ("a dog on the beach", "boat", "people in a city"):
            first, second = (one.search(Query(words), distant=True) for one in (library, copied))
            assert [(hit.id, hit.score) for hit in first.hits] == [(hit.id, hit.score) for hit in second.hits]
            assert first.hits


def test_a_copy_onto_itself_or_another_library_is_refused(library: Library, postgres_url: str) -> None:
    folder = str(library.settings.library)
    with pytest.raises(RetroflexError, match="cannot be copied to itself"):
        call("--library", folder, "--to", library.settings.url)
    library.store.set_user_caption(1, "mine")
    said = call("--library", folder, "--to", postgres_url)
    assert "5 pictures copied" in said
    assert f"RETROFLEX_DATABASE_URL={postgres_url}" in said
    with pytest.raises(RetroflexError, match="holds a library already"):
        call("--library", folder, "--to", postgres_url)
