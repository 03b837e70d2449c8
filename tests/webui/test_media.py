"""Thumbnails on disk."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from data.decoding.pool import Decoders
from data.paths import to_bytes
from data.records import Batch, FileRow, PictureRow, content_hash
from data.settings import Settings
from retrieval.library import Library
from tests.data.decoding.hostile import giant_png, many_scans, peak_growth, processes_below
from webui import media
from webui.media import SIDE, Thumbnails


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


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


def test_a_picture_is_shown_by_previews_and_its_file_is_for_zoom(
    client: FlaskClient, library: Library, settings: Settings, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    add_picture(library, photo_folder / "wide.jpg", painted("red", (3000, 1500), picture_format="JPEG"))
    add_picture(library, photo_folder / "tall.tif", painted("blue", (700, 1400), picture_format="TIFF"))
    for side in (800, 1280, 2560):
        made = opened(client.get(f"/api/v1/pictures/13/preview?side={side}").data)
        assert (made.format, made.size) == ("WEBP", (side, side // 2))
    assert opened(client.get("/api/v1/pictures/14/preview").data).size == (640, 1280)
    assert client.get("/api/v1/pictures/13/preview?side=9999").status_code == 400

    wide, tall, small = (client.get(f"/picture/{number}").text for number in (13, 14, 1))
    assert re.findall(r"\d+w", wide) == ["640w", "800w", "1280w", "2560w"]
    assert re.search(r'<img src="/api/v1/pictures/13/preview.*data-file="/api/v1/pictures/13/file', wide)
    assert re.findall(r"\d+w", tall) == ["320w", "400w", "640w", "700w"]
    assert "data-file" not in tall.partition("</article>")[0].partition("data-fallback")[0]  # no browser shows a TIFF
    assert re.search(r'<img src="/api/v1/pictures/1/file[^>]*data-fallback', small)
    assert "srcset" not in small


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


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch) -> Decoders:
    """One process that decodes pictures of the library, for this test."""
    made = Decoders(processes=1)
    monkeypatch.setattr(media, "DECODERS", made)
    return made


def test_a_decoder_that_is_killed_costs_no_request(client: FlaskClient, decoders: Decoders) -> None:
    assert client.get("/api/v1/pictures/1/thumbnail").status_code == 200
    for number in range(2, 6):
        os.kill(max(processes_below(os.getpid())), signal.SIGKILL)
        assert client.get(f"/api/v1/pictures/{number}/thumbnail").status_code == 200
        assert client.get(f"/api/v1/pictures/{number}").status_code == 200


def test_where_no_decoder_works_the_answer_is_503_with_a_time_to_try_again(
    client: FlaskClient, decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        answer = client.get("/api/v1/pictures/1/thumbnail")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.get_json()["detail"].startswith("the file cannot be read now: its decoder ended")
        document = client.get("/api/v1/pictures/1")
        assert document.status_code == 200
        assert set(document.get_json()["exif"].values()) == {None}
    assert client.get("/api/v1/pictures/1/thumbnail").status_code == 200


def test_a_library_picture_that_takes_too_long_is_422(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = many_scans((1200, 1200), 3000)
    add_picture(library, photo_folder / "scans.jpg", content)
    monkeypatch.setattr(media, "DECODERS", Decoders(processes=1, seconds=0.3))
    answer = client.get("/api/v1/pictures/13/thumbnail")
    assert answer.status_code == 422
    assert "takes too long to decode" in answer.get_json()["detail"]


def test_two_giant_thumbnails_at_once_stay_below_a_gigabyte(
    client: FlaskClient, app: Flask, library: Library, settings: Settings, photo_folder: Path, decoders: Decoders
) -> None:
    for number, size in enumerate([(10_000, 7_990), (9_990, 8_000)]):
        content, path = giant_png(size), photo_folder / f"giant{number}.png"
        path.write_bytes(content)
        digest = content_hash(content)
        library.store.write_batch(
            Batch(
                files=[FileRow(to_bytes(path), len(content), path.stat().st_mtime_ns, digest)],
                pictures=[PictureRow(digest, *size, "PNG", len(content), None)],
            )
        )
    thumbnails = [f"/api/v1/pictures/{number}/thumbnail" for number in (13, 14)]
    with peak_growth() as peak, ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda address: app.test_client().get(address), thumbnails))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert opened(answers[0].data).size == (401, 320)
    assert peak[0] < 850e6
