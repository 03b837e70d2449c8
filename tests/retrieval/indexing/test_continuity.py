"""A picture whose file is edited, moved or away stays the same picture, with what a person made of it."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import update

from data.choices import Copy, read_choices, remember_choices
from data.colour.names import names_of
from data.metadata.dates import now
from data.paths import to_bytes
from data.records import Batch
from data.store import Store
from data.tables import absent_files, pictures
from retrieval.indexing.indexer import Report
from tests.conftest import draw_picture
from tests.retrieval.indexing.test_indexer import FakeCaptioner, run

MINE = "grandmother's garden"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")


@pytest.fixture
def folder(tmp_path: Path, store: Store) -> Path:
    """An indexed folder: a.jpg (1), which a person captioned and decided to keep, b.png (2) and c.png (3)."""
    made = tmp_path / "photos"
    made.mkdir()
    draw_picture(made / "a.jpg", "red", (400, 300), seed=1)
    run(store, made)
    draw_picture(made / "b.png", "green", seed=2)
    run(store, made)
    draw_picture(made / "c.png", "blue", seed=3)
    run(store, made)
    store.set_user_caption(1, MINE)
    remember_choices(store, "near-1", {Copy(1): True})
    return made


def with_exif(path: Path, target: Path | None = None, **tags: object) -> None:
    """Write other EXIF data into a JPEG; its compressed pixels stay as they are."""
    exif = Image.Exif()
    exif[0x010E] = "a description"
    for name, value in tags.items():
        exif[{"orientation": 0x0112}[name]] = value
    block = exif.tobytes()
    content = path.read_bytes()
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    (target or path).write_bytes(content[:2] + segment + content[2:])


def captions(store: Store) -> dict[str, tuple[int, str]]:
    """By file name the id of its picture and the first caption."""
    found = store.pictures(store.searched_ids()[1].tolist()).values()
    return {os.path.basename(path).decode(): (one.id, one.texts[0]) for one in found for path in one.paths}


def edit_exif(path: Path) -> None:
    with_exif(path)


def rotate(path: Path) -> None:
    Image.open(path).rotate(90, expand=True).save(path)


def export(path: Path) -> None:
    image = Image.open(path)
    ImageEnhance.Brightness(image.resize((200, 150))).enhance(1.2).save(path, quality=50)


def replace(path: Path) -> None:
    draw_picture(path, "grey", seed=50)


@pytest.mark.parametrize("edit", [edit_exif, rotate, export, replace])
def test_an_edit_in_place_keeps_id_caption_history_and_decision(store: Store, folder: Path, edit: object) -> None:
    before = store.pictures([1])[1]
    edit(folder / "a.jpg")  # type: ignore[operator]
    report = run(store, folder)
    assert (report.captioned, report.gone, captions(store)["a.jpg"]) == (1, 0, (1, MINE))
    after = store.pictures([1])[1]
    assert (after.digest != before.digest, after.bytes) == (True, (folder / "a.jpg").stat().st_size)
    assert (after.width, after.height) == Image.open(folder / "a.jpg").size
    assert len(after.captions) == 2
    assert read_choices(store)[Copy(1)].keep
    assert store.can_undo_caption(1)
    assert store.status().pictures == 3
    assert run(store, folder).unchanged == 3


def test_new_pixels_are_described_anew(store: Store, folder: Path) -> None:
    replace(folder / "a.jpg")
    before = next(store.searched_pictures([1]))
    generation = store.generation()
    run(store, folder)
    after = next(store.searched_pictures([1]))
    assert before.captions[1] != after.captions[1]
    assert before.vectors["vgg16"].values.tolist() != after.vectors["vgg16"].values.tolist()
    changes = store.changes(generation)
    assert changes is not None
    assert (changes.changed.tolist(), len(changes.gone)) == ([1], 1)


def test_an_edit_of_one_of_two_copies_leaves_the_other_as_it_is(store: Store, folder: Path) -> None:
    shutil.copy(folder / "a.jpg", folder / "copy.jpg")
    run(store, folder)
    replace(folder / "a.jpg")
    run(store, folder)
    found = captions(store)
    assert found["copy.jpg"] == (1, MINE)
    assert found["a.jpg"][0] != 1
    assert found["a.jpg"][1] == MINE


def test_a_backup_beside_the_edited_file_keeps_the_caption_on_both(store: Store, folder: Path) -> None:
    (folder / "a.jpg").rename(folder / "a_original.jpg")
    export_of = Image.open(folder / "a_original.jpg")
    ImageEnhance.Brightness(export_of).enhance(1.05).save(folder / "a.jpg")
    run(store, folder)
    assert {name: text for name, (_, text) in captions(store).items() if name[0] == "a"} == {
        "a.jpg": MINE,
        "a_original.jpg": MINE,
    }


class Told(FakeCaptioner):
    """Gives every picture a vector of its own direction, so no two look alike."""

    def caption(self, features):  # type: ignore[no-untyped-def]
        described = super().caption(features)
        for one in described:
            one.vectors["vgg16"] = one.vectors["vgg16"] - one.vectors["vgg16"].mean()
        return described


def test_renumbered_files_keep_their_own_captions(store: Store, tmp_path: Path) -> None:
    """1 becomes 2, 2 becomes 3, and another picture takes the first name."""
    folder = tmp_path / "numbered"
    folder.mkdir()
    Image.new("RGB", (40, 40), (250, 0, 0)).save(folder / "1.png")
    run(store, folder, Told())
    Image.new("RGB", (40, 41), (250, 0, 0)).save(folder / "2.png")
    run(store, folder, Told())
    store.set_user_caption(1, "first")
    store.set_user_caption(2, "second")
    (folder / "2.png").rename(folder / "3.png")
    (folder / "1.png").rename(folder / "2.png")
    Image.new("RGB", (40, 42), (0, 0, 250)).save(folder / "1.png")
    run(store, folder, Told())
    found = captions(store)
    assert (found["2.png"], found["3.png"]) == ((1, "first"), (2, "second"))
    assert found["1.png"][1].startswith("a tone")


def _text(value: str) -> PngInfo:
    info = PngInfo()
    info.add_text("Comment", value)
    return info


@pytest.mark.parametrize("orientation", [None, 6])
def test_other_metadata_at_another_path_is_the_same_picture(
    store: Store, folder: Path, orientation: int | None
) -> None:
    (folder / "trip").mkdir()
    tags = {} if orientation is None else {"orientation": orientation}
    with_exif(folder / "a.jpg", folder / "trip" / "moved.jpg", **tags)
    (folder / "a.jpg").unlink()
    run(store, folder)
    assert captions(store)["moved.jpg"] == (1, MINE)
    expected = (400, 300) if orientation is None else (300, 400)
    assert (store.pictures([1])[1].width, store.pictures([1])[1].height) == expected
    assert store.status().absent == 0


def test_other_compression_of_a_png_is_the_same_picture(store: Store, folder: Path) -> None:
    store.set_user_caption(2, "a green one")
    Image.open(folder / "b.png").save(folder / "smaller.png", compress_level=9, pnginfo=_text("stripped"))
    (folder / "b.png").unlink()
    run(store, folder)
    assert captions(store)["smaller.png"] == (2, "a green one")


def test_a_moved_and_edited_file_wins_over_new_content_at_its_old_path(store: Store, folder: Path) -> None:
    with_exif(folder / "a.jpg", folder / "z.jpg")
    replace(folder / "a.jpg")
    run(store, folder)
    found = captions(store)
    assert found["z.jpg"] == (1, MINE)
    assert found["a.jpg"][0] != 1


def test_swapped_files_take_their_captions_along(store: Store, folder: Path) -> None:
    store.set_user_caption(2, "second")
    for source, target in (("b.png", "x.png"), ("c.png", "b.png"), ("x.png", "c.png")):
        (folder / source).rename(folder / target)
    os.utime(folder / "b.png", (1, 1))
    os.utime(folder / "c.png", (2, 2))
    captioner = FakeCaptioner()
    run(store, folder, captioner)
    assert captioner.seen == 0
    assert captions(store)["c.png"] == (2, "second")
    assert captions(store)["b.png"][0] == 3


def test_an_unfinished_export_over_a_file_loses_nothing(store: Store, folder: Path) -> None:
    whole = folder / "a.jpg"
    export(whole)
    content = whole.read_bytes()
    whole.write_bytes(content[:20])
    assert len(run(store, folder).skipped) == 1
    whole.write_bytes(content)
    run(store, folder)
    assert captions(store)["a.jpg"] == (1, MINE)


def test_a_kill_before_the_end_is_made_good_by_the_next_run(store: Store, folder: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int, total: int, report: Report) -> None:
        if done:
            raise Killed

    replace(folder / "a.jpg")
    with pytest.raises(Killed):
        run(store, folder, progress=kill)
    assert captions(store)["a.jpg"][0] != 1
    store.prune()
    run(store, folder)
    assert captions(store)["a.jpg"] == (1, MINE)


def test_a_caption_written_before_the_next_run_is_kept_and_the_older_one_can_be_had_back(
    store: Store, folder: Path
) -> None:
    replace(folder / "a.jpg")
    with pytest.raises(KeyboardInterrupt):
        run(store, folder, progress=_interrupt)
    store.set_user_caption(captions(store)["a.jpg"][0], "newer")
    run(store, folder)
    assert captions(store)["a.jpg"] == (1, "newer")
    store.undo_user_caption(1)
    assert store.undo_user_caption(1) or captions(store)["a.jpg"] == (1, MINE)


def _interrupt(done: int, total: int, report: Report) -> None:
    if done:
        raise KeyboardInterrupt


def test_an_empty_mount_point_warns_and_forgets_nothing(store: Store, folder: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    folder.rename(away)
    folder.mkdir()
    report = run(store, folder)
    assert report.gone == 3
    assert len(report.warnings) == 1
    assert report.warnings[0].startswith(f"3 of 3 files in {folder} are gone; was a disk disconnected?")
    assert (store.status().pictures, store.status().absent, captions(store)) == (0, 3, {})
    assert run(store, folder).gone == 0
    folder.rmdir()
    away.rename(folder)
    captioner = FakeCaptioner()
    run(store, folder, captioner)
    assert (captioner.seen, captions(store)["a.jpg"], store.status().absent) == (0, (1, MINE), 0)


def test_an_empty_folder_below_the_root_is_told_too(store: Store, folder: Path) -> None:
    disk = folder / "disk" / "2019"
    disk.mkdir(parents=True)
    for number in range(2):
        draw_picture(disk / f"{number}.png", "grey", seed=60 + number)
    run(store, folder)
    shutil.rmtree(disk)
    (report,) = run(store, folder).warnings
    assert report.startswith(f"2 of 2 files in {folder}/disk are gone")
    (folder / "b.png").unlink()
    assert run(store, folder).warnings == []


def test_a_picture_that_comes_back_edited_is_the_same(store: Store, folder: Path) -> None:
    content = (folder / "a.jpg").read_bytes()
    (folder / "a.jpg").unlink()
    run(store, folder)
    (folder / "a.jpg").write_bytes(content)
    with_exif(folder / "a.jpg")
    run(store, folder)
    assert captions(store)["a.jpg"] == (1, MINE)


def pass_days(store: Store, days: int) -> None:
    with store.writing() as connection:
        connection.execute(update(absent_files).values(since=now() - timedelta(days=days)))


def test_thirty_days_later_only_what_a_person_made_is_kept(store: Store, folder: Path) -> None:
    content = (folder / "a.jpg").read_bytes()
    for name in ("a.jpg", "b.png"):
        (folder / name).unlink()
    run(store, folder)
    pass_days(store, 29)
    run(store, folder)
    assert list(store.pictures([1, 2, 3])) == [1, 2, 3]
    pass_days(store, 31)
    run(store, folder)
    assert (list(store.pictures([1, 2, 3])), store.status().absent) == ([1, 3], 0)
    (folder / "other name.jpg").write_bytes(content)
    with_exif(folder / "other name.jpg")
    run(store, folder)
    assert captions(store)["other name.jpg"] == (1, MINE)
    assert read_choices(store)[Copy(1)].keep


def test_on_request_absent_pictures_are_forgotten_at_once(store: Store, folder: Path) -> None:
    for name in ("a.jpg", "b.png"):
        (folder / name).unlink()
    report = run(store, folder, forget=True)
    assert (report.gone, report.warnings, store.status().absent) == (2, [], 0)
    assert list(store.pictures([1, 2, 3])) == [1, 3]


def test_a_removed_picture_comes_back_with_its_caption(store: Store, folder: Path) -> None:
    store.remove([to_bytes(folder)])
    assert list(store.pictures([1, 2, 3])) == [1]
    with_exif(folder / "a.jpg")
    (folder / "a.jpg").rename(folder / "later.jpg")
    run(store, folder)
    assert captions(store)["later.jpg"] == (1, MINE)


def test_an_older_library_gets_hashes_and_colours_without_describing_anew(store: Store, folder: Path) -> None:
    def seen() -> dict[int, tuple[str, int]]:
        with store.reading() as connection:
            return {row.id: (row.pixels, row.colours) for row in connection.execute(pictures.select())}

    before = seen()
    assert len({pixels for pixels, _ in before.values()}) == 3
    assert all(name in names_of(before[number][1]) for number, name in enumerate(("red", "green", "blue"), 1))
    with store.writing() as connection:
        connection.execute(update(pictures).where(pictures.c.id != 3).values(pixels=None))
        connection.execute(update(pictures).where(pictures.c.id != 2).values(colours=0))
    captioner, steps = FakeCaptioner(), list[tuple[int, int]]()
    run(store, folder, captioner, progress=lambda done, total, report: steps.append((done, total)))
    assert seen() == before
    assert captioner.seen == 0
    assert steps[-1] == (3, 3)


def test_a_picture_removed_while_its_copy_is_indexed_is_described_again(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`retroflex remove` in another terminal, between reading the file and writing its row."""
    shutil.copy(folder / "b.png", folder / "copy.png")
    write = Store.write_batch

    def remove_first(self: Store, batch: Batch) -> None:
        monkeypatch.setattr(Store, "write_batch", write)
        store.remove([to_bytes(folder / "b.png")])
        write(self, batch)

    monkeypatch.setattr(Store, "write_batch", remove_first)
    report = run(store, folder)
    assert (report.captioned, captions(store)["copy.png"][0]) == (1, 4)
