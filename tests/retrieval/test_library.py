"""Open a library, follow its changes, and answer fast in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from captioner.types import JOINT
from data.errors import RetroflexError
from data.records import content_hash
from data.settings import load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store
from retrieval import library as library_module
from retrieval.library import Library, opened_for_indexing
from retrieval.search.query import Query, QueryImage
from tests.retrieval.conftest import GALLERY

ROOT = Path(__file__).parents[2]
PICTURES = 10_000
SECONDS = 0.3
FRESH = """
import json, sys, time
from pathlib import Path
from data.settings import load_settings
from retrieval.library import Library
from retrieval.search.query import Query
started = time.process_time()
total = Library.open(load_settings(library=Path(sys.argv[1]))).search(Query("word1 word2 word7 word40")).total
seconds = time.process_time() - started
loaded = {name.split(".")[0] for name in sys.modules}
heavy = {"tensorflow", "keras", "numba", "scipy", "nltk", "PIL", "psycopg", "av", "dlib", "mtcnn", "sklearn"} & loaded
print(json.dumps({"seconds": seconds, "total": total, "heavy": sorted(heavy)}))
"""


def test_without_a_library_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match="run `retroflex index DIR`") as error:
        Library.open(load_settings(library=tmp_path / "none"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "none").exists()


def test_a_library_is_made_and_found_again(tmp_path: Path) -> None:
    settings = load_settings(library=tmp_path / "new")
    Library.open(settings, create=True).close()
    assert Library.open(settings).search(Query("dog")).total == 0


def test_the_searcher_follows_the_store(
    library: Library, add: Callable[[Store, str, list[str], list[float]], None]
) -> None:
    before = library.searcher()
    assert library.searcher() is before
    add(library.store, "new", ["a zebra"], [1, 0, 0, 0])
    assert library.search(Query("zebra")).total == 1
    assert library.searcher() is not before


def test_another_process_finds_the_index_that_was_built(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = library.searcher().index.generation
    again = Library.open(library.settings)
    monkeypatch.setattr("retrieval.index.upkeep.build_segment", lambda *given: pytest.fail("built again without need"))
    assert again.searcher().index.generation == generation


def test_threads_share_one_rebuild(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    build = library_module.current_index
    monkeypatch.setattr(library_module, "current_index", lambda *given: built.append(1) or build(*given))
    totals: list[int] = []
    threads = [threading.Thread(target=lambda: totals.append(library.search(Query("dog")).total)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [2] * 8
    assert len(built) == 1


def test_one_picture_by_id(library: Library) -> None:
    found = library.picture(3)
    assert found is not None
    assert found.paths == [b"/photos/boat.jpg"]
    assert library.picture(99) is None


def made_up_batch(numbers: range, random: np.random.Generator) -> Batch:
    batch = Batch()
    words = np.minimum(random.zipf(1.3, (len(numbers), 2, 10)), 4000)
    for number, captions in zip(numbers, words.tolist(), strict=True):
        digest = content_hash(str(number).encode())
        rows = [CaptionRow(" ".join(f"word{word}" for word in caption), -1.0) for caption in captions]
        batch.files.append(FileRow(f"/photos/{number}.jpg".encode(), 1, 1, digest))
        batch.pictures.append(PictureRow(digest, 5, 5, "JPEG", 1, None))
        batch.descriptions.append(
            DescriptionRow(digest, "model", rows, {"vgg16": random.standard_normal(512).astype(np.float32)})
        )
    return batch


@pytest.mark.slow
def test_ten_thousand_pictures_are_searched_at_once_in_a_fresh_process(tmp_path: Path) -> None:
    """Processor time is limited, so that a busy machine does not fail the test."""
    random = np.random.default_rng(0)
    opened = Library.open(load_settings(library=tmp_path), create=True)
    for start in range(0, PICTURES, 2500):
        opened.store.write_batch(made_up_batch(range(start, start + 2500), random))
    opened.searcher()
    opened.close()
    command = [sys.executable, "-c", FRESH, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(result.stdout)
    assert told["total"] > PICTURES / 2
    assert told["heavy"] == []
    assert told["seconds"] < SECONDS


def test_a_picture_is_described_as_it_was_indexed(library: Library) -> None:
    known = library.description(3)
    assert known is not None
    captions, vector = GALLERY["boat"]
    assert [caption.text for caption in known.captions] == captions
    assert known.vectors["vgg16"] @ vector / np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
    assert JOINT in known.vectors
    assert library.search(Query(like=[QueryImage(known)])).hits[0].path == "/photos/boat.jpg"


def test_a_persons_caption_is_part_of_the_description(library: Library) -> None:
    library.store.set_user_caption(3, "our ferry")
    known = library.description(3)
    assert known is not None
    assert known.captions[0].text == "our ferry"


@pytest.mark.parametrize("number", [0, 6, 10**17])
def test_an_unknown_id_has_no_description(library: Library, number: int) -> None:
    assert library.description(number) is None


def test_a_picture_without_files_has_no_description(library: Library) -> None:
    library.store.set_user_caption(3, "our ferry")  # It stays in the store for the sake of this.
    library.store.remove([b"/photos/boat.jpg"])
    assert library.description(3) is None


def test_a_file_is_found_by_its_content_and_model(library: Library) -> None:
    assert library.description_of(content_hash(b"boat"), "model-1") is not None
    assert library.description_of(content_hash(b"boat"), "model-2") is None
    assert library.description_of(content_hash(b"ferry"), "model-1") is None


def test_a_new_library_that_stays_empty_is_removed_unless_others_use_it(tmp_path: Path) -> None:
    settings = load_settings(library=tmp_path / "new" / "library")

    def fail(meanwhile: Callable[[], object]) -> None:
        with opened_for_indexing(settings, create=True):
            meanwhile()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail(lambda: None)
    assert not (tmp_path / "new").exists()
    with ExitStack() as stack:
        with pytest.raises(RuntimeError):
            fail(lambda: stack.enter_context(opened_for_indexing(settings, create=True)))
        assert settings.exists
