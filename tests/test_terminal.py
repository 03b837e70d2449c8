"""The command line as a terminal and pipes see it: stops, closed pipes, paths, colours, completion."""

from __future__ import annotations

import json
import os
import platform
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest

from data.paths import to_bytes
from data.roots import remember_root
from data.settings import load_settings
from data.store import open_store
from tests.conftest import draw_photos, draw_picture, hear_ctrl_c
from tests.prepared import retroflex
from tests.test_commands import RETROFLEX, Call, caller, one_line, read_until

ROOT = Path(__file__).parents[1]
COLOUR = "\x1b["


@pytest.fixture
def call(tmp_path: Path, tiny_bundle: Path) -> Call:
    return caller(tmp_path / "library", tiny_bundle)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of `indexed`; one has a name that is no text."""
    photos = draw_photos(tmp_path_factory.mktemp("terminal"))
    draw_picture(photos / "plain.png", "grey", seed=50).rename(photos / os.fsdecode(b"odd\xff\n.png"))
    return photos


@pytest.fixture(scope="module")
def environment(photos: Path, tiny_bundle: Path) -> dict[str, str]:
    """For processes that read the library of `photos`; no test may change it."""
    variables = {"RETROFLEX_LIBRARY": str(photos.parent / "library"), "RETROFLEX_BUNDLE": str(tiny_bundle)}
    whole = {**os.environ, **variables, "TERM": "xterm"}
    whole.pop("NO_COLOR", None)
    retroflex(["index", photos], whole).check_returncode()
    return whole


def printed(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[bytes]:
    done = retroflex(arguments, environment)
    done.check_returncode()
    return done


def on_terminal(environment: dict[str, str], *arguments: object) -> str:
    """What the command prints on a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([RETROFLEX, *map(str, arguments)], env=environment, stdout=theirs):
        os.close(theirs)
        return read_until(ours, None).decode()


@pytest.mark.parametrize("command", [("search", "the"), ("similar", "photo3.jpg")])
def test_paths_are_the_bytes_of_the_file_system(
    photos: Path, environment: dict[str, str], command: Sequence[str]
) -> None:
    arguments = [command[0], photos / command[1] if command[0] == "similar" else command[1], "--all"]
    by_line = printed(environment, *arguments, "--paths").stdout
    by_nul = printed(environment, *arguments, "--print0").stdout
    assert by_nul.endswith(b"\0")
    paths = by_nul.split(b"\0")[:-1]
    assert set(paths) == {os.fsencode(path) for path in photos.rglob("*.*")}
    assert by_line == b"".join(path + b"\n" for path in paths)


