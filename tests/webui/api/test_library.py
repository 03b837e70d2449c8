"""The library over HTTP: folders added without a path, indexed in a real process, told live, and forgotten."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from captioner.checksums import bundle_version
from data.records import Batch, SkipRow
from data.settings import load_settings
from retrieval.indexing.job import Job, JobFile, JobStatus
from retrieval.indexing.jobs import Jobs
from retrieval.library import Library
from tests.webui.api_checks import problem, valid
from webui.api import streams
from webui.api.streams import StreamLimit
from webui.app import create_app
from webui.auth.server_folders import ServerFolders
from webui.problems import Problem

LIBRARY = "/api/v1/library"


@pytest.fixture
def opened(tmp_path: Path, tiny_bundle: Path) -> Iterator[Library]:
    made = Library.open(load_settings(library=tmp_path / "library", bundle=tiny_bundle), create=True)
    yield made
    made.close()


@pytest.fixture
def owner(opened: Library, photos: Path, captioner: Any) -> FlaskClient:
    """A client of a server over an empty library, which may add folders beside that of the photos."""
    return create_app(opened, lambda: captioner, roots=[photos.parent]).test_client()


def places_in(client: FlaskClient, token: str | None = None) -> Any:
    answer = client.get(f"{LIBRARY}/places", query_string={"in": token} if token else {}).get_json()
    valid("Places", answer)
    return answer


def place(client: FlaskClient, *names: str) -> str:
    """The token of a folder, walked to by its names."""
    token = str(places_in(client)["places"][0]["token"])
    for name in names:
        token = next(str(one["token"]) for one in places_in(client, token)["places"] if one["name"] == name)
    return token


def sent_events(text: str) -> list[tuple[str, Any]]:
    """What was sent, by type."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


