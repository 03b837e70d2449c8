"""BLEU's candidates out of Milvus Lite: exact scores, nearly all of the best, and in step with the captions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.types import JOINT
from data.records import content_hash
from data.settings import Settings, load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store
from data.text import fold, tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant
from retrieval.index import candidates, remote
from retrieval.index.candidates import NGRAMS, candidates_told, ngram_vectors
from retrieval.index.index import CANDIDATES, Index
from retrieval.library import Library
from retrieval.search import retrievers
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from retrieval.vectors import milvus_client
from retrieval.vectors.milvus import MilvusVectorStore
from retrieval.vectors.milvus_client import MilvusConnection
from tests.retrieval.bleu.test_score import nltk_score
from tests.retrieval.conftest import MODEL
from tests.retrieval.index.test_remote import Line

PICTURES, BEST = 400, 30
THINGS = ("dog", "cat", "man", "boat", "girl", "horse", "ball", "car", "bird", "boy", "hat", "tree")
DOES = ("runs", "sits", "plays", "stands", "jumps")
PLACES = ("on the grass", "in the water", "by a house", "on a street", "near the beach", "in the snow")


def caption(random: np.random.Generator) -> str:
    one, other = random.choice(THINGS, 2, replace=False)
    return f"a {one} {random.choice(DOES)} with a {other} {random.choice(PLACES)}"


def described(name: str, captions: list[str]) -> Batch:
    digest = content_hash(name.encode())
    vectors = {"vgg16": np.ones(4, np.float32), JOINT: np.ones(3, np.float32)}
    return Batch(
        files=[FileRow(f"/photos/{name}.jpg".encode(), 1, 1, digest)],
        pictures=[PictureRow(digest, 50, 40, "JPEG", 1, None)],
        descriptions=[DescriptionRow(digest, "model-1", [CaptionRow(text, -1.0) for text in captions], vectors)],
    )


def joined(batches: list[Batch]) -> Batch:
    return Batch(
        files=[row for one in batches for row in one.files],
        pictures=[row for one in batches for row in one.pictures],
        descriptions=[row for one in batches for row in one.descriptions],
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Those of a library of PICTURES with two captions each, whose n-grams are in Milvus."""
    folder = tmp_path_factory.mktemp("candidates") / "library"
    random = np.random.default_rng(0)
    with closing(Library.open(load_settings(library=folder), create=True)) as made:
        named = [described(f"picture {number}", [caption(random), caption(random)]) for number in range(PICTURES)]
        made.store.write_batch(joined(named))
    return replace(load_settings(library=folder), vectors="of_the_fixture.db", bleu_candidates="milvus")


