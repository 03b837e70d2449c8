from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from data.paths import to_bytes
from data.store import (
    Batch,
    CaptionRow,
    DescriptionRow,
    FileRow,
    PictureRow,
    SearchedPicture,
    SkipRow,
    Store,
    StoredCaption,
    StoredFile,
    StoredPicture,
    StoreError,
)
from data.tables import features, items
from data.writes import new_items

MakeBatch = Callable[..., Batch]


def found(store: Store) -> dict[int, SearchedPicture]:
    """The pictures that searches find, by id."""
    return {one.id: one for one in store.searched_pictures(store.searched_ids()[1].tolist())}


def texts(store: Store, picture_id: int) -> list[str]:
    return [caption.text for caption in store.pictures([picture_id])[picture_id].captions]


def test_a_new_store_is_empty(store: Store) -> None:
    status = store.status()
    assert (status.pictures, status.files, status.captions, status.skipped, status.model_versions) == (0, 0, 0, 0, {})
    assert store.stored_files() == {}
    assert found(store) == {}
    assert store.main_models() == {}


def test_what_was_written_is_read_after_reopening(store_url: str, store: Store) -> None:
    path = b"/pictures/new\nline \xff.jpg"
    taken = datetime(2020, 1, 2, 3, 4, 5)
    vector = np.array([0.6, -0.8], np.float32)
    store.write_batch(
        Batch(
            files=[FileRow(path, 2**40, 2**62, "d1")],
            pictures=[PictureRow("d1", 4000, 3000, "JPEG", 2**40, taken)],
            descriptions=[
                DescriptionRow(
                    "d1",
                    "m1",
                    [CaptionRow("a dog", -1.5), CaptionRow("ein Hünd", -2)],
                    {"vgg16": vector},
                    {"cells": b"c"},
                )
            ],
            skipped=[SkipRow(b"/pictures/bad.png", 7, 8, "is empty (0 bytes)")],
        )
    )
    generation = store.generation()
    store.close()
    again = Store.open(store_url)
    captions = [StoredCaption("a dog", -1.5, "model", "m1"), StoredCaption("ein Hünd", -2.0, "model", "m1")]
    assert again.pictures([1]) == {
        1: StoredPicture(1, "d1", [path], 4000, 3000, "JPEG", 2**40, taken, captions),
    }
    assert again.stored_files() == {path: StoredFile(2**40, 2**62, "d1"), b"/pictures/bad.png": StoredFile(7, 8, "")}
    assert again.skipped_files() == [(b"/pictures/bad.png", "is empty (0 bytes)")]
    assert again.generation() == generation == again.status().generation
    assert found(again)[1].vectors["vgg16"].values == pytest.approx(vector, abs=1e-3)
    assert again.features([1, 2], "cells", "m1") == {1: b"c"}
    assert again.features([1], "cells", "m2") == {}
    again.close()


def test_every_writing_call_raises_the_generation(store: Store, batch_of: MakeBatch) -> None:
    seen = [store.generation()]
    for write in (
        lambda: store.write_batch(batch_of(b"/a.jpg")),
        lambda: store.set_user_caption(1, "mine"),
        store.prune,
        lambda: store.remove([b"/a.jpg"]),
        lambda: store.write_batch(Batch()),
    ):
        write()
        seen.append(store.generation())
    assert seen == sorted(set(seen))


def test_a_store_made_again_never_repeats_a_generation(tmp_path: Path) -> None:
    generations = []
    for name in ("a", "b"):
        store = Store.open(f"sqlite:///{tmp_path}/{name}")
        store.write_batch(Batch())
        generations.append(store.generation())
        store.close()
    assert generations[0] < generations[1]


