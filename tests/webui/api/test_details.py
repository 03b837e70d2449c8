"""What is told of one picture: its folder, its camera, its copies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import ExifTags, Image

from retrieval.library import Library
from tests.webui.api_checks import valid


def picture(client: FlaskClient, number: int) -> Any:
    answer = client.get(f"/api/v1/pictures/{number}").get_json()
    valid("Picture", answer)
    return answer


@pytest.fixture
def shot() -> bytes:
    """A picture with a camera and a place."""
    exif = Image.Exif()
    exif.update({ExifTags.Base.Make: "Canon", ExifTags.Base.Model: "EOS 5D"})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (47.0, 39.0, 0.0)})
    content = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(content, "JPEG", exif=exif)
    return content.getvalue()


def test_the_camera_is_told_but_not_the_place(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, shot: bytes
) -> None:
    add_picture(library, photo_folder / "shot.jpg", shot)
    answer = picture(client, 13)
    assert answer["exif"]["camera"] == "Canon EOS 5D"
    assert "47" not in str(answer["exif"])
    (photo_folder / "shot.jpg").unlink()
    assert set(picture(client, 13)["exif"].values()) == {None}


def test_the_folder_filters_searches(client: FlaskClient, photo_folder: Path) -> None:
    folder = picture(client, 2)["folder"]
    assert folder["path"] == str(photo_folder)
    assert client.get("/api/v1/pictures", query_string={"folder": folder["id"]}).get_json()["total"] == 12


def test_copies_are_told(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    add_picture(library, photo_folder / "zz copy.jpg", (photo_folder / "red 0.jpg").read_bytes())
    add_picture(library, photo_folder / "resaved.webp", painted("red", seed=0, picture_format="WEBP"))
    copies = picture(client, 1)["copies"]
    assert copies["exact"] == [str(photo_folder / "zz copy.jpg")]
    near = {one["id"]: one["cosine"] for one in copies["near"]}
    assert next(iter(near)) == 13
    assert list(near.values()) == sorted(near.values(), reverse=True)
    assert 1 not in near
    assert 2 not in near