@pytest.fixture
def line(milvus_lite: MilvusConnection, monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line(milvus_lite)
    for module in (remote, candidates):
        monkeypatch.setattr(module, "MilvusConnection", lambda address: made)
    monkeypatch.setattr(remote, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(milvus_client, "PAUSE_SECONDS", 0.0)
    return made


@pytest.fixture
def library(settings: Settings, line: Line) -> Iterator[Library]:
    with closing(Library.open(settings)) as opened:
        yield opened


@pytest.fixture
def only_milvus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The postings may score, not find."""

    def refuse(*arguments: object) -> None:
        raise AssertionError("the postings were searched")

    monkeypatch.setattr(BleuPostings, "top", refuse)


def in_milvus(library: Library) -> MilvusVectorStore:
    assert library._remote is not None
    return library._remote._opened()


def said(store: Store) -> dict[int, list[list[str]]]:
    captions = store.captions(store.searched_items()[1].tolist())
    return {item: [[fold(word) for word in tokenize(one.text)] for one in own] for item, own in captions.items()}


def truth(library: Library, query: list[str], variant: BleuVariant) -> dict[int, float]:
    folded = [fold(word) for word in query]
    return {item: nltk_score(folded, own, variant) for item, own in said(library.store).items()}


def queries(count: int) -> list[tuple[list[str], BleuVariant]]:
    random = np.random.default_rng(1)
    whole = [tokenize(caption(random)) for _ in range(count)]
    typed = [random.choice(one, 3, replace=False).tolist() for one in whole]
    return [*((one, TYPED_VARIANT) for one in typed), *((one, CAPTION_VARIANT) for one in whole)]


@pytest.mark.usefixtures("only_milvus")
def test_scores_are_those_of_nltk_and_the_best_are_kept(library: Library) -> None:
    captions, kept = library.searcher().index.captions, []
    for query, variant in queries(4):
        exact = truth(library, query, variant)
        found = captions.top(query, variant, BEST)
        assert found.scores.tolist() == pytest.approx([exact[item] for item in found.ids.tolist()], abs=1e-9)
        assert found.ids.tolist() == [found.ids[row] for row in np.lexsort((found.ids, -found.scores))]
        best = sorted(exact.values(), reverse=True)[:BEST]
        kept.append(np.count_nonzero(found.scores >= np.array(best) - 1e-9))
    assert kept[:4] == [BEST] * 4  # typed words
    assert min(kept) >= 24  # whole captions, whose brevity penalty no product knows
    assert np.mean(kept) > 0.97 * BEST


@pytest.mark.usefixtures("only_milvus")
def test_only_what_filters_allow_is_found(library: Library) -> None:
    index, query = library.searcher().index, ["dog", "on", "grass"]
    exact = truth(library, query, TYPED_VARIANT)
    few, half, most = index.ids[7:60:5], index.ids[::2], index.ids[:390]
    assert len(few) < CANDIDATES * BEST < len(half)
    for allowed in (few, half, most, few[:0], np.array([10**6])):
        found = index.captions.top(query, TYPED_VARIANT, BEST, allowed)
        assert set(found.ids.tolist()) <= set(allowed.tolist())
        best = sorted((exact[item] for item in allowed.tolist() if exact.get(item)), reverse=True)[:BEST]
        assert found.scores.tolist() == pytest.approx(best, abs=1e-9)


def test_a_narrow_filter_is_searched_by_the_postings(library: Library) -> None:
    index = library.searcher().index
    rare = index.ids[:100]
    ours, theirs = (
        one.captions.top(["cat"], TYPED_VARIANT, BEST, rare) for one in (index, replace(index, candidates=None))
    )
    assert ours.ids.tolist() == theirs.ids.tolist()
    assert ours.scores.tolist() == theirs.scores.tolist()


def test_a_search_by_words_uses_them(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.__dict__["model"] = MODEL
    monkeypatch.setattr(retrievers, "EVERY", 10)
    monkeypatch.setattr(retrievers, "NEAREST", 60)
    plain = Searcher(library.store, replace(library.searcher().index, candidates=None), MODEL)
    same = plain.search(Query("a dog near the beach"), 10).to_json()
    monkeypatch.setattr(BleuPostings, "top", None)
    assert library.search(Query("a dog near the beach"), 10).to_json() == same
    assert len(same["hits"]) == 10


def first_of(index: Index, text: str) -> tuple[int, float]:
    found = index.captions.top(tokenize(text), CAPTION_VARIANT, BEST)
    return int(found.ids[0]), float(found.scores[0])


@pytest.mark.usefixtures("only_milvus")
def test_edits_deletions_and_a_restart_are_followed(library: Library, settings: Settings, line: Line) -> None:
    text = "two penguins dance under a violet umbrella"
    library.searcher()
    library.store.set_user_caption(5, text)
    assert first_of(library.searcher().index, text) == (5, pytest.approx(1.0))
    library.store.write_batch(described("another", [f"{text} today"]))
    library.store.remove([b"/photos/picture 4.jpg"])  # the id 5
    another = PICTURES + 1
    found = library.searcher().index.captions.top(tokenize(text), CAPTION_VARIANT, BEST)
    assert found.ids[0] == another
    assert 5 not in found.ids
    own = in_milvus(library)
    assert own.ids(NGRAMS).tolist() == library.searcher().index.ids.tolist() == sorted(said(library.store))
    calls = line.calls
    with closing(Library.open(settings)) as again:
        assert first_of(again.searcher().index, text)[0] == another
    assert calls - line.calls < 12  # nothing is copied again
    library.store.set_user_caption(another, "a plain cup")
    own.delete_of(NGRAMS, np.array([1, 2, 3]))  # what Milvus lost is copied again with the next change
    assert library.searcher().index.candidates is not None
    assert own.count(NGRAMS) == PICTURES


def test_a_cut_at_any_call_loses_nothing(library: Library, line: Line) -> None:
    library.searcher()
    for calls in range(0, 40, 6):
        text = f"a zebra number {calls} sleeps"
        library.store.set_user_caption(20, text)
        line.calls = calls
        assert first_of(library.searcher().index, text) == (20, pytest.approx(1.0))
        line.calls = 10**9
        assert first_of(library.searcher().index, text) == (20, pytest.approx(1.0))
        assert library.searcher().index.candidates is not None
    assert in_milvus(library).count(NGRAMS) == len(said(library.store))


def test_the_search_index_finds_where_milvus_has_no_sparse_vectors(
    settings: Settings, line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(line, "without_sparse", lambda: "2.3.5")
    with closing(Library.open(settings)) as opened, caplog.at_level(logging.WARNING):
        index = opened.searcher().index
        opened.store.set_user_caption(9, "one yellow kite")
        assert first_of(opened.searcher().index, "one yellow kite")[0] == 9
        assert index.candidates is None
        assert index.degraded == ""
        assert NGRAMS not in in_milvus(opened).models
        told = candidates_told(settings)
    assert "Milvus 2.3.5" in told
    assert "search index" in told
    assert [one.getMessage() for one in caplog.records] == [f"BLEU {told}"]


def test_without_the_setting_nothing_is_stored(settings: Settings, library: Library, tmp_path: Path) -> None:
    library.searcher()
    assert NGRAMS in in_milvus(library).models
    assert candidates_told(settings).startswith("finds candidates in ")
    with closing(Library.open(replace(settings, bleu_candidates="index"))) as plain:
        assert plain.searcher().index.candidates is None
        assert NGRAMS not in in_milvus(plain).models


def test_a_picture_without_captions_has_no_ngrams(library: Library) -> None:
    library.store.write_batch(described("silent", []))
    library.store.write_batch(described("mute", ["..."]))
    ids = library.store.searched_items()[1]
    vectors = ngram_vectors(library.store, ids)
    index = library.searcher().index
    assert len(vectors) == index.captioned == len(index) - 1
    assert in_milvus(library).count(NGRAMS) == len(vectors)