def test_describe_needed_names_unknown_stale_and_bare_pictures(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/new.jpg", model="m2", digest="new"))
    store.write_batch(batch_of(b"/old.jpg", model="m1", digest="old"))
    store.write_batch(Batch(pictures=[PictureRow("bare", 1, 1, "PNG", 1, None)]))
    digests = {"new", "old", "bare", "unknown"}
    assert store.describe_needed(digests, "m2") == {"old", "bare", "unknown"}
    assert store.describe_needed([], "m2") == set()
    many = {f"unknown {number}" for number in range(2500)} | {"new"}
    assert store.describe_needed(many, "m2") == many - {"new"}


def test_a_new_model_replaces_its_captions_but_never_the_users(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg", model="m1"))
    store.set_user_caption(1, "  grandma's\n dog ")
    store.write_batch(batch_of(b"/a.jpg", model="m2"))
    assert texts(store, 1) == ["grandma's dog", "best by m2", "second by m2"]
    assert store.pictures([1])[1].captions[0] == StoredCaption("grandma's dog", None, "user", None)
    assert store.status().model_versions == {"m2": 1}
    assert store.status().user_captions == 1
    assert found(store)[1].captions == ["grandma's dog", "best by m2", "second by m2"]


def test_a_second_user_caption_replaces_the_first(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    store.set_user_caption(1, "first")
    store.set_user_caption(1, "stray byte \udcff")
    assert texts(store, 1)[0] == "stray byte ?"
    assert store.status().user_captions == 1


def test_changes_of_a_caption_are_undone_one_by_one(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    assert not store.can_undo_caption(1)
    steps = [lambda: store.set_user_caption(1, "first"), lambda: store.set_user_caption(1, "second")]
    seen = [texts(store, 1)]
    for step in [*steps, lambda: store.remove_user_caption(1), steps[0]]:
        step()
        seen.append(texts(store, 1))
    store.write_batch(batch_of(b"/a.jpg", model="m1"))
    assert [one[0] for one in seen] == ["best by m1", "first", "second", "best by m1", "first"]
    while store.can_undo_caption(1):
        assert texts(store, 1) == seen.pop()
        assert store.undo_user_caption(1)
    assert seen == [texts(store, 1)]
    assert not store.undo_user_caption(1)


def test_the_same_caption_again_is_no_change(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    store.remove_user_caption(1)
    assert not store.can_undo_caption(1)
    store.set_user_caption(1, "mine")
    store.set_user_caption(1, " mine ")
    store.undo_user_caption(1)
    assert not store.can_undo_caption(1)


def test_what_a_person_wrote_once_is_kept_when_its_picture_is_removed(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    store.set_user_caption(1, "mine")
    store.remove_user_caption(1)
    store.remove([b"/a.jpg"])
    store.write_batch(batch_of(b"/b.jpg", digest="digest of b'/a.jpg'"))
    assert store.undo_user_caption(1)
    assert texts(store, 1)[0] == "mine"


@pytest.mark.parametrize(("picture_id", "text"), [(7, "mine"), (1, " \n ")])
def test_a_user_caption_needs_a_picture_and_a_word(
    store: Store, batch_of: MakeBatch, picture_id: int, text: str
) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    with pytest.raises(StoreError):
        store.set_user_caption(picture_id, text)
    with pytest.raises(StoreError):
        store.remove_user_caption(7)
    assert not store.undo_user_caption(7)
    assert store.status().user_captions == 0


def test_the_same_picture_in_two_files_is_stored_once(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/b.jpg", b"/a.jpg", digest="same"))
    store.write_batch(batch_of(b"/c.jpg", digest="same"))
    status = store.status()
    assert (status.pictures, status.files, status.captions) == (1, 3, 2)
    assert store.pictures([1])[1].paths == [b"/a.jpg", b"/b.jpg", b"/c.jpg"]


def test_a_renamed_file_keeps_its_picture_and_captions(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/old.jpg", digest="same"))
    store.set_user_caption(1, "mine")
    store.write_batch(Batch(gone=[b"/old.jpg"], files=[FileRow(b"/new.jpg", 10, 2, "same")]))
    assert store.prune() == 0
    assert store.pictures([1])[1].paths == [b"/new.jpg"]
    assert texts(store, 1)[0] == "mine"


def test_a_path_with_other_content_moves_to_the_new_picture(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg", digest="before"))
    store.write_batch(batch_of(b"/a.jpg", digest="after", size=11))
    assert store.stored_files() == {b"/a.jpg": StoredFile(11, 1, "after")}
    assert list(found(store)) == [2]
    assert store.pictures([1])[1].paths == []
    assert store.prune() == 0
    assert store.remove([b"/a.jpg"]) == 1
    assert store.pictures([1, 2]) == {}


def test_pictures_without_files_are_not_searched_but_keep_their_captions(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg", b"/b.jpg"))
    store.write_batch(Batch(gone=[b"/a.jpg"]))
    assert list(found(store)) == [2]
    assert store.status().pictures == 1
    assert texts(store, 1) == ["best by m1", "second by m1"]


def test_prune_spares_pictures_with_a_users_caption(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg", b"/b.jpg", b"/c.jpg"))
    store.set_user_caption(2, "mine")
    store.write_batch(Batch(gone=[b"/a.jpg", b"/b.jpg"]))
    assert (store.prune(), store.status().absent) == (0, 2)
    store.remove([b"/a.jpg", b"/b.jpg"])
    assert store.pictures([1, 2, 3]).keys() == {2, 3}
    assert (store.prune(), store.status().absent) == (0, 0)


def test_ids_are_never_used_again(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    store.remove([b"/a.jpg"])
    store.write_batch(batch_of(b"/b.jpg"))
    assert store.pictures([1, 2]).keys() == {2}


def test_a_file_turns_bad_and_good_again(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg", digest="good"))
    store.write_batch(Batch(skipped=[SkipRow(b"/a.jpg", 3, 4, "is damaged")]))
    assert store.stored_files() == {b"/a.jpg": StoredFile(3, 4, "")}
    assert store.status().files == 0
    store.write_batch(batch_of(b"/a.jpg", digest="good"))
    assert store.stored_files() == {b"/a.jpg": StoredFile(10, 1, "good")}
    assert store.skipped_files() == []


def test_remove_forgets_what_is_at_or_below_the_paths_only(store: Store, batch_of: MakeBatch) -> None:
    kept = [b"/trips.jpg", b"/trip", b"/trip0/a.jpg", b"/trip.d/a.jpg", b"/other/trip/a.jpg", b"/%rip/a.jpg"]
    store.write_batch(batch_of(*kept, b"/trip/a.jpg", b"/trip/day/\xff.jpg", b"/one.jpg"))
    store.write_batch(Batch(skipped=[SkipRow(b"/trip/bad.jpg", 1, 1, "is empty")]))
    assert store.remove([b"/trip/", b"/one.jpg", b"/nowhere"]) == 5
    assert sorted(store.stored_files()) == sorted(path for path in kept if path != b"/trip")
    assert store.status().pictures == 5
    assert store.remove([b"/"]) == 5
    assert store.status().pictures == 0


def test_stored_files_below_roots(
    store: Store, batch_of: MakeBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inside, outside = to_bytes(tmp_path / "in/a.jpg"), to_bytes(tmp_path / "inside.jpg")
    store.write_batch(batch_of(inside, outside))
    store.write_batch(Batch(skipped=[SkipRow(to_bytes(tmp_path / "in/bad.jpg"), 1, 1, "is empty")]))
    assert store.stored_files([Path("in")]).keys() == {inside, to_bytes(tmp_path / "in/bad.jpg")}
    assert store.stored_files([tmp_path / "inside.jpg"]).keys() == {outside}
    assert store.stored_files([]) == {}
    many = [tmp_path / f"{number}.jpg" for number in range(2500)]
    assert store.stored_files([*many, tmp_path]).keys() == store.stored_files().keys()


def test_pictures_come_in_the_requested_order(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(*(b"/%d.jpg" % number for number in range(1200))))
    ids = [1200, 3, 9999, 700, 3]
    assert list(store.pictures(ids)) == [1200, 3, 700]
    assert len(store.pictures(range(1, 1201))) == 1200
    assert store.pictures([]) == {}


def test_long_walks_stream_in_order(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(*(b"/%d.jpg" % number for number in range(1000))))
    assert list(found(store)) == list(range(1, 1001))
    assert all((one.vectors["vgg16"].values == 0.5).all() for one in found(store).values())


def test_the_main_model_described_most_pictures_that_have_a_file(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/1.jpg", b"/2.jpg", b"/3.jpg", model="m2"))
    store.write_batch(batch_of(b"/4.jpg", b"/5.jpg", model="m1"))
    assert store.main_models() == {"vgg16": "m2"}
    store.write_batch(Batch(gone=[b"/1.jpg"]))
    assert store.main_models() == {"vgg16": "m1"}
    assert {one.vectors["vgg16"].model_version for one in found(store).values()} == {"m1", "m2"}


def test_a_walk_left_early_does_not_block_writers(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/1.jpg", b"/2.jpg"))
    walk = store.searched_pictures([1, 2])
    next(walk)
    store.write_batch(batch_of(b"/3.jpg"))
    assert len(list(walk)) == 1


@pytest.mark.parametrize("part", ["files", "descriptions"])
def test_a_batch_with_an_unknown_picture_is_refused_whole(store: Store, batch_of: MakeBatch, part: str) -> None:
    whole = batch_of(b"/a.jpg", b"/b.jpg")
    before = store.generation()
    lacking = Batch(pictures=whole.pictures[:1], **{part: getattr(whole, part)})
    with pytest.raises(StoreError, match="neither stored nor in the batch"):
        store.write_batch(lacking)
    assert store.generation() == before
    assert store.describe_needed([row.digest for row in whole.pictures], "m1")
    assert store.status().files == 0


def test_threads_write_and_read_at_once(store: Store, batch_of: MakeBatch) -> None:
    failures: list[Exception] = []

    def work(worker: int) -> None:
        try:
            for number in range(10):
                store.write_batch(batch_of(b"/%d/%d.jpg" % (worker, number)))
                assert all(len(one.captions) == 2 for one in found(store).values())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.status().files == 40


def test_kinds_of_features_exist_side_by_side(store: Store) -> None:
    one, two = np.ones(2), np.array([0.5])
    rows = [
        DescriptionRow("d1", "m1", [CaptionRow("a dog", -1.0)], {"vgg16": one}, {"cells": b"old"}),
        DescriptionRow("d1", "tiny-1", None, {"tiny": two}),
        DescriptionRow("d2", "m1", [], {"vgg16": one, "joint": two}),
    ]
    digests = ("d1", "d2")
    pictures = [PictureRow(digest, 4, 3, "JPEG", 9, None) for digest in digests]
    files = [FileRow(digest.encode(), 9, 1, digest) for digest in digests]
    store.write_batch(Batch(files, pictures, rows))
    kinds = [{kind: one.model_version for kind, one in picture.vectors.items()} for picture in found(store).values()]
    assert kinds == [{"vgg16": "m1", "tiny": "tiny-1"}, {"vgg16": "m1", "joint": "m1"}]
    assert store.main_models() == {"vgg16": "m1", "joint": "m1", "tiny": "tiny-1"}
    assert store.status().model_versions == {"m1": 2, "tiny-1": 1}
    assert store.describe_needed(digests, "tiny-1") == {"d2"}
    assert store.pictures([1])[1].texts == ["a dog"]


def test_a_new_captioner_replaces_only_what_the_one_before_made(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    digest = store.pictures([1])[1].digest
    vector = np.ones(2)
    store.write_batch(
        Batch(
            descriptions=[
                DescriptionRow(digest, "m1", [], {"vgg16": vector, "joint": vector}, {"cells": b"c"}),
                DescriptionRow(digest, "tiny-1", None, {"tiny": vector}),
            ]
        )
    )
    store.write_batch(Batch(descriptions=[DescriptionRow(digest, "m1", [CaptionRow("a dog", 0)], {"vgg16": vector})]))
    store.write_batch(Batch(descriptions=[DescriptionRow(digest, "m2", [CaptionRow("a cat", 0)], {"vgg16": vector})]))
    assert set(found(store)[1].vectors) == {"vgg16", "tiny"}
    assert store.features([1], "cells", "m1") == {}


def test_pictures_are_items_and_a_dropped_one_leaves_nothing(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg", b"/b.jpg"))
    with store.writing() as connection:
        (face,) = new_items(connection, [{"kind": "face", "parent_id": 2, "box_left": 0.1, "box_width": 0.2}])
    assert face == 3
    store.remove([b"/b.jpg"])
    with store.reading() as connection:
        rows = connection.execute(select(items.c.id, items.c.kind)).all()
        assert list(map(tuple, rows)) == [(1, "picture")]
        assert set(connection.scalars(select(features.c.item_id))) == {1}
    store.write_batch(batch_of(b"/c.jpg"))
    assert list(store.pictures(range(9))) == [1, 4]  # No id is given twice.
