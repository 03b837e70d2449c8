"""Licences of pictures, told by the address of their text, and those that a crawl takes."""

from __future__ import annotations

import re
from typing import NamedTuple

from data.errors import RetroflexError

NAMES = {
    "cc0": "CC0",
    "pdm": "Public Domain Mark",
    "cc-by": "CC BY",
    "cc-by-sa": "CC BY-SA",
    "cc-by-nd": "CC BY-ND",
    "cc-by-nc": "CC BY-NC",
    "cc-by-nc-sa": "CC BY-NC-SA",
    "cc-by-nc-nd": "CC BY-NC-ND",
}
"""The licences that a crawl can take, and what people read."""
DEFAULT = ("cc0", "pdm", "cc-by", "cc-by-sa")
"""Those that allow any use, some with a condition that exports can meet."""

_ADDRESS = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/([0-9.]{1,5})"
    r"(?:/([a-z]{2,3}))?(?:/(?:deed|legalcode)?[.a-z_-]*)?",
    re.IGNORECASE,
)
_PUBLIC = {"zero": "cc0", "mark": "pdm"}


class Licence(NamedTuple):
    """A licence: its key in NAMES, its name with the version, the address of its text."""

    key: str
    name: str
    url: str


def licence_at(url: str) -> Licence | None:
    """Return the licence whose text is at this address, None for one that is not in NAMES."""
    found = _ADDRESS.fullmatch(url.strip())
    if found is None:
        return None
    part, code, version = found[1].lower(), found[2].lower(), found[3]
    key = _PUBLIC.get(code, "") if part == "publicdomain" else f"cc-{code}"
    if key not in NAMES:
        return None
    country = f"{found[4].lower()}/" if found[4] and part == "licenses" else ""
    name = f"{NAMES[key]} {version} {country[:-1].upper()}".strip()
    return Licence(key, name, f"https://creativecommons.org/{part}/{code}/{version}/{country}")


def read_licences(text: str) -> tuple[str, ...]:
    """Return the keys that a list such as "cc-by,cc0" names. Raise RetroflexError for one that is not in NAMES."""
    keys = tuple(dict.fromkeys(one.strip().lower() for one in text.split(",") if one.strip()))
    for key in keys:
        if key not in NAMES:
            raise RetroflexError(f"there is no licence {key[:40]!a}; give some of {','.join(NAMES)}")
    if not keys:
        raise RetroflexError(f"--license names no licence; give some of {','.join(NAMES)}")
    return keys
