"""Licences are told by their addresses; what is not known is none."""

from __future__ import annotations

import pytest

from data.crawl.licences import licence_at, read_licences
from data.errors import RetroflexError


@pytest.mark.parametrize(
    ("url", "key", "name"),
    [
        ("https://creativecommons.org/licenses/by/2.0/", "cc-by", "CC BY 2.0"),
        ("http://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "cc-by-sa", "CC BY-SA 3.0 DE"),
        ("https://creativecommons.org/licenses/by-sa/4.0", "cc-by-sa", "CC BY-SA 4.0"),
        ("//creativecommons.org/publicdomain/zero/1.0/legalcode", "cc0", "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm", "Public Domain Mark 1.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/2.0/deed.pt_BR", "cc-by-nc-nd", "CC BY-NC-ND 2.0"),
    ],
)
def test_known_licences(url: str, key: str, name: str) -> None:
    licence = licence_at(url)
    assert licence is not None
    assert (licence.key, licence.name) == (key, name)
    assert licence_at(licence.url) == licence


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://www.flickr.com/commons/usage/",
        "https://creativecommons.org/licenses/sampling/1.0/",
        "https://creativecommons.org/licenses/zero/1.0/",
        "https://creativecommons.org.example.org/licenses/by/2.0/",
        "https://example.org/creativecommons.org/licenses/by/2.0/",
        "https://creativecommons.org/licenses/by/2.0/?=javascript:",
    ],
)
def test_other_addresses_are_no_licence(url: str) -> None:
    assert licence_at(url) is None


def test_a_list_of_licences() -> None:
    assert read_licences(" CC-BY, cc0,cc-by,") == ("cc-by", "cc0")
    with pytest.raises(RetroflexError, match="there is no licence 'mit'"):
        read_licences("cc0,mit")
    with pytest.raises(RetroflexError, match="names no licence"):
        read_licences(" , ")
