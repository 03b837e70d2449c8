"""Vectors in Milvus follow the store, whatever happens on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from captioner.types import Caption, Description
from data.errors import RetroflexError
from retrieval.copies.near import near_copies
from retrieval.index import remote
from retrieval.library import Library
from retrieval.search.query import Query, QueryImage
from retrieval.vectors import milvus_client
from retrieval.vectors.base import UNREACHABLE, VectorsUnreachable
from retrieval.vectors.milvus import WHOLE, Follows, MilvusVectorStore
from retrieval.vectors.milvus_client import MilvusConnection
from tests.retrieval.conftest import MODEL, Add

BEACH = QueryImage(Description([Caption("a dog runs on the beach", -1.0)], {"vgg16": np.array([1, 0.1, 0, 0.0])}))


class Line(MilvusConnection):
    """A connection that is cut after so many `calls`."""

    def __init__(self, server: MilvusConnection) -> None:
        super().__init__(server._address)
        self._server = server
        self.calls = 10**9

    def _connected(self) -> Any:
        self.calls -= 1
        return self if self.calls < 0 else self._server._connected()

    def __getattr__(self, name: str) -> Any:
        def refuse(*arguments: Any, **options: Any) -> None:
            raise ConnectionError("connection refused")

        return refuse

    def close(self) -> None:
        """Stay open: other tests use the server, too."""


@pytest.fixture
def line(milvus_lite: MilvusConnection, monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line(milvus_lite)
    monkeypatch.setattr(remote, "MilvusConnection", lambda address: made)
    monkeypatch.setattr(remote, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(milvus_client, "PAUSE_SECONDS", 0.0)
    return made


@pytest.fixture
def in_milvus(library: Library, line: Line) -> Library:
    """The small library, whose vectors are in Milvus."""
    opened = Library(replace(library.settings, vectors="of_the_fixture.db"), library.store, merges=False)
    for one in (library, opened):
        one.__dict__["model"] = MODEL
    return opened


def stored(library: Library) -> MilvusVectorStore:
    assert library._remote is not None
    return library._remote._opened()


def like(library: Library) -> list[tuple[int, object]]:
    """What is found by a picture, and the cosines, whose sixth decimal may be rounded the other way."""
    hits = library.search(Query(like=[BEACH]), distant=True).hits
    return [(hit.id, pytest.approx(hit.scores["cosine"], abs=1.5e-6)) for hit in hits]


def test_the_same_is_found_as_by_the_index(library: Library, in_milvus: Library) -> None:
    assert like(in_milvus) == like(library)
    same, words = (one.search(Query("a dog by a boat"), distant=True).to_json() for one in (library, in_milvus))
    assert words == same
    assert words["degraded"] is None
    twins = [near_copies(one.searcher().index, MODEL, 4, 5) for one in (library, in_milvus)]
    assert twins[0] == twins[1] == [(5, 1.0)]
    (part,) = in_milvus.searcher().index.parts
    assert {kind.vectors.matrix.size for kind in part.segment.kinds.values()} == {0}


def test_changes_are_followed(in_milvus: Library, add: Add) -> None:
    before = {item for item, _ in like(in_milvus)}
    in_milvus.store.remove([b"/photos/park.jpg"])
    add(in_milvus.store, "shore", ["a dog on the shore"], [1.0, 0.1, 0.0, 0.0])
    assert {item for item, _ in like(in_milvus)} == before - {2} | {6}
    whole = Follows(in_milvus.store.generation(), WHOLE)
    assert {stored(in_milvus).follows(kind) for kind in stored(in_milvus).models} == {whole}
    assert stored(in_milvus).ids("vgg16").tolist() == [1, 3, 4, 5, 6]


def test_a_cut_at_any_call_loses_nothing(library: Library, in_milvus: Library, line: Line, add: Add) -> None:
    calls = 0
    while True:
        add(library.store, f"picture {calls}", ["a cup"], [1.0, calls, 1.0, 0.0])
        line.calls = calls
        found = like(in_milvus)
        told = in_milvus.search(Query(like=[BEACH])).degraded
        if line.calls >= 0:
            break
        assert told == UNREACHABLE
        assert found
        line.calls = 10**9
        assert like(in_milvus) == like(library)
        calls += 1
    assert calls > 5
    assert found == like(library)


def test_what_milvus_lost_is_copied_again(library: Library, in_milvus: Library, line: Line, add: Add) -> None:
    like(in_milvus)
    stored(in_milvus).delete_of("vgg16", np.array([1, 3]))
    add(library.store, "shore", ["a dog on the shore"], [1.0, 0.1, 0.0, 0.0])
    assert like(in_milvus) == like(library)
    for kind in ("vgg16", "joint"):
        line._server.write("drop_collection", stored(in_milvus)._known()[kind].collection)
    assert in_milvus.search(Query(like=[BEACH])).degraded == UNREACHABLE
    assert like(in_milvus) == like(library)


def test_what_milvus_no_longer_has_in_memory_is_loaded_again(library: Library, in_milvus: Library, line: Line) -> None:
    like(in_milvus)
    own = stored(in_milvus)
    for name in (own._catalogue, *(kind.collection for kind in own._known().values())):
        line._server.write("release_collection", name)
    assert in_milvus.search(Query(like=[BEACH])).degraded == UNREACHABLE
    assert like(in_milvus) == like(library)
    assert in_milvus.search(Query(like=[BEACH])).degraded is None


def test_another_model_is_not_mixed_in(library: Library, in_milvus: Library, add: Add) -> None:
    like(in_milvus)
    for name in ("beach", "boat", "street"):
        add(library.store, name, ["a cup"], [0.0, 0.0, 0.0, 1.0], model="model-2")
    assert in_milvus.searcher().index.models["vgg16"] == "model-2"
    assert stored(in_milvus).models["vgg16"] == "model-2"
    assert stored(in_milvus).ids("vgg16").tolist() == [1, 3, 4]


def test_without_vectors_words_and_pictures_are_searched_by_captions(in_milvus: Library, line: Line) -> None:
    line.calls = 0
    words = in_milvus.search(Query("a dog on the beach"))
    assert words.hits[0].id == 1
    assert words.to_json()["degraded"] == UNREACHABLE
    assert words.notice.startswith("By captions only, vectors unreachable.")
    assert in_milvus.search(Query(like=[BEACH])).hits[0].id == 1
    with pytest.raises(VectorsUnreachable, match="cannot be searched now"):
        in_milvus.search(Query(like=[BEACH], by="vgg16"))
    assert near_copies(in_milvus.searcher().index, MODEL, 4, 5) == []


def test_a_picture_of_the_library_has_its_vectors_while_milvus_does_not_answer(
    library: Library, in_milvus: Library, line: Line
) -> None:
    line.calls = 0
    described = in_milvus.description(1)
    expected = library.description(1)
    assert described
    assert expected
    assert {kind: values.tolist() for kind, values in described.vectors.items()} == {
        kind: values.tolist() for kind, values in expected.vectors.items()
    }
    line.calls = 10**9
    hits, same = (one.search(Query(like=[QueryImage(described)]), distant=True).hits for one in (in_milvus, library))
    assert [hit.id for hit in hits] == [hit.id for hit in same]
    by = Query(like=[QueryImage(described)], by="vgg16")
    line.calls = 0
    with pytest.raises(VectorsUnreachable):
        in_milvus.search(by)


def test_a_picture_without_a_kind_of_vectors_has_zeros_of_it(library: Library, in_milvus: Library, add: Add) -> None:
    add(library.store, "shore", ["a dog on the shore"], [1.0, 0.1, 0.0, 0.0], further={"alike": np.ones(3, np.float32)})
    for picture in (1, 6):
        ours, theirs = (one.description(picture) for one in (in_milvus, library))
        assert ours
        assert theirs
        assert ours.vectors.keys() == theirs.vectors.keys() == {"vgg16", "joint", "alike"}
        for kind, values in theirs.vectors.items():
            assert ours.vectors[kind].tolist() == pytest.approx(values.tolist(), abs=1e-6)


def test_one_process_copies(library: Library, in_milvus: Library, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "WAIT_SECONDS", 0.0)
    with remote.only_writer(library.settings.library / "vectors", wait=False):
        found = in_milvus.search(Query("a dog on the beach"))
        assert found.degraded == remote.COPYING
        assert found.total
    assert in_milvus.search(Query("a dog on the beach")).degraded is None


@pytest.mark.parametrize(
    "address",
    ["milvus:/x", "http://host:19530", "milvus://", "milvus://host:port", "vectors.sqlite", "milvus://h/a-b?c"],
)
def test_an_address_that_is_none_is_refused(library: Library, address: str) -> None:
    with pytest.raises(RetroflexError, match="give milvus://HOST:PORT"):
        Library(replace(library.settings, vectors=address), library.store, merges=False)


def test_a_password_is_not_told() -> None:
    address = milvus_client.read_address("milvus+tls://ann:se%40cret@db.example/pictures")
    assert address == ("https://db.example:19530", "milvus://db.example:19530", "ann", "se@cret", "pictures")
    with pytest.raises(RetroflexError) as refused:
        milvus_client.read_address("milvus://ann:secret@db.example/a/b")
    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_one_line(library: Library) -> None:
    nobody = Library(replace(library.settings, vectors="milvus://127.0.0.1:1"), library.store, merges=False)
    assert nobody.search(Query("a dog on the beach")).degraded == UNREACHABLE
    with pytest.raises(VectorsUnreachable, match=r"^the vectors in milvus://127.0.0.1:1 cannot be reached: [^\n]+$"):
        nobody.copy_vectors(lambda done, total: None)
