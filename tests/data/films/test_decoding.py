"""Films become frames: the right ones, upright and in true colours; what is no film is refused in one line."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from data.decoding.orders import Webp
from data.errors import NotAPicture, PictureDamaged, PictureError, PictureTooLarge
from data.films import decoding, sampling
from data.films.decoding import film_hash, read_film
from data.films.orders import FilmOrder, Frames
from data.limits import Limits
from data.records import content_hash
from tests.films import BLUE, GREEN, GREY, RED, SIZE, av, make_animation, make_film, make_sound

SQUARES = FilmOrder(side=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def film(folder: Path) -> Path:
    return make_film(folder / "film.mp4", tags={"title": "Holidays", "creation_time": "2019-05-04T10:11:12Z"})


def colours(frames: Frames) -> list[tuple[int, ...]]:
    assert frames.squares is not None
    return [tuple(int(value) for value in square.mean(axis=(0, 1))) for square in frames.squares]


def near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 12


@pytest.mark.parametrize(
    ("name", "codec", "called"),
    [
        ("a.mp4", "mpeg4", "MP4"),
        ("a.mov", "mpeg4", "MOV"),
        ("a.mkv", "mpeg4", "Matroska"),
        ("a.webm", "libvpx", "WebM"),
        ("a.avi", "mpeg4", "AVI"),
    ],
)
def test_each_scene_of_a_film_has_a_frame_at_its_second(folder: Path, name: str, codec: str, called: str) -> None:
    frames = read_film(make_film(folder / name, codec=codec), SQUARES)
    assert (frames.facts.format, frames.facts.width, frames.facts.height) == (called, *SIZE)
    assert frames.facts.duration == pytest.approx(6, abs=0.2)
    assert frames.times == pytest.approx([0, 2, 4], abs=0.15)
    assert all(map(near, colours(frames), [RED, GREEN, BLUE]))


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_animations_are_films(folder: Path, name: str) -> None:
    frames = read_film(make_animation(folder / name), SQUARES)
    assert (frames.times, frames.facts.duration) == ((0.0, 1.0, 2.0), 3.0)
    assert all(map(near, colours(frames), [RED, GREEN, BLUE]))


def test_frames_are_found_again_at_their_times(film: Path) -> None:
    first = read_film(film, SQUARES)
    again = read_film(film, FilmOrder(side=32, times=first.times))
    assert again.times == first.times
    assert np.array_equal(again.squares, first.squares)


def test_facts_and_tags_are_read(film: Path) -> None:
    facts = read_film(film, SQUARES).facts
    assert facts.metadata.taken_at == datetime(2019, 5, 4, 10, 11, 12)
    assert (facts.metadata.taken_from, facts.metadata.texts) == ("film", (("title", "Holidays"),))
    assert facts.pixels is not None
    assert facts.notes == ()


def test_a_film_of_other_tags_has_the_same_pixels(film: Path, folder: Path) -> None:
    other = make_film(folder / "other.mp4", tags={"title": "Others"})
    assert film_hash(other) != film_hash(film) == content_hash(film.read_bytes())
    assert read_film(other, SQUARES).facts.pixels == read_film(film, SQUARES).facts.pixels


def test_a_thumbnail_shows_the_frame_at_a_time(film: Path) -> None:
    frames = read_film(film, FilmOrder(times=(2.5,), webp=Webp(16, 64, 80)))
    assert frames.webp[:4] == b"RIFF"


def test_a_frame_every_so_many_seconds(film: Path) -> None:
    frames = read_film(film, FilmOrder(side=32, every=0.5))
    assert frames.times == pytest.approx([number / 2 for number in range(12)], abs=0.15)


def test_a_short_film_of_one_key_frame_is_decoded_on(folder: Path) -> None:
    frames = read_film(make_film(folder / "one_key.mp4", gap=1000), SQUARES)
    assert all(map(near, colours(frames), [RED, GREEN, BLUE]))


def test_times_count_from_the_first_frame_whatever_the_rate(folder: Path) -> None:
    path = folder / "variable.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = 1
        for milliseconds, colour in [(5000, RED), (5040, RED), (6500, GREEN), (9000, BLUE), (9900, BLUE)]:
            frame = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), colour, np.uint8), "rgb24")
            frame.pts = milliseconds * 25 // 1000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = read_film(path, SQUARES)
    assert frames.times == pytest.approx([0, 1.5, 4], abs=0.05)
    assert all(map(near, colours(frames), [RED, GREEN, BLUE]))


def turned(film: Path, path: Path) -> Path:
    """Copy a film and turn it by a quarter clockwise in its track header."""
    content = bytearray(film.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    content[at : at + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 2**30)
    path.write_bytes(content)
    return path


def test_a_turned_film_is_upright(folder: Path) -> None:
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    picture[: SIZE[1] // 2] = 255  # white above; turned clockwise, it is white on the right
    frames = read_film(turned(make_film(folder / "plain.mp4", [picture]), folder / "turned.mp4"), SQUARES)
    assert (frames.facts.width, frames.facts.height) == (SIZE[1], SIZE[0])
    assert frames.squares is not None
    assert frames.squares[0, :, 20:].mean() > 200 > 50 > frames.squares[0, :, :12].mean()
    own = read_film(folder / "turned.mp4", FilmOrder(times=(0.0, 1.0), within=32)).squares
    assert own is not None
    assert own.shape == (2, 32, 24, 3)
    assert own[0, :, 15:].mean() > 200 > 50 > own[0, :, :9].mean()


def test_hdr_is_tone_mapped_and_says_so(folder: Path) -> None:
    path = make_film(folder / "hdr.mp4", [GREY], 1, codec="libx265", color_trc=16, color_primaries=9, colorspace=9)
    frames = read_film(path, SQUARES)
    assert frames.facts.notes == ("its high dynamic range (PQ) is reduced to that of sRGB",)
    assert not near(colours(frames)[0], GREY)


def test_the_end_of_a_cut_film_is_missing(folder: Path) -> None:
    content = make_film(folder / "whole.webm", codec="libvpx").read_bytes()
    (folder / "cut.webm").write_bytes(content[: len(content) * 6 // 10])
    frames = read_film(folder / "cut.webm", SQUARES)
    assert len(frames.times) < 3
    assert near(colours(frames)[0], RED)


def bad_files(folder: Path, film: Path) -> list[tuple[Path, type[PictureError], str]]:
    named = {
        "cut.mp4": film.read_bytes()[:-400],
        "noise.mp4": np.random.default_rng(0).bytes(4000),
        "empty.mov": b"",
        "list.mp4": b"#EXTM3U\nfile:///etc/passwd\n",
        "concat.mkv": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "head.mkv": b"\x1aE\xdf\xa3" + bytes(100),
        "head.avi": b"RIFF\x64\0\0\0AVI LIST" + bytes(90),
    }
    for name, content in named.items():
        (folder / name).write_bytes(content)
    return [
        (folder / "cut.mp4", PictureDamaged, "is damaged: it is cut off or altered"),
        (folder / "noise.mp4", NotAPicture, "is not a film in a supported format"),
        (folder / "empty.mov", NotAPicture, "is empty (0 bytes)"),
        (folder / "list.mp4", NotAPicture, "is not a film in a supported format"),
        (folder / "concat.mkv", NotAPicture, "is not a film in a supported format"),
        (folder / "head.mkv", PictureError, "is damaged|has no film"),
        (folder / "head.avi", PictureError, "is damaged|has no film"),
        (make_sound(folder / "sound.mp4"), NotAPicture, "has no film in it, only audio"),
        (folder / "missing.mp4", PictureError, "cannot be read: No such file"),
    ]


def test_what_is_no_film_is_refused_in_one_line(folder: Path, film: Path) -> None:
    for path, kind, reason in bad_files(folder, film):
        with pytest.raises(kind, match=reason.replace("(", r"\(").replace(")", r"\)")) as refused:
            read_film(path, SQUARES)
        assert "\n" not in str(refused.value), path


def test_a_film_of_no_frames_is_refused(folder: Path) -> None:
    path = folder / "no_frames.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        container.start_encoding()
    with pytest.raises(PictureError, match=r"no frame of it can be decoded|is damaged"):
        read_film(path, SQUARES)


def test_an_encrypted_film_is_refused_in_one_line(film: Path, folder: Path) -> None:
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76" * 16, "encryption_kid": "a7" * 16}
    path = folder / "encrypted.mp4"
    with av.open(str(film)) as plain, av.open(str(path), "w", options=options) as encrypted:
        stream = encrypted.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                encrypted.mux(packet)
    with pytest.raises(PictureDamaged, match="is encrypted: it can be played by those who have the key"):
        read_film(path, SQUARES)


def test_a_film_in_8k_is_read_within_the_memory_for_decoding(folder: Path) -> None:
    film = make_film(folder / "8k.mp4", [RED], seconds=1, rate=1, size=(7680, 4320))
    frames = read_film(film, FilmOrder(times=(0.0,), within=1024))
    assert frames.facts.width == 7680
    assert frames.squares is not None
    assert frames.squares.shape == (1, 576, 1024, 3)
    red, green, blue = frames.squares[0, 288, 512]
    assert red > 190 > 60 > max(green, blue)


def test_a_wrong_suffix_does_not_matter(film: Path, folder: Path) -> None:
    (folder / "film.avi").write_bytes(film.read_bytes())
    assert len(read_film(folder / "film.avi", SQUARES).times) == 3


def test_pixels_above_the_cap_are_refused_before_they_are_decoded(film: Path) -> None:
    with pytest.raises(PictureTooLarge, match=r"has 64x48 pixels, the cap is 1,000; set RETROFLEX_MAX_PIXELS"):
        read_film(film, SQUARES, Limits(max_pixels=1000))


def test_without_the_extra_one_line_says_what_to_install(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "can_read_films", lambda: False)
    with pytest.raises(PictureError, match=r"is a film; to read films: pip install '\.\[video\]'"):
        read_film(film, SQUARES)


def test_scenes_are_chosen_by_difference_and_the_cap_keeps_the_strongest() -> None:
    scenes = [np.full((32, 32, 3), value, np.uint8) for value in (0, 4, 200, 200, 60, 90)]
    times = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert sampling.choose(times, scenes) == [0, 2, 4, 5]
    assert sampling.choose(times, scenes, cap=3) == [0, 2, 4]
    assert sampling.choose([], []) == []
    slow = [np.full((32, 32, 3), value, np.uint8) for value in (100, 110, 110)]
    assert sampling.choose([0.0, 5.0, 11.0], slow) == [0, 2]


def test_the_grid_of_ten_hours_is_bounded() -> None:
    assert len(sampling.grid(36_000)) == sampling.LOOKS
    assert len(sampling.grid(36_000, every=2)) == sampling.MOST
    assert sampling.grid(0.5) == [0.0]
    assert sampling.grid(6, every=2) == [0, 2, 4]
    assert sampling.spread(5, 3) == [0, 2, 4]
    assert sampling.spread(0, 3) == []