def test_only_paths_go_to_standard_output(environment: dict[str, str]) -> None:
    nothing = printed(environment, "search", "xylophone", "--paths")
    assert nothing.stdout == b""
    assert b"nothing close to" in nothing.stderr
    some = printed(environment, "search", "dog", "xylophone", "--all", "--paths", "--limit", 2)
    assert len(some.stdout.splitlines()) == 2
    assert b"2 of 13 hits" in some.stderr
    assert b"No caption says" in some.stderr
    both = retroflex(["search", "a", "--json", "--paths"], environment)
    assert (both.returncode, both.stdout) == (2, b"")
    assert b"--json and --paths exclude each other" in both.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["status", "--json"],
        ["search", "the", "--all"],
        ["search", "the", "--all", "--json"],
        ["search", "the", "--all", "--paths"],
        ["search", "--help"],
        ["index", "--json-progress"],
    ],
)
def test_a_closed_pipe_is_no_error(environment: dict[str, str], arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = retroflex(arguments, environment, output=writing)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_similar_takes_the_filters_of_search(photos: Path, environment: dict[str, str]) -> None:
    query = ("similar", photos / "photo3.jpg", "--paths", "--all")
    trip = printed(environment, *query, "--folder", photos / "trip").stdout.decode().splitlines()
    assert sorted(Path(path).name for path in trip) == ["photo10.png", "photo11.webp"]
    webps = printed(environment, *query, "--format", "WEBP", "--sort", "newest").stdout.decode().splitlines()
    assert {Path(path).suffix for path in webps} == {".webp"}
    shared = [
        {line.split()[0] for line in printed(environment, name, "--help").stdout.decode().splitlines() if " --" in line}
        for name in ("search", "similar")
    ]
    assert shared[0] - shared[1] == {"--like", "--unlike", "--verbatim"}, "what only words and several pictures need"


def test_hits_have_colours_on_a_terminal_only(photos: Path, environment: dict[str, str]) -> None:
    hit = json.loads(printed(environment, "search", "the", "--all", "--json").stdout)["hits"][0]
    word = hit["caption"].split()[0]
    query = ("search", word, "--all", "--limit", 1)
    shown = on_terminal(environment, *query)
    assert f"\x1b[33m\x1b[1m{word}\x1b[0m" in shown
    assert COLOUR not in on_terminal({**environment, "NO_COLOR": "1"}, *query)
    assert COLOUR.encode() not in printed(environment, *query).stdout


def test_status_has_what_a_person_needs(photos: Path, environment: dict[str, str]) -> None:
    text = printed(environment, "status").stdout.decode()
    assert "pictures   13 in 13 files\n" in text
    assert re.search(r"^captions   \d+, 0 of them yours$", text, re.MULTILINE)
    assert f"{photos} (13 pictures, indexed 2" in text
    facts = json.loads(printed(environment, "status", "--json").stdout)
    assert "generation" not in text
    assert str(facts["generation"]) not in text
    assert not any(version in text for version in facts["model_versions"])


def test_a_typo_in_a_command_or_option_names_the_nearest(call: Call) -> None:
    for typed, meant in (("serch", "search"), ("statsu", "status"), ("idnex", "index")):
        assert f"Did you mean '{meant}'" in call(typed, "x").stderr
    assert "Did you mean" not in call("xylophone").stderr
    assert "--folder" in call("search", "--foldr", "x").stderr


def test_bash_completes_commands_options_and_values(environment: dict[str, str]) -> None:
    script = f"""
    PATH={RETROFLEX.parent}:$PATH
    eval "$(_RETROFLEX_COMPLETE=bash_source retroflex)"
    complete_words() {{
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _retroflex_completion retroflex
        echo "${{COMPREPLY[@]}}"
    }}
    complete_words retroflex s
    complete_words retroflex search --orien
    complete_words retroflex similar --format W
    """
    lines = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
    assert lines.splitlines() == ["search serve similar status", "--orientation", "WEBP"]


def test_remove_names_what_is_not_there_and_asks_before_many(call: Call, photos: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(101):
        draw_picture(many / f"{number}.png", "red", size=(24, 24), seed=number)
    assert call("index", many).returncode == 0
    one_line(call("remove", many / "none.png"), "not in the library", "none.png")
    one_line(call("remove", many / "0.png", many / "none.png"), "nothing was removed")
    one_line(call("remove", many), "101 pictures", "--yes")
    assert json.loads(call("status", "--json").stdout)["pictures"] == 101
    assert call("remove", many / "0.png").stdout == "1 file forgotten\n"
    assert call("remove", many).stdout == "100 files forgotten\n"
    assert call("index", many).returncode == 0
    assert call("remove", many, many / "3.png", "--yes").stdout == "101 files forgotten\n"


def test_remove_forgets_remembered_folders_or_says_that_they_come_back(call: Call, tmp_path: Path) -> None:
    photos = tmp_path / "trips" / "photos"
    (photos / "in").mkdir(parents=True)
    draw_picture(photos / "a.png", "red", size=(24, 24))
    draw_picture(photos / "in" / "b.png", "blue", size=(24, 24), seed=1)
    for removed, files, forgotten in ((photos / "in", 1, False), (photos, 2, True), (photos.parent, 2, True)):
        assert call("index", photos).returncode == 0
        told = call("remove", removed)
        assert told.stdout == f"{files} file{'' if files == 1 else 's'} forgotten\n"
        what = "is forgotten too" if forgotten else "is still remembered: the next `retroflex index` finds there what"
        assert f"{photos} {what}" in told.stderr
        again = call("index")
        assert (again.returncode != 0) == ("no folder is remembered yet" in again.stderr) == forgotten
        assert json.loads(call("status", "--json").stdout)["pictures"] == (0 if forgotten else 2)


def test_a_library_of_a_killed_first_run_says_that_it_is_empty(call: Call, photos: Path, tmp_path: Path) -> None:
    store = open_store(load_settings(library=tmp_path / "library"), create=True)
    remember_root(store, to_bytes(photos))
    store.close()
    says = "none yet; run `retroflex index` again, or name a folder: `retroflex index DIR`\n"
    assert f"pictures   {says}" in call("status").stdout
    assert call("search", "a").stdout == f"pictures in this library: {says}"
    assert "13 captioned" in call("index").stdout


@pytest.mark.parametrize("arguments", [["nowhere"], ["empty"], ["empty", "--features", "nonsense"], ["--nonsense"]])
def test_a_failed_first_index_leaves_no_library(
    tmp_path: Path, tiny_bundle: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "movie.MTS").touch()
    failed = caller(tmp_path / "new" / "library", tiny_bundle)("index", *arguments)
    assert failed.returncode != 0
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "new").exists()


def test_what_was_in_the_folder_of_a_failed_library_stays(call: Call, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "mine.txt").touch()
    (tmp_path / "empty").mkdir()
    one_line(call("index", tmp_path / "empty"), "no pictures found")
    assert [file.name for file in (tmp_path / "library").iterdir()] == ["mine.txt"]


def test_the_summary_tells_what_was_passed_over_and_left_out(call: Call, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "@eaDir").mkdir(parents=True)
    cut = draw_picture(photos / "a.jpg", "red")
    cut.write_bytes(cut.read_bytes()[:-2])
    draw_picture(photos / "@eaDir" / "thumb.png", "blue")
    for name in ("a.CR3", "b.CR3", "c.MTS", "c.xmp", "Thumbs.db"):
        (photos / name).touch()
    os.symlink("nowhere", photos / "link.jpg")
    told = call("index", photos).stdout
    assert "1 captioned" in told
    assert "passed over: 2 .CR3, 1 .MTS\n" in told
    assert "left out: 1 folder of machine-made files (@eaDir); --include takes them\n" in told
    skip = f"skipped: {photos / 'link.jpg'} is a link to nowhere, which is not there"
    assert skip in told
    note = f"note: {cut} lacks its end, but all of its rows can be read\n"
    assert note in told
    status = call("status").stdout
    assert skip in status
    assert note in status
    assert "notes      1 picture could not be read completely" in status
    (photos / "link.jpg").unlink()
    assert "1 captioned" in call("index", photos, "--include", "@EADIR").stdout
    assert "skipped:" not in call("status").stdout
    draw_picture(photos / "@eaDir" / "more.png", "green")
    assert json.loads(call("index", "--json").stdout)["captioned"] == 1, "what is included is remembered"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of 100 pictures."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(100):
        draw_picture(folder / f"{number}.jpg", "green", size=(64, 48), seed=number)
    return folder


WAITING = """
import sys, time
from itertools import count
from pathlib import Path
from captioner.captioner import Captioner
from retrieval.cli import main
gate, seen, encode = Path(sys.argv.pop(1)), count(), Captioner.encode
def encode_at_the_gate(captioner, pictures):
    while next(seen) >= 20 and not gate.exists():
        time.sleep(0.02)
    return encode(captioner, pictures)
Captioner.encode = encode_at_the_gate
main()
"""
"""`retroflex`, whose encoder waits after twenty pictures until the file exists that comes first in the arguments."""


def interrupted(many: Path, environment: dict[str, str], signals: int) -> bytes:
    """Index on a terminal, press Ctrl-C once or twice while pictures are encoded; return what is shown then."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    gate = many.parent / "gate"
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, gate, "index", many],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        preexec_fn=hear_ctrl_c,
    )
    os.close(theirs)
    read_until(ours, b"pic/s")
    process.send_signal(signal.SIGINT)
    shown = read_until(ours, b"ends at once\r\n")
    if signals == 2:
        process.send_signal(signal.SIGINT)
    else:
        gate.touch()
    shown += read_until(ours, None)
    assert process.wait(timeout=60) == 130
    assert b"Traceback" not in shown
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_answers_at_once_and_the_next_run_goes_on(
    tmp_path: Path, tiny_bundle: Path, many: Path, signals: int
) -> None:
    variables = {"RETROFLEX_LIBRARY": str(tmp_path / "library"), "RETROFLEX_BUNDLE": str(tiny_bundle)}
    call = caller(tmp_path / "library", tiny_bundle)
    shown = interrupted(many, {**os.environ, **variables}, signals)
    pending = re.search(rb"stopping, (\d+) pictures? being written", shown)
    assert pending is not None, shown
    assert signals == 2 or b"run the same command to continue" in shown
    status = json.loads(call("status", "--json").stdout)
    assert signals == 2 or 100 > status["pictures"] >= int(pending[1]) > 0
    again = json.loads(call("index", many, "--json").stdout)
    assert (again["captioned"], again["unchanged"]) == (100 - status["pictures"], status["pictures"])


@pytest.mark.slow
def test_progress_follows_each_picture(many: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    lines = caller(tmp_path / "library", tiny_bundle)("index", many, "--json-progress").stdout.splitlines()
    steps = [json.loads(line) for line in lines]
    encoded = [step["encoded"] for step in steps]
    assert encoded == sorted(encoded)
    assert encoded[-1] == steps[-1]["done"] == steps[-1]["captioned"] == 100
    assert all(step["done"] <= step["encoded"] <= step["total"] for step in steps)
    assert any(step["encoded"] - step["done"] > 0 for step in steps), "not only what is written counts"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_threads_of_indexing_share_two_heaps() -> None:
    code = (
        "import ctypes, threading; from data.heap import use_few_heaps; assert use_few_heaps()\n"
        "keep = [threading.Thread(target=lambda: bytes(9000)) for _ in range(20)]; [one.start() for one in keep]\n"
        "ctypes.CDLL(None).malloc_stats()"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stderr
    assert 1 <= told.count("Arena") <= 2
