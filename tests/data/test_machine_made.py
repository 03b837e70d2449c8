"""Folders that machines made are known by their names, and some by what is beside or above them."""

from __future__ import annotations

import pytest

from data.machine_made import is_machine_made, left_out_text


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir", "@EADIR", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "$RECYCLE.BIN",
        "System Volume Information", ".Trash-1000", ".Trashes", "__MACOSX", "lost+found", ".thumbnails", ".cache",
        ".dtrash", ".stversions", ".stfolder", "Catalog Previews.lrdata", "appdata_oc1a2b3c", ".@__thumb",
    ],
)  # fmt: skip
def test_names_of_machines(name: str) -> None:
    assert is_machine_made(name, "photos", list)


@pytest.mark.parametrize(
    ("name", "parent", "beside", "made"),
    [
        ("resources", "Fotos.photoslibrary", [], True),
        ("originals", "Fotos.photoslibrary", [], False),
        ("Masters", "Old.aplibrary", [], False),
        ("Previews", "Old.aplibrary", [], True),
        ("Modified", "iPhoto Library", [], False),
        ("Thumbnails", "pictures", ["Thumbnails", "Masters"], True),
        ("Thumbnails", "pictures", ["Thumbnails", "2019"], False),
        ("thumbs", "immich", ["upload", "thumbs"], True),
        ("encoded-video", "immich", ["upload"], True),
        ("thumbs", "pictures", ["thumbs"], False),
        ("sidecar", "photoprism", [], True),
        ("sidecar", "disk", ["Originals", "sidecar"], True),
        ("sidecar", "motorcycles", ["2019"], False),
        ("files_trashbin", "ann", ["files"], True),
        ("resources", "pictures", [], False),
        ("recycle", "pictures", [], False),
    ],
)
def test_names_that_need_their_neighbours(name: str, parent: str, beside: list[str], made: bool) -> None:
    assert is_machine_made(name, parent, lambda: beside) == made


def test_the_folders_left_out_in_words() -> None:
    assert left_out_text({"@eaDir": 2, "#recycle": 1}) == "3 folders of machine-made files (@eaDir, #recycle)"
    assert left_out_text({"@eaDir": 1}) == "1 folder of machine-made files (@eaDir)"
    assert left_out_text({str(number): 1 for number in range(8)}).endswith("(0, 1, 2, 3, 4, 5, …)")
    assert left_out_text({}) == ""
