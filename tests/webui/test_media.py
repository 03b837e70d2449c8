"""Thumbnails on disk."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from data.settings import Settings
from retrieval.library import Library
from webui.media import LONGEST, SIDE, Thumbnails, shrink


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1600, 1200), (427, 320)), ((600, 1200), (320, 640)), ((100, 80), (100, 80)), ((9600, 320), (LONGEST, 32))],
)
def test_the_shorter_side_is_shrunk_and_never_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    small = opened(shrink(Image.new("RGB", size)))
    assert small.size == expected
    assert small.format == "WEBP"


def test_a_line_of_pixels_keeps_one(client: FlaskClient) -> None:
    assert opened(shrink(Image.new("RGB", (5000, 1)))).size == (LONGEST, 1)


def test_it_is_made_once_and_kept(
    client: FlaskClient, library: Library, settings: Settings, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    add_picture(library, photo_folder / "large.jpg", painted("red", (900, 700), picture_format="JPEG"))
    first = client.get("/api/v1/pictures/13/thumbnail")
    assert min(opened(first.data).size) == SIDE
    kept = [path for path in settings.thumbnail_dir.rglob("*") if path.is_file()]
    assert [path.suffix for path in kept] == [".webp"]
    (photo_folder / "large.jpg").unlink()
    assert client.get("/api/v1/pictures/13/thumbnail").data == first.data


def test_a_disk_that_takes_nothing_costs_only_time(
    library: Library, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    picture = library.picture(1)
    assert picture is not None
    assert opened(Thumbnails(settings.thumbnail_dir, settings.limits).get(picture)).format == "WEBP"
    assert not [path for path in settings.thumbnail_dir.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_made_costs_only_time(library: Library, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    picture = library.picture(1)
    assert picture is not None
    assert opened(Thumbnails(tmp_path / "file" / "below", settings.limits).get(picture)).format == "WEBP"
