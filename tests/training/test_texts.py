"""Tables of captions in several languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import RetroflexError
from training.texts import read_texts


def test_captions_are_gathered_by_picture_and_language(tmp_path: Path) -> None:
    head = "picture\tsplit\tcaption\n"
    (tmp_path / "de.tsv").write_text(
        f"{head}a.jpg\ttrain\tEin Hund läuft.\nb.jpg\ttext\tZwei Bäume\nc.jpg\tdev\tgeheim\n"
    )
    (tmp_path / "en.tsv").write_text(f'{head}b.jpg\ttext\tTwo "trees"\nb.jpg\ttext\tsome trees\nd.jpg\ttext\t ...\n')
    texts = read_texts(tmp_path, "en")
    assert texts.translations == {"a.jpg": [[["ein", "hund", "läuft"]]]}
    assert texts.unpaired == [[["zwei", "bäume"], ["two", "trees"], ["some", "trees"]]]
    assert texts.unpaired_own == [[["two", "trees"], ["some", "trees"]]]
    assert texts.languages == {"de": 2, "en": 2}


def test_a_folder_without_tables_and_a_table_without_a_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match="no table of captions"):
        read_texts(tmp_path, "en")
    (tmp_path / "fr.tsv").write_text("picture\tcaption\na.jpg\tun chien\n")
    with pytest.raises(RetroflexError, match=r"fr\.tsv: the column split is missing"):
        read_texts(tmp_path, "en")
