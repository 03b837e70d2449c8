"""Films over HTTP: found at their second, with frames, sent in parts, by id only."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from data.films.reads import films_by_id
from data.limits import DEFAULT_LIMITS
from data.settings import load_settings
from data.temporary import PREFIX
from retrieval.indexing.indexer import index
from retrieval.library import Library
from tests.films import BLUE, GREEN, RED, ColourCaptioner, make_animation, make_film, make_sound
from tests.webui.api_checks import MULTIPART, post, problem, valid
from webui.app import create_app


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    make_film(folder / "wall.mp4")
    Image.new("RGB", (40, 30), GREEN).save(folder / "IMG_1.JPG")
    make_film(folder / "IMG_1.MOV", [RED], seconds=1)
    return folder


@pytest.fixture(scope="module")
def library(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    opened = Library.open(load_settings(library=tmp_path_factory.mktemp("library")), create=True)
    index(opened.store, ColourCaptioner(), [photos], DEFAULT_LIMITS)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(library: Library) -> FlaskClient:
    return create_app(library, ColourCaptioner).test_client()


@pytest.fixture(scope="module")
def film(library: Library) -> int:
    return next(iter(films_by_id(library.store)))


@pytest.fixture(scope="module")
def live(library: Library, film: int) -> int:
    return next(number for number in library.store.pictures(range(20)) if number != film)


def test_a_film_is_found_at_its_second_with_that_frame_as_thumbnail(client: FlaskClient, film: int) -> None:
    answer = client.get("/api/v1/search?q=blue").get_json()
    valid("SearchResult", answer)
    (hit,) = answer["hits"]
    assert (hit["id"], hit["time"]) == (film, pytest.approx(4, abs=0.15))
    assert hit["path"].endswith("wall.mp4")
    shown = client.get(hit["links"]["thumbnail"])
    assert shown.mimetype == "image/webp"
    red, _, blue = Image.open(io.BytesIO(shown.data)).convert("RGB").getpixel((20, 20))  # type: ignore[misc]
    assert blue > 150 > red
    assert client.get("/api/v1/search?q=green").get_json()["hits"][-1]["time"] in (None, 2.0)


def test_a_film_tells_its_frames_and_a_picture_that_it_is_none(client: FlaskClient, film: int, live: int) -> None:
    answer = client.get(f"/api/v1/pictures/{film}").get_json()
    valid("Picture", answer)
    assert [frame["caption"] for frame in answer["film"]["frames"]] == ["a red wall", "a green wall", "a blue wall"]
    assert all(client.get(frame["thumbnail"]).status_code == 200 for frame in answer["film"]["frames"])
    other = client.get(f"/api/v1/pictures/{live}").get_json()
    valid("Picture", other)
    assert other["film"] is None


def test_the_file_is_sent_whole_or_in_parts_with_its_type(client: FlaskClient, film: int, photos: Path) -> None:
    content, address = (photos / "wall.mp4").read_bytes(), f"/api/v1/pictures/{film}/file"
    whole = client.get(address)
    assert (whole.data, whole.mimetype, whole.headers["Accept-Ranges"]) == (content, "video/mp4", "bytes")
    part = client.get(address, headers={"Range": "bytes=10-99"})
    assert (part.status_code, part.data) == (206, content[10:100])
    assert part.headers["Content-Range"] == f"bytes 10-99/{len(content)}"
    assert client.get(address, headers={"Range": "bytes=-5"}).data == content[-5:]
    beyond = client.get(address, headers={"Range": f"bytes={len(content)}-"})
    assert problem(beyond, 416)


def test_a_part_is_bounded(client: FlaskClient, film: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.api.pictures.MOST_AT_ONCE", 100)
    part = client.get(f"/api/v1/pictures/{film}/file", headers={"Range": "bytes=0-"})
    assert (part.status_code, len(part.data)) == (206, 100)


def test_a_live_photo_has_its_film(client: FlaskClient, live: int, film: int, photos: Path) -> None:
    answer = client.get(f"/api/v1/pictures/{live}").get_json()
    moving = client.get(answer["motion"])
    assert (moving.data, moving.mimetype) == ((photos / "IMG_1.MOV").read_bytes(), "video/quicktime")
    assert problem(client.get(f"/api/v1/pictures/{film}/motion"), 404)


def test_a_film_of_the_library_is_a_query(client: FlaskClient, film: int) -> None:
    answer = client.get(f"/api/v1/search?like={film}&all=true").get_json()
    valid("SearchResult", answer)
    assert answer["hits"][0]["id"] == film
    assert client.get(f"/api/v1/search?q=wall&unlike={film}").status_code == 200


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi", "clip.gif", "clip.mov"])
def test_an_uploaded_film_finds_the_film_that_it_is_a_part_of(
    client: FlaskClient, film: int, tmp_path: Path, name: str
) -> None:
    make = make_animation if name.endswith("gif") else make_film
    answer = post(client, make(tmp_path / name, [GREEN, BLUE]).read_bytes(), all="true").get_json()
    valid("SearchResult", answer)
    assert answer["hits"][0]["id"] == film
    assert answer["hits"][0]["time"] == pytest.approx(2, abs=0.15) or answer["hits"][0]["time"] > 3.8
    assert list(Path(tempfile.gettempdir()).glob(f"{PREFIX}*/film")) == []


def test_a_film_of_the_library_is_not_described_again(library: Library, film: int, photos: Path) -> None:
    captioner = ColourCaptioner()
    client = create_app(library, lambda: captioner).test_client()
    content = (photos / "wall.mp4").read_bytes()
    assert post(client, content).get_json()["hits"][0]["id"] == film
    assert captioner.seen == 0
    unlike = {"unlike_image": (io.BytesIO(content), "a")}
    assert client.post("/api/v1/search", data=unlike, content_type=MULTIPART).status_code == 200


def test_an_uploaded_film_that_cannot_be_read_is_a_4xx(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make_film(tmp_path / "clip.mp4").read_bytes()
    assert "damaged" in problem(post(client, content[:600]), 422)
    assert "no film" in problem(post(client, make_sound(tmp_path / "sound.mp4").read_bytes()), 415)
    assert problem(post(client, content, face_number="1"), 400)
    assert problem(post(client, content, box="0,0,0.5,0.5"), 415)
    moving = make_animation(tmp_path / "clip.gif", [GREEN, BLUE]).read_bytes()
    monkeypatch.setattr("data.films.kinds.find_spec", lambda name: None)
    assert "pip install '.[video]'" in problem(post(client, content), 415)
    assert post(client, moving).status_code == 200


def test_a_bad_time_is_refused(client: FlaskClient, film: int) -> None:
    for time in ("nan", "-1", "1e3", "12345678"):
        assert problem(client.get(f"/api/v1/pictures/{film}/thumbnail?time={time}"), 400)
    assert client.get(f"/api/v1/pictures/{film}/thumbnail?time=9999999").status_code == 200


def test_a_film_that_was_changed_is_not_sent(client: FlaskClient, film: int, photos: Path) -> None:
    before = (photos / "wall.mp4").read_bytes()
    status = (photos / "wall.mp4").stat()
    make_film(photos / "wall.mp4", [BLUE, BLUE])
    assert problem(client.get(f"/api/v1/pictures/{film}/file"), 410)
    (photos / "wall.mp4").write_bytes(before)
    os.utime(photos / "wall.mp4", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert client.get(f"/api/v1/pictures/{film}/file").status_code == 200
