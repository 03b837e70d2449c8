"""Copies over HTTP: groups, decisions that hold until another copy joins, and nothing touched on disk."""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from retrieval.library import Library
from tests.webui.api_checks import problem, valid

DUPLICATES = "/api/v1/duplicates"


@pytest.fixture
def copied(library: Library, add_picture: Any, painted: Any, photo_folder: Path) -> Library:
    """Picture 1 in three files, and a picture 13 that looks just like it."""
    content = (photo_folder / "red 0.jpg").read_bytes()
    for name in ("copy.jpg", "deep/copy.jpg"):
        add_picture(library, photo_folder / name, content)
    add_picture(library, photo_folder / "resaved.webp", painted("red", seed=0, picture_format="WEBP"))
    return library


def groups(client: FlaskClient, **fields: str) -> Any:
    answer = client.get(DUPLICATES, query_string=fields).get_json()
    valid("Duplicates", answer)
    assert not answer["working"]
    assert answer["total"] == len(answer["groups"])
    return answer["groups"]


def test_exact_copies_are_files(client: FlaskClient, copied: Library, photo_folder: Path) -> None:
    (group,) = groups(client)
    paths = [str(photo_folder / name) for name in ("copy.jpg", "deep/copy.jpg", "red 0.jpg")]
    assert (group["kind"], [one["paths"] for one in group["pictures"]]) == ("exact", [[path] for path in paths])
    assert {one["id"] for one in group["pictures"]} == {1}
    assert len({one["copy"] for one in group["pictures"]}) == 3


def test_near_copies_are_pictures(client: FlaskClient, copied: Library) -> None:
    near = groups(client, kind="near")
    assert [1, 13] in [[one["copy"] for one in group["pictures"] if one["copy"] in (1, 13)] for group in near]
    page = client.get(DUPLICATES, query_string={"kind": "near", "limit": 1, "offset": 1}).get_json()
    assert page["groups"] == near[1:2]
    assert page["total"] == len(near)


@pytest.mark.parametrize("kind", ["exact", "near"])
def test_a_decision_is_remembered_and_forgotten(client: FlaskClient, copied: Library, kind: str) -> None:
    before = groups(client, kind=kind)
    first = before[0]
    keep = [first["pictures"][0]["copy"]]
    decided = client.put(f"{DUPLICATES}/{first['key']}", json={"keep": keep}).get_json()
    valid("CopyGroup", decided)
    assert decided["decided"]
    assert [one["keep"] for one in decided["pictures"]] == [True] + [False] * (len(first["pictures"]) - 1)
    assert groups(client, kind=kind, decided="true") == [decided]
    assert groups(client, kind=kind, decided="false") == before[1:]
    assert client.delete(f"{DUPLICATES}/{first['key']}").get_json() == first
    assert groups(client, kind=kind) == before


def test_a_decision_holds_until_another_copy_joins(
    client: FlaskClient, copied: Library, photo_folder: Path, add_picture: Any
) -> None:
    (group,) = groups(client)
    client.put(f"{DUPLICATES}/{group['key']}", json={"keep": []})
    copied.store.remove([bytes(photo_folder / "copy.jpg")])
    (smaller,) = groups(client, decided="true")
    assert [one["keep"] for one in smaller["pictures"]] == [False, False]
    add_picture(copied, photo_folder / "again.jpg", (photo_folder / "red 0.jpg").read_bytes())
    (larger,) = groups(client, decided="false")
    assert [one["keep"] for one in larger["pictures"]] == [None, False, False]
    problem(client.put(f"{DUPLICATES}/{smaller['key']}", json={"keep": []}), 404)


def test_nothing_on_disk_is_touched(client: FlaskClient, copied: Library, photo_folder: Path) -> None:
    before = {path: path.read_bytes() for path in photo_folder.rglob("*.*")}
    for group in groups(client) + groups(client, kind="near"):
        client.put(f"{DUPLICATES}/{group['key']}", json={"keep": []})
    assert {path: path.read_bytes() for path in photo_folder.rglob("*.*")} == before


