from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.paths import absolute, display, from_bytes, to_bytes


@given(st.binary(min_size=1).filter(lambda raw: b"\0" not in raw and b"/" not in raw and raw != b"."))
def test_any_name_comes_back_and_displays_as_one_clean_line(raw: bytes) -> None:
    path = from_bytes(b"/pictures/" + raw)
    assert to_bytes(path) == b"/pictures/" + raw
    shown = display(path)
    assert shown.isprintable()
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"/a/b c.jpg", "/a/b c.jpg"),
        ("/a/été 犬.jpg".encode(), "/a/été 犬.jpg"),
        (b"/a/new\nline\x1b[31m.jpg", r"/a/new\nline\x1b[31m.jpg"),
        (b"/a/\xff.jpg", r"/a/\xff.jpg"),
    ],
)
def test_display(raw: bytes, shown: str) -> None:
    assert display(from_bytes(raw)) == shown


def test_absolute_works_out_home_and_dots_but_keeps_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    os.symlink(tmp_path, tmp_path / "link")
    assert absolute(Path("~/pictures")) == tmp_path / "pictures"
    assert absolute(Path("link/../a.jpg")) == tmp_path / "a.jpg"
    assert absolute(Path("link")) == tmp_path / "link"
