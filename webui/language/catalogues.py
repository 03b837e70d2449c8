"""Translations, read from their source files, so that nothing has to be compiled before the server runs."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask_babel import Domain, get_locale

FOLDER = Path(__file__).parents[1] / "translations"
DOMAIN = "messages"
SOURCE = "en"
"""The language of the messages themselves."""


class Catalogues(Domain):
    """The translations of the language that a request is answered in."""

    def get_translations(self) -> NullTranslations:
        """Return them, outside a request and in English those that change nothing."""
        locale = get_locale()
        return NullTranslations() if locale is None or locale.language == SOURCE else translations(locale.language)


def path_of(language: str) -> Path:
    """Return the file with the translations into a language."""
    return FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def catalogue(language: str) -> Catalog:
    """Return the file with the translations into a language as read, which takes some hundredths of a second."""
    with path_of(language).open("rb") as file:
        return read_po(file, language)


@cache
def translations(language: str) -> Translations:
    """Return the translations into a language."""
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return Translations(compiled, DOMAIN)