@pytest.mark.slow
def test_a_folder_is_added_indexed_and_forgotten(owner: FlaskClient, photos: Path, tiny_bundle: Path) -> None:
    (photos / "notes.jpg").write_text("no picture")
    (photos / "film.MTS").touch()
    (photos / "@eaDir").mkdir()
    problem(owner.post(f"{LIBRARY}/jobs", json={}), 409)
    problem(owner.get(f"{LIBRARY}/jobs/current"), 404)
    added = owner.post(f"{LIBRARY}/folders", json={"place": place(owner, "photos")})
    folder = added.get_json()
    valid("LibraryFolder", folder)
    assert (added.status_code, folder["path"], folder["files"], folder["indexed_at"]) == (201, str(photos), 0, None)

    started = owner.post(f"{LIBRARY}/jobs", json={"folder": folder["id"], "recaption": False})
    valid("Job", started.get_json())
    assert started.status_code == 202
    problem(owner.post(f"{LIBRARY}/jobs", json={}), 409)
    problem(owner.delete(f"{LIBRARY}/folders/{folder['id']}"), 409)
    told = owner.get(f"{LIBRARY}/events")
    assert (told.mimetype, told.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    *steps, (last, job) = sent_events(told.text)
    assert {kind for kind, _ in steps} == {"progress"}
    assert (last, job["state"], job["done"], job["captioned"], job["skipped"]) == ("end", "done", 13, 12, 1)
    assert (job["encoded"], job["passed_over"], job["left_out"]) == (13, {".MTS": 1}, {"@eaDir": 1})
    shown = owner.get("/library").text
    assert "Passed over: 1 .MTS." in shown
    assert "Left out: 1 folder of machine-made files (@eaDir)." in shown
    assert owner.get(f"{LIBRARY}/jobs/current").get_json() == job
    problem(owner.delete(f"{LIBRARY}/jobs/current"), 409)

    overview = owner.get(LIBRARY).get_json()
    valid("Library", overview)
    assert overview["model"] == {"version": bundle_version(tiny_bundle), "described": 12, "stale": 0}
    (listed,) = overview["folders"]
    assert (listed["pictures"], listed["files"], listed["skipped"], overview["job"]) == (12, 12, 1, job)
    assert listed["indexed_at"].endswith("Z")
    assert owner.get("/api/v1/pictures", query_string={"folder": folder["id"]}).get_json()["total"] == 12

    assert owner.delete(f"{LIBRARY}/folders/{folder['id']}").get_json() == {"files": 13}
    assert owner.get(LIBRARY).get_json()["pictures"] == 0
    assert len(list(photos.rglob("*.*"))) == 14
    problem(owner.delete(f"{LIBRARY}/folders/{folder['id']}"), 404)


def test_a_job_can_be_stopped(owner: FlaskClient) -> None:
    owner.post(f"{LIBRARY}/folders", json={"place": place(owner, "photos")})
    owner.post(f"{LIBRARY}/jobs", json={"recaption": True})
    stopping = owner.delete(f"{LIBRARY}/jobs/current")
    valid("Job", stopping.get_json())
    assert (stopping.status_code, stopping.get_json()["state"]) == (202, "stopping")
    assert sent_events(owner.get(f"{LIBRARY}/events").text)[-1][1]["state"] == "stopped"


def test_without_a_job_the_events_end_at_once(owner: FlaskClient) -> None:
    assert sent_events(owner.get(f"{LIBRARY}/events").text) == [("end", None)]


def test_events_are_spaced_and_a_quiet_time_has_heartbeats(opened: Library) -> None:
    jobs = Jobs(opened.settings)
    file = JobFile(opened.settings.library)
    lock = file.acquire()
    assert lock is not None
    file.write(JobStatus(Job("1", "running", None, False, "now"), 1))
    stream = streams.job_events(jobs, heartbeat=0.05)
    started = time.monotonic()
    assert next(stream).startswith("event: progress\n")
    assert next(stream) == ": still here\n\n"
    assert time.monotonic() - started >= streams.SPACING
    file.write(JobStatus(Job("1", "done", None, False, "now"), 1))
    lock.close()
    assert [text.partition("\n")[0] for text in stream] == ["event: end"]


def test_listeners_are_bounded_and_leave_their_places(owner: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.api.library.job_streams", StreamLimit(1, "ask for jobs/current"))
    owner.head(f"{LIBRARY}/events").close()
    listening = owner.get(f"{LIBRARY}/events")
    assert "jobs/current" in problem(owner.get(f"{LIBRARY}/events"), 503)
    listening.close()
    assert owner.get(f"{LIBRARY}/events").text.startswith("event: end")


def test_places_show_folders_and_how_many_pictures_they_hold(owner: FlaskClient, photos: Path) -> None:
    (photos.parent / ".hidden").mkdir()
    (photos.parent / "link").symlink_to("/etc")
    (photos / "notes.txt").touch()
    top = places_in(owner)
    assert [one["name"] for one in top["places"]] == [photos.parent.name]
    assert (top["in"], top["total"]) == (None, 1)
    inside = places_in(owner, top["places"][0]["token"])
    assert {one["name"]: one["pictures_here"] for one in inside["places"]} == {"library": 0, "photos": 10}
    deeper = places_in(owner, place(owner, "photos"))
    assert deeper["in"]["above"] == inside["in"]["token"]
    assert (inside["in"]["above"], deeper["in"]["path"]) == (None, str(photos))
    page = owner.get(f"{LIBRARY}/places", query_string={"in": inside["in"]["token"], "limit": 1, "offset": 1})
    assert (page.get_json()["total"], [one["name"] for one in page.get_json()["places"]]) == (2, ["photos"])


@pytest.mark.parametrize("token", ["/etc", "..", "x" * 22, "%2e%2e/", "\x00"])
def test_only_tokens_that_were_handed_out_are_taken(owner: FlaskClient, opened: Library, token: str) -> None:
    problem(owner.get(f"{LIBRARY}/places", query_string={"in": token}), 404)
    problem(owner.post(f"{LIBRARY}/folders", json={"place": token}), 404)
    assert owner.get(LIBRARY).get_json()["folders"] == []


def test_a_folder_that_became_a_link_is_not_followed(owner: FlaskClient, photos: Path) -> None:
    token = place(owner, "photos")
    photos.rename(photos.parent / "elsewhere")
    photos.symlink_to("/etc")
    problem(owner.get(f"{LIBRARY}/places", query_string={"in": token}), 404)
    problem(owner.post(f"{LIBRARY}/folders", json={"place": token}), 404)


def test_a_typed_path_leads_to_a_folder_that_may_be_added_and_to_no_other(owner: FlaskClient, photos: Path) -> None:
    (photos / "link").symlink_to("/etc")
    inside = owner.get(f"{LIBRARY}/places", query_string={"path": f" {photos}/../photos "}).get_json()
    assert inside["in"]["path"] == str(photos)
    assert str(photos) in owner.get("/library", query_string={"path": str(photos)}).text
    details = set()
    for path in ("/etc", "/nowhere", f"{photos}/link", "x" * 5000, "a\0b", "~nobody-here/x"):
        answer = owner.get(f"{LIBRARY}/places", query_string={"path": path})
        details.add(problem(answer, 404))
    assert len(details) == 1, "nobody learns what lies elsewhere"


def test_a_disk_that_is_connected_meanwhile_can_be_added(tmp_path: Path) -> None:
    disks: list[Path] = []
    folders = ServerFolders([], lambda: disks)
    assert folders.tops() == []
    disks.append(tmp_path)
    assert [one.path for one in folders.tops()] == [tmp_path]


def test_tokens_hold_in_every_process_of_a_server_and_in_no_other_place(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name / "inner").mkdir(parents=True)
    first, same, other = (ServerFolders([tmp_path / name]) for name in "aab")
    inner = first.inside(first.tops()[0])[0]
    assert same.folder(inner.token) == inner
    with pytest.raises(Problem, match="no longer available"):
        other.folder(inner.token)
    forged = inner.token[:-9] + ("A" if inner.token[-9] != "A" else "B") + inner.token[-8:]
    with pytest.raises(Problem, match="no longer available"):
        first.folder(forged)


def test_what_was_skipped_comes_page_by_page(owner: FlaskClient, opened: Library) -> None:
    rows = [SkipRow(b"/p/%d\n.jpg" % number, 1, 1, "is empty") for number in range(5)]
    opened.store.write_batch(Batch(skipped=rows))
    answer = owner.get(f"{LIBRARY}/skipped", query_string={"limit": 2, "offset": 3}).get_json()
    valid("Skipped", answer)
    assert answer == {
        "total": 5,
        "skipped": [{"path": f"/p/{number}\\n.jpg", "reason": "is empty"} for number in (3, 4)],
    }


@pytest.mark.parametrize("body", [{"folder": 3}, {"recaption": "yes"}, []])
def test_a_wrong_job_is_400(owner: FlaskClient, body: Any) -> None:
    problem(owner.post(f"{LIBRARY}/jobs", json=body), 400)


def test_an_unknown_folder_is_404(owner: FlaskClient) -> None:
    problem(owner.post(f"{LIBRARY}/jobs", json={"folder": "0" * 16}), 404)
    problem(owner.delete(f"{LIBRARY}/folders/{'0' * 16}"), 404)


def test_a_library_whose_captioner_cannot_be_read_still_tells_what_it_holds(tmp_path: Path, captioner: Any) -> None:
    made = Library.open(load_settings(library=tmp_path / "library", bundle=tmp_path / "nowhere"), create=True)
    answer = create_app(made, lambda: captioner).test_client().get(LIBRARY).get_json()
    valid("Library", answer)
    assert answer["model"]["version"] is None
    made.close()
