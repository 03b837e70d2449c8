"""Rows of CSV and TSV files as spreadsheets, pandas and hands make them."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import RetroflexError
from data.tabular import Row, read_table


def read(folder: Path, content: bytes, name: str = "t.csv") -> tuple[list[str], list[Row], list[str]]:
    (folder / name).write_bytes(content)
    problems: list[str] = []
    header, rows = read_table(folder / name, problems)
    return header, rows, problems


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    header, rows, problems = read(tmp_path, b"\xef\xbb\xbfa, b\r\n\r\n 1 ,2\r\n,,\r\n3,4")
    assert (header, rows, problems) == (["a", "b"], [(3, ["1", "2"]), (5, ["3", "4"])], [])


def test_quoted_fields_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    _, rows, problems = read(tmp_path, b'a,b\n1, "x, ""y""\nz"\n2,5" pipe\n')
    assert (rows, problems) == ([(2, ["1", 'x, "y"\nz']), (4, ["2", '5" pipe'])], [])


def test_tabs_part_the_fields_of_a_tsv(tmp_path: Path) -> None:
    assert read(tmp_path, b"a\tb\n1\tx, y\n", "t.TSV")[1] == [(2, ["1", "x, y"])]


def test_line_separators_inside_a_field_do_not_cut_it(tmp_path: Path) -> None:
    assert read(tmp_path, "a\none\x0ctwo\u2028three\n".encode())[1] == [(2, ["one\x0ctwo\u2028three"])]


def test_an_open_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    _, rows, problems = read(tmp_path, b'a,b\n1,"open\n2,"x, y"\n3,z\n4,"open to the end\n5,z\n')
    assert rows == [(3, ["2", "x, y"]), (4, ["3", "z"]), (6, ["5", "z"])]
    assert [problem.split(":")[0] for problem in problems] == ["t.csv line 2", "t.csv line 5"]
    assert "quote that is not closed" in problems[0]


def test_an_open_quote_before_very_many_rows(tmp_path: Path) -> None:
    _, rows, problems = read(tmp_path, b'a,b\n1,"open\n' + b"2,z\n" * 50_000)
    assert (len(rows), len(problems)) == (50_000, 1)


def test_rows_that_are_not_utf8_or_of_another_length_are_named_and_skipped(tmp_path: Path) -> None:
    _, rows, problems = read(tmp_path, b"a,b\n1,caf\xe9\n2\n3,x,y\n4,z,,\n")
    assert rows == [(5, ["4", "z"])]
    assert problems[0] == "t.csv line 2: is not UTF-8; save the file as UTF-8"
    assert problems[1].startswith("t.csv line 3: the header has 2 fields, this row 1")
    assert problems[2].startswith("t.csv line 4: the header has 2 fields, this row 3")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n\n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RetroflexError, match=r"t.csv is empty; its first line must name the columns"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", ["a,b\n1,2\n".encode("utf-16"), b'"a,b\n1,2\n'])
def test_a_header_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RetroflexError, match=r"the header of .*t.csv cannot be read: line 1: ") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to(tmp_path / "t.csv")
    with pytest.raises(RetroflexError, match=r"t.csv cannot be read: "):
        read_table(tmp_path / "t.csv", [])
