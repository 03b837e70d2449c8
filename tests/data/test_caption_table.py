"""A table of picture and caption becomes a data set; what is wrong with it is said in one line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.caption_table import read_caption_table, with_captions_of
from data.captioned import SPLITS, CaptionedPicture, Dataset
from data.errors import RetroflexError


def table(folder: Path, *rows: str, header: str = "picture,caption,split", pictures: str = "a b c") -> Path:
    """Write the table beside its pictures, given by their names without .jpg."""
    for name in pictures.split():
        (folder / f"{name}.jpg").write_bytes(b"x")
    path = folder / "captions.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def names(path: Path, split: str | None) -> list[str]:
    return [picture.name for picture in read_caption_table(path, split).pictures]


def test_reads_a_split_with_all_captions_of_a_picture(tmp_path: Path) -> None:
    path = table(tmp_path, "b.jpg,Two .,train", "a.jpg,One .,dev", 'b.jpg,"Three,\n four .",train')
    dataset = read_caption_table(path, "train")
    assert dataset.split == "train"
    assert dataset.pictures == [CaptionedPicture("b.jpg", tmp_path / "b.jpg", ["Two .", "Three, four ."])]
    assert dataset.problems == []
    assert names(path, "dev") == ["a.jpg"]
    assert names(path, None) == ["b.jpg", "a.jpg"]


@pytest.mark.parametrize("column", ["picture", "image", "filename", " Image "])
def test_the_picture_column_has_several_names_and_any_position(tmp_path: Path, column: str) -> None:
    assert names(table(tmp_path, "x,One .,a.jpg", header=f"comment,Caption,{column}"), "train") == ["a.jpg"]


def test_splits_have_the_names_that_people_give_them(tmp_path: Path) -> None:
    rows = ["a.jpg,One .,val", "b.jpg,One .,Validation", "c.jpg,One .,DEV", "d.jpg,One .,all", "e.jpg,One .,"]
    dataset = read_caption_table(table(tmp_path, *rows, pictures="a b c d e"), "dev")
    assert [picture.name for picture in dataset.pictures] == ["a.jpg", "b.jpg", "c.jpg"]
    assert dataset.problems == [
        "captions.csv line 5: its split 'all' is none of train, dev, test, val, validation",
        "captions.csv line 6: has no split",
    ]


def test_empty_fields_repetitions_and_contradictions_are_named_and_skipped(tmp_path: Path) -> None:
    rows = ["a.jpg,One .,train", "a.jpg,,train", ",One .,train", "a.jpg, One  .,train", "./a.jpg,Two .,dev"]
    dataset = read_caption_table(table(tmp_path, *rows), "train")
    assert [picture.captions for picture in dataset.pictures] == [["One ."]]
    assert dataset.problems == [
        "captions.csv line 3: has no caption",
        "captions.csv line 4: has no picture",
        "captions.csv line 5: repeats a caption of this picture",
        "captions.csv line 6: puts the picture in dev, an earlier row in train",
    ]


@pytest.mark.parametrize("folder", ["Images", "images"])
def test_pictures_may_be_in_a_folder_next_to_the_table(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder / "sub").mkdir(parents=True)
    (tmp_path / folder / "sub" / "d.jpg").write_bytes(b"x")
    path = table(tmp_path, "sub/d.jpg,One .,train", f"{folder}/sub/d.jpg,Two .,train", "a.jpg,Three .,train")
    pictures = read_caption_table(path, "train").pictures
    assert [picture.name for picture in pictures] == [f"{folder}/sub/d.jpg", "a.jpg"]
    assert (pictures[0].path, pictures[0].captions) == (tmp_path / folder / "sub" / "d.jpg", ["One .", "Two ."])


def test_paths_stay_in_the_folder_unless_they_are_written_in_full(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "out.jpg").write_bytes(b"x")
    rows = ["../out.jpg,One .,train", "x/../../out.jpg,One .,train", f"{tmp_path}/out.jpg,One .,train"]
    dataset = read_caption_table(
        table(tmp_path / "set", *rows, "x/../a.jpg,One .,train", f"{tmp_path}/set/b.jpg,One .,train"), "train"
    )
    assert [picture.name for picture in dataset.pictures] == [f"{tmp_path}/out.jpg", "a.jpg", "b.jpg"]
    assert dataset.problems == ["captions.csv line 2: ../out.jpg leads out of the table's folder; write the full path"]


def test_a_missing_picture_is_named_once_and_skipped(tmp_path: Path) -> None:
    rows = ["lost.jpg,One .,train", "lost.jpg,Two .,train", "a.jpg,One .,train", "/lost.jpg,One .,train"]
    odd = ["nul\0.jpg,One .,train", f"{'n' * 300}.jpg,One .,train", '"new\nline.jpg",One .,train', ".,One .,train"]
    dataset = read_caption_table(table(tmp_path, *rows, *odd), "train")
    assert [picture.name for picture in dataset.pictures] == ["a.jpg"]
    beside = "is neither beside the table nor in its Images or images folder"
    assert dataset.problems[:2] == [
        f"captions.csv line 2: lost.jpg {beside}",
        "captions.csv line 5: /lost.jpg is no file",
    ]
    assert len(dataset.problems) == 6
    assert not any("\n" in problem or "\0" in problem for problem in dataset.problems)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image,text", r"has the columns 'image', 'text'; its first line must name the column caption"),
        ("a.jpg,A dog .", r"has the columns 'a.jpg', 'A dog .'; its .* column picture or image or filename"),
        ("picture;caption", r"has the columns 'picture;caption'; its first line"),
        ("image,filename,caption", r"keep one for the picture, not 2"),
    ],
)
def test_missing_and_doubled_columns_name_those_found(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(RetroflexError, match=message):
        read_caption_table(table(tmp_path, "a.jpg,One .", header=header), "train")


def test_a_header_alone_and_a_split_without_pictures_are_errors(tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match=r"no usable picture for train in .*0 train, 0 dev, 0 test; add pictures"):
        read_caption_table(table(tmp_path), "train")
    with pytest.raises(RetroflexError, match=r"no usable picture for any split in .* 0 test$"):
        read_caption_table(table(tmp_path), None)
    path = table(tmp_path, "a.jpg,One .,train", "lost.jpg,One .,dev")
    with pytest.raises(
        RetroflexError, match=r"which has 1 train.*write dev in the column split \(first problem: .*lost"
    ):
        read_caption_table(path, "dev")


def split_of(folder: Path, count: int) -> dict[str, str]:
    numbered = [f"p{number}" for number in range(count)]
    rows = [f"{name}.jpg,One ." for name in numbered]
    path = table(folder, *rows, header="picture,caption", pictures=" ".join(numbered))
    found = {}
    for split in SPLITS:
        try:
            found.update(dict.fromkeys(names(path, split), split))
        except RetroflexError:
            continue  # Few pictures need not have a test split.
    return found


def test_without_a_column_the_name_decides_on_the_split_and_rows_added_change_nothing(tmp_path: Path) -> None:
    few, many = split_of(tmp_path, 300), split_of(tmp_path, 1000)
    counts = Counter(many.values())
    assert len(many) == 1000
    assert 70 < counts["dev"] < 130
    assert 70 < counts["test"] < 130
    assert {name: many[name] for name in few} == few


@pytest.mark.parametrize("count", range(2, 12))
def test_two_pictures_are_enough_for_train_and_dev(tmp_path: Path, count: int) -> None:
    assert {"train", "dev"} <= set(split_of(tmp_path, count).values())


def test_a_single_picture_is_for_training(tmp_path: Path) -> None:
    assert split_of(tmp_path, 1) == {"p0.jpg": "train"}


HEADER = "picture\tsplit\tcaption\n"


def dataset(*names: str) -> Dataset:
    pictures = [CaptionedPicture(name, Path(name), ["an English one"]) for name in names]
    return Dataset("dev", pictures, ["b.jpg: an earlier problem"])


def read(folder: Path, content: str, name: str = "de.tsv", split: Dataset | None = None) -> Dataset:
    (folder / name).write_text(content, encoding="utf-8")
    return with_captions_of(folder / name, split or dataset("a.jpg", "b.jpg"))


def test_captions_of_the_table_replace_those_of_the_split(tmp_path: Path) -> None:
    rows = "a.jpg\tdev\tZwei Männer\na.jpg\ttrain\tanderswo\n./b.jpg\tval\tEin  Hund\na.jpg\tDev\tDie Straße\n"
    found = read(tmp_path, HEADER + rows + "z.jpg\ttext\tohne Bild\n")
    assert [one.captions for one in found.pictures] == [["Zwei Männer", "Die Straße"], ["Ein Hund"]]
    assert (found.split, found.problems) == ("dev", ["b.jpg: an earlier problem"])


def test_a_picture_without_a_row_stays_without_captions(tmp_path: Path) -> None:
    found = read(tmp_path, "image,caption,split\nb.jpg,\"l'homme, d'un chien\",dev\n", "fr.csv")
    assert [(one.name, one.captions) for one in found.pictures] == [("a.jpg", []), ("b.jpg", ["l'homme, d'un chien"])]


def test_unknown_pictures_are_counted_and_bad_rows_named(tmp_path: Path) -> None:
    rows = "a.jpg\tdev\tja\ny.jpg\tdev\tnein\nx.jpg\tdev\tnein\nx.jpg\tdev\tnie\nb.jpg\tdev\t\n\tdev\tja\nb.jpg\tdev\n"
    problems = read(tmp_path, HEADER + rows).problems[1:]
    assert problems == [
        "de.tsv line 8: the header has 3 fields, this row 2; a field that holds the separator needs quotes",
        "de.tsv line 6: has no caption",
        "de.tsv line 7: has no picture",
        "de.tsv: 2 of its pictures, since the dev split does not have them, such as x.jpg",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("de.tsv", "", "is empty"),
        ("de.json", "{}", "no table of captions"),
        ("de.tsv", "picture\tcaption\na.jpg\tja\n", "must name the column split"),
        ("de.tsv", "picture,split,caption\na.jpg,dev,ja\n", "must name the column picture"),
        ("de.tsv", HEADER + "a.jpg\ttrain\tja\nb.jpg\ttext\tja\nz.jpg\ttext\tja\n", "2 'text', 1 'train'"),
        ("de.tsv", HEADER, "its rows by split: none"),
        ("de.tsv", HEADER + "photos/a.jpg\tdev\tja\n", "it has photos/a.jpg, the data set a.jpg"),
    ],
)
def test_an_unusable_table_is_one_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(RetroflexError, match=message) as error:
        read(tmp_path, content, name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "message"), [("none.tsv", "No such file"), ("folder.tsv", "Is a directory")])
def test_no_file_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(RetroflexError, match=message):
        with_captions_of(tmp_path / name, dataset("a.jpg"))