@pytest.mark.parametrize("keep", [None, "1", [None], [1.5], [True], ["x"], [99], [{}]])
def test_a_wrong_decision_is_400(client: FlaskClient, copied: Library, keep: Any) -> None:
    (group,) = groups(client)
    problem(client.put(f"{DUPLICATES}/{group['key']}", json={"keep": keep}), 400)
    assert groups(client, decided="true") == []


@pytest.mark.parametrize("key", ["x", "near-0", "exact-0000000000000000", "-"])
def test_an_unknown_group_is_404(client: FlaskClient, key: str) -> None:
    problem(client.put(f"{DUPLICATES}/{key}", json={"keep": []}), 404)
    problem(client.delete(f"{DUPLICATES}/{key}"), 404)


@pytest.mark.parametrize(("name", "value"), [("kind", "other"), ("decided", "yes"), ("limit", "0")])
def test_a_wrong_question_is_400(client: FlaskClient, name: str, value: str) -> None:
    problem(client.get(DUPLICATES, query_string={name: value}), 400)


def decide_all(client: FlaskClient, kind: str) -> list[str]:
    """Keep the best of each group; return the paths of the others."""
    others = []
    for group in groups(client, kind=kind):
        best = [one for one in group["pictures"] if one["best"]]
        assert len(best) == 1
        client.put(f"{DUPLICATES}/{group['key']}", json={"keep": [best[0]["copy"]]})
        others += [path for one in group["pictures"] if not one["best"] for path in one["paths"]]
    return others


def test_what_is_to_win_is_counted(client: FlaskClient, copied: Library, photo_folder: Path) -> None:
    answer = client.get(DUPLICATES).get_json()
    assert answer["to_win"] == {"files": 2, "bytes": 2 * (photo_folder / "copy.jpg").stat().st_size}


@pytest.mark.parametrize("kind", ["exact", "near"])
def test_what_is_not_kept_is_a_table(client: FlaskClient, copied: Library, kind: str) -> None:
    empty = client.get(f"{DUPLICATES}/not-kept?kind={kind}")
    assert (empty.text, empty.mimetype) == ("path,kept,kind,bytes\r\n", "text/csv")
    others = decide_all(client, kind)
    rows = list(csv.DictReader(client.get(f"{DUPLICATES}/not-kept?kind={kind}").text.splitlines()))
    assert sorted(row["path"] for row in rows) == sorted(others)
    assert all(Path(row["kept"]).is_file() and row["kept"] != row["path"] for row in rows)


def test_the_script_moves_what_is_not_kept_and_only_where_its_copy_is_there(
    client: FlaskClient, library: Library, add_picture: Any, photo_folder: Path, tmp_path: Path
) -> None:
    """Names that a shell could take for something else, and one that is no text."""
    first, other = ((photo_folder / f"{name}.jpg").read_bytes() for name in ("red 0", "red 3"))
    assert first != other
    strange = photo_folder / os.fsdecode(b"it's $(touch x); \n\xff.jpg")
    add_picture(library, strange, first)
    add_picture(library, photo_folder / "lonely.jpg", other)
    decide_all(client, "exact")
    kept = {Path(row["kept"]) for row in csv.DictReader(client.get(f"{DUPLICATES}/not-kept").text.splitlines())}
    gone = next(path for path in kept if path.read_bytes() == other)
    gone.unlink()
    script = client.get(f"{DUPLICATES}/not-kept?format=sh").data
    done = subprocess.run(["sh", "-s", tmp_path / "moved"], input=script, capture_output=True, check=True, cwd=tmp_path)
    assert b"its other copy is missing" in done.stderr
    (moved,) = (tmp_path / "moved").iterdir()
    assert moved.read_bytes() == first
    assert not (tmp_path / "x").exists()
    assert len([path for path in photo_folder.iterdir() if path.read_bytes() == first]) == 1
