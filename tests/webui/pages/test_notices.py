"""The page and the API tell what is absent, not complete, damaged or skipped."""

from __future__ import annotations

import sqlalchemy as sa
from flask.testing import FlaskClient

from data.records import Batch, PictureRow, SkipRow
from data.tables import captions, pictures
from retrieval.library import Library
from tests.webui.api_checks import valid

NOTE = "lacks its end, but all of its rows can be read"
LIBRARY = "/api/v1/library"


def spoil(library: Library) -> None:
    """One picture with a note, one absent, one damaged caption, three skipped files for two reasons."""
    with library.store.reading() as connection:
        digest = connection.execute(sa.select(pictures.c.digest).where(pictures.c.id == 1)).scalar_one()
    path = library.store.pictures([2])[2].paths[0]
    row = PictureRow(digest, 120, 90, "JPEG", 1, None, notes=[NOTE])
    reasons = ["is empty", "is no picture", "is empty"]
    skipped = [SkipRow(b"/p/%d.jpg" % number, 1, 1, reason) for number, reason in enumerate(reasons)]
    library.store.write_batch(Batch(pictures=[row], gone=[path], skipped=skipped))
    with library.store.writing() as connection:
        third = sa.and_(captions.c.item_id == 3, captions.c.rank == 0)
        connection.execute(sa.update(captions).where(third).values(text=sa.text("x'ff'")))


def test_the_library_page_tells_what_is_amiss(client: FlaskClient, library: Library) -> None:
    assert "not complete" not in client.get("/library").text
    assert "All pictures were read completely." in client.get("/library/noted").text
    spoil(library)
    answer = client.get(f"{LIBRARY}/notices").get_json()
    valid("Notices", answer)
    reasons = [{"reason": "is empty", "files": 2}, {"reason": "is no picture", "files": 1}]
    assert answer == {"absent": 1, "noted": 1, "damaged": 1, "skipped": 3, "skip_reasons": reasons}
    page = client.get("/library").text
    assert "1 picture is absent" in page
    assert "kept for 30 days" in page
    assert '<a href="/library/noted">1 picture could not be read completely.</a>' in page
    assert "1 damaged row of the library is left out" in page
    assert page.index("<li>It is empty: 2 files</li>") < page.index("<li>It is no picture: 1 file</li>")
    assert "View 3 skipped files and the reasons" in page


def test_notes_are_on_the_page_of_their_picture_and_in_a_list(client: FlaskClient, library: Library) -> None:
    spoil(library)
    document = client.get("/api/v1/pictures/1").get_json()
    valid("Picture", document)
    assert document["notes"] == [NOTE]
    assert f"The file {NOTE}." in client.get("/picture/1").text
    assert "lacks its end" not in client.get("/picture/4").text
    listed = client.get(f"{LIBRARY}/noted").get_json()
    valid("Noted", listed)
    assert listed == {"total": 1, "noted": [{"id": 1, "path": document["paths"][0], "notes": [NOTE]}]}
    page = client.get("/library/noted").text
    assert f"It {NOTE}." in page
    assert 'href="/picture/1"' in page
    assert "There are no more." in client.get("/library/noted?offset=1").text
