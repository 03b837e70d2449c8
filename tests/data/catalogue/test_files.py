"""Tables as spreadsheets, databases and shops write them, and files that are none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data.catalogue import files
from data.catalogue.files import TableRow, open_table
from data.catalogue.profile import profile
from data.errors import RetroflexError

PLAIN = "sku,name\n1,Käse\n2,Brot\n"


def read(path: Path, content: bytes, **how: str) -> tuple[list[TableRow], list[str]]:
    path.write_bytes(content)
    problems: list[str] = []
    table = profile(open_table(path, **how), [], lambda done, of: None).table
    return list(table.rows(problems)), problems


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("latin-1"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
    ],
)
def test_encodings_and_line_ends_are_found(tmp_path: Path, content: bytes) -> None:
    rows, problems = read(tmp_path / "t.csv", content)
    assert rows == [(2, {"sku": "1", "name": "Käse"}), (3, {"sku": "2", "name": "Brot"})]
    assert problems == []


def test_bytes_that_are_not_utf8_far_below_the_header_are_found_too(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "t.csv", b"sku,name\n" + b"1,x\n" * 5000 + b"2,caf\xe9\n")
    assert rows[-1] == (5002, {"sku": "2", "name": "café"})


def test_a_named_encoding_is_used_and_checked(tmp_path: Path) -> None:
    assert read(tmp_path / "t.csv", PLAIN.encode("cp1250"), encoding="cp1250")[0][0].cells["name"] == "Käse"
    with pytest.raises(RetroflexError, match=r"t\.csv is not utf-8; .*--encoding"):
        read(tmp_path / "t.csv", PLAIN.encode("latin-1"), encoding="utf-8")
    with pytest.raises(RetroflexError, match="there is no encoding 'klingon'"):
        read(tmp_path / "t.csv", b"", encoding="klingon")


def test_tabs_and_other_separators(tmp_path: Path) -> None:
    assert read(tmp_path / "t.tsv", b"sku\tname\n1\ta,b\n")[0] == [(2, {"sku": "1", "name": "a,b"})]
    assert read(tmp_path / "t.csv", b"sku;name\n1;a,b\n", delimiter=";")[0] == [(2, {"sku": "1", "name": "a,b"})]


def test_json_lines_have_the_names_that_occur(tmp_path: Path) -> None:
    lines = [{"sku": 1, "price": 2.5, "sale": True}, {"sku": 2, "tags": ["a", "b"], "more": {"x": 1}, "price": None}]
    content = "\n".join(map(json.dumps, lines)) + '\n[1]\nnonsense\n\n{"sku": "' + "\\ud800" + '"}'
    path = tmp_path / "t.jsonl"
    rows, problems = read(path, content.encode())
    assert [row.cells for row in rows[:2]] == [
        {"sku": "1", "price": "2.5", "sale": "yes"},
        {"sku": "2", "tags": "a, b", "more": '{"x": 1}', "price": ""},
    ]
    assert [line.split(":")[0] for line in problems] == ["line 3", "line 4"]
    assert [*profile(open_table(path), [], lambda done, of: None).columns] == ["sku", "price", "sale", "tags", "more"]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"sku": [1, 2], "price": [2.5, None], "sale": [True, False]}), path)
    table = open_table(path)
    assert list(table.rows([])) == [
        (1, {"sku": "1", "price": "2.5", "sale": "yes"}),
        (2, {"sku": "2", "price": "", "sale": "no"}),
    ]
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(RetroflexError, match=r"t\.parquet cannot be read as Parquet"):
        open_table(path)


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RetroflexError, match=r"pip install 'retroflex\[parquet\]'"):
        open_table(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; its first line must name the columns"),
        (b"\xff\xfe", "is empty"),
        (b"sku,name\n", "has no row below its header"),
        (b"sku;name\n1;x\n", r"has one column only, 'sku;name'; the separator looks like ';': add --delimiter ';'"),
        (b"sku\tname\n", r"looks like tab: add --delimiter \$'\\t'"),
        (b"sku\n1\n", "needs a key and at least one column of facts"),
        (b"a,b,a\n1,2,3\n", "two columns named 'a'"),
        (b"a,b" + b",c" * 199, "two columns"),
        (",".join(f"c{number}" for number in range(201)).encode(), "has 201 columns; at most 200"),
        (b'a,"b\n', "the header of .* cannot be read"),
    ],
)
def test_what_is_wrong_with_a_whole_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(RetroflexError, match=message) as raised:
        read(tmp_path / "t.csv", content)
    assert "\n" not in str(raised.value)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match=r"is no table; give a \.csv, \.tsv"):
        open_table(tmp_path / "t.xlsx")
    with pytest.raises(RetroflexError, match="cannot be read: No such file"):
        open_table(tmp_path / "t.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(RetroflexError, match="cannot be read: Is a directory"):
        open_table(tmp_path / "d.csv")


def test_bad_rows_are_named_and_the_others_read(tmp_path: Path) -> None:
    content = b'sku,name\n1,x,y\n2\n3,"open\n4,a\0b\n5,' + b"z" * 200_000 + b"\n6,fine\n"
    rows, problems = read(tmp_path / "t.csv", content)
    assert rows == [(7, {"sku": "6", "name": "fine"})]
    assert sorted(line.split(":")[0] for line in problems) == [f"line {number}" for number in (2, 3, 4, 5, 6)]
    assert "more than 131,072 characters" in max(problems)


def test_a_line_of_any_length_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 64)
    rows, problems = read(tmp_path / "t.csv", b"sku,name\n1," + b"x" * 1000 + b"\n2,y\n")
    assert rows == [(3, {"sku": "2", "name": "y"})]
    assert problems == ["line 2: has more than 64 characters; left out"]


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("sku,name\n" + f"1,{'x' * 1000}\n" * 40_000)
    count = (
        "import resource, sys; from pathlib import Path; from data.catalogue.files import open_table; table = "
        "open_table(Path(sys.argv[1])); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; rows = "
        "sum(1 for _ in table.rows([])); print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    result = subprocess.run([sys.executable, "-c", count, str(path)], capture_output=True, text=True, check=True)
    rows, kilobytes = map(int, result.stdout.split())
    assert rows == 40_000
    assert kilobytes < 15_000  # of 40 MB


def test_progress_ends_at_all(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sku,name\n" + "1,x\n" * 3000)
    steps: list[tuple[int, int]] = []
    list(open_table(tmp_path / "t.csv").rows([], lambda done, of: steps.append((done, of))))
    assert steps[-1] == (12009, 12009)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
