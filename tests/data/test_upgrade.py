"""A library made by the version before items: nothing that it holds is lost or described again.

`libraries/version_7.sqlite3` was written by that version, `version_7.json` holds what it answered.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.choices import read_choices
from data.migrations import MIGRATIONS
from data.records import Batch, DescriptionRow, FileRow, PictureRow
from data.roots import read_roots
from data.store import Store

LIBRARIES = Path(__file__).parent / "libraries"
ROOT = Path(__file__).parents[2]
EXPECTED: dict[str, Any] = json.loads((LIBRARIES / "version_7.json").read_text())
UPGRADE = "import sys; from data.store import Store; print('starting', flush=True); Store.open(sys.argv[1])"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(LIBRARIES / "version_7.sqlite3", tmp_path / "library.sqlite3"))


def content(store: Store) -> dict[str, Any]:
    """The content of a store in the form of the fixture's JSON."""
    pictures = store.pictures(range(1, 30))
    return {
        str(number): {
            "digest": one.digest,
            "paths": [path.decode() for path in one.paths],
            "captions": [[caption.text, caption.source, caption.model_version] for caption in one.captions],
        }
        for number, one in pictures.items()
    }


def test_ids_captions_and_decisions_are_kept(old: Path) -> None:
    with closing(sqlite3.connect(old)) as plain:
        before = plain.execute("SELECT picture_id, vector, embedding, views FROM features").fetchall()
    store = Store.open(f"sqlite:///{old}")
    assert content(store) == EXPECTED["pictures"]
    status = vars(store.status())
    assert {name: status[name] for name in EXPECTED["status"]} == EXPECTED["status"]
    assert store.can_undo_caption(3)
    assert store.undo_user_caption(8)
    assert "grandmother" in store.pictures([8])[8].texts
    kept = {(copy.picture_id, copy.path.decode()): choice.keep for copy, choice in read_choices(store).items()}
    assert kept == {(4, "/photos/picture3.jpg"): True, (4, "/photos/copy of 3.jpg"): False, (5, ""): True}
    assert [(root.path, root.exclude) for root in read_roots(store)] == [(b"/photos", ("*.tmp",))]
    assert store.skipped_files() == [(b"/photos/broken.jpg", "is damaged: test")]
    searched = {one.id: one for one in store.searched_pictures([number for number, *_ in before])}
    for number, vector, embedding, views in before:
        version = "vgg16-lstm-older0000000" if number == 12 else "vgg16-lstm-0123456789ab"
        stored = {kind: one.values.tobytes() for kind, one in searched[number].vectors.items()}
        assert stored == {"vgg16": vector} | ({"joint": embedding} if embedding else {})
        assert store.features([number], "cells", version) == ({number: views} if views else {})
    store.close()


def test_an_id_is_never_used_again(old: Path) -> None:
    store = Store.open(f"sqlite:///{old}")
    row = DescriptionRow("new", "vgg16-lstm-0123456789ab", [], {"vgg16": np.ones(8)})
    store.write_batch(Batch([FileRow(b"/new", 1, 1, "new")], [PictureRow("new", 1, 1, "PNG", 1, None)], [row]))
    assert store.picture_id("new") == 25  # 24 was the last one that the old program gave.
    store.close()


@pytest.mark.parametrize("seed", range(10))
def test_an_upgrade_that_is_killed_leaves_the_library_whole(old: Path, seed: int) -> None:
    url = f"sqlite:///{old}"
    with subprocess.Popen([sys.executable, "-c", UPGRADE, url], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
    with closing(sqlite3.connect(old)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (version,) = plain.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    assert version in ("7", str(len(MIGRATIONS)))
    store = Store.open(url)
    assert content(store) == EXPECTED["pictures"]
    store.close()
