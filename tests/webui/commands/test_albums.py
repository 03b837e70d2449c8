"""`retroflex albums`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.errors import RetroflexError
from retrieval.commands.search import search
from retrieval.library import Library
from webui.commands.albums import albums


@pytest.fixture
def call(library: Library) -> Callable[..., str]:
    def run(*arguments: object, command: object = albums) -> str:
        given = [*map(str, arguments), "--library", str(library.settings.library)]
        result = CliRunner().invoke(command, given)  # type: ignore[arg-type]
        if isinstance(result.exception, RetroflexError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_albums_are_made_shown_changed_and_undone(call: Callable[..., str], photo_folder: Path) -> None:
    red, blue = photo_folder / "red 0.jpg", photo_folder / "blue 2.webp"
    assert "no albums yet" in call("list")
    assert call("new", "By hand", blue, red) == "made the album By hand: 2 pictures\n"
    assert call("show", "by hand", "--paths").splitlines() == [str(blue), str(red)]
    assert call("show", "1", "--print0") == f"{blue}\0{red}\0"
    assert call("add", "By hand", photo_folder) == "10 pictures added to By hand\n"
    assert call("remove", "1", photo_folder).startswith("12 pictures taken out of By hand")
    assert call("undo") == "undone: 12 pictures taken out of the album By hand\n"
    assert call("rename", "by HAND", "2024") == "By hand is now 2024\n"
    assert call("favourite", red) == "1 picture now among the favourites\n"
    assert call("new", "Saved", "--search", "q=red&favourite=yes") == "made the album Saved: q=red&favourite=yes\n"
    assert call("show", "saved", "--paths") == f"{red}\n"
    shown = json.loads(call("show", "Saved", "--json"))
    assert (shown["pictures"], shown["listed"][0]["id"]) == (1, 1)
    assert [one["name"] for one in json.loads(call("list", "--json"))["albums"]] == ["2024", "Saved"]
    in_album = call("red", "--album", "2024", "--favourite", "yes", "--paths", command=search)
    assert in_album == f"{red}\n"
    assert "2  Saved  search: q=red&favourite=yes" in call("list")
    call("delete", "2024")
    for arguments, said in (
        (("show", "2024"), "there is no album '2024'; there are Saved"),
        (("new", "saved"), "there is an album saved already"),
        (("new", "x", "/nowhere.jpg"), "/nowhere.jpg is no picture of the library"),
        (("new", "x", "--search", "sort=wrong"), "sort must be one of"),
        (("add", "Saved", red), "Saved is a saved search"),
    ):
        with pytest.raises(RetroflexError, match=said):
            call(*arguments)
    with pytest.raises(RetroflexError, match="there is no album"):
        call("red", "--album", "2024", command=search)
