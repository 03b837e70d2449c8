"""Settings: defaults, then environment variables (RETROFLEX_...), then options of the command.

This is a plain dataclass: a settings library would add a tenth of a second to every search on the command line.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from platformdirs import user_data_path

from data.errors import RetroflexError
from data.limits import DEFAULT_LIMITS, PIXELS_CEILING, SOURCE_PIXELS_CEILING, Limits

ENV_PREFIX = "RETROFLEX_"
IN_INDEX, IN_MILVUS = "index", "milvus"
"""Where BLEU may find candidates."""
DATABASE_FILE = "library.sqlite3"
"""The store in a library's folder, unless another database is set."""


@dataclass(frozen=True)
class Settings:
    """The library's folder, the captioner that describes it, and the caps on pictures (bytes and pixels).

    `vectors` is where vectors are searched if not in the library's index: see `retrieval.vectors.milvus_client`.
    `bleu_candidates` is where pictures are found whose captions BLEU may rank best, IN_INDEX or IN_MILVUS.
    """

    library: Path = field(default_factory=lambda: user_data_path("retroflex"))
    database_url: str | None = None
    vectors: str | None = None
    bleu_candidates: str = IN_INDEX
    bundle: Path | None = None
    max_bytes: int = DEFAULT_LIMITS.max_bytes
    max_pixels: int = DEFAULT_LIMITS.max_pixels
    max_source_pixels: int = DEFAULT_LIMITS.max_source_pixels
    max_upload_bytes: int = 20 * 2**20

    @property
    def database(self) -> Path:
        """The SQLite file in the library folder, used unless `database_url` is set."""
        return self.library / DATABASE_FILE

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the store: `database_url`, or an SQLite file in the library folder."""
        return self.database_url or f"sqlite:///{quote(str(self.database))}"

    @property
    def exists(self) -> bool:
        """Whether there is a library; that of a `database_url` counts as one."""
        return self.database_url is not None or self.database.exists()

    @property
    def limits(self) -> Limits:
        """The caps that `data.pictures` applies."""
        return Limits(self.max_bytes, self.max_pixels, self.max_source_pixels)

    @property
    def index_dir(self) -> Path:
        """Folder of the search indexes, which can be rebuilt from the store; those without vectors have their own."""
        return self.library / ("index" if self.vectors is None else "index-captions")

    @property
    def thumbnail_dir(self) -> Path:
        """Folder of the thumbnails, which can be made again from the pictures."""
        return self.library / "thumbnails"


PATHS = ("library", "bundle")
CEILINGS = {
    "max_bytes": None,
    "max_pixels": PIXELS_CEILING,
    "max_source_pixels": SOURCE_PIXELS_CEILING,
    "max_upload_bytes": None,
}


def load_settings(**overrides: Any) -> Settings:
    """Return the settings; an override of None and an empty environment variable are ignored.

    Raises RetroflexError, one line that names the first bad value and the variable that sets it.
    """
    names = [item.name for item in fields(Settings)]
    unknown = overrides.keys() - set(names)
    if unknown:
        raise RetroflexError(f"no setting is called {sorted(unknown)[0]}; there are {', '.join(names)}")
    values = {
        name: os.environ[ENV_PREFIX + name.upper()] for name in names if os.environ.get(ENV_PREFIX + name.upper())
    }
    values |= {name: value for name, value in overrides.items() if value is not None}
    settings = Settings(**{name: _checked(name, value) for name, value in values.items()})
    _check_candidates(settings)
    return settings


def _check_candidates(settings: Settings) -> None:
    setting = f"the setting RETROFLEX_BLEU_CANDIDATES is {settings.bleu_candidates!r}"
    if settings.bleu_candidates not in (IN_INDEX, IN_MILVUS):
        raise RetroflexError(f"{setting}: give {IN_INDEX} or {IN_MILVUS}")
    if settings.bleu_candidates == IN_MILVUS and settings.vectors is None:
        raise RetroflexError(f"{setting}, which needs Milvus: give its address as RETROFLEX_VECTORS, too")


def _checked(name: str, value: Any) -> Any:
    if name in PATHS:
        return Path(value).expanduser().absolute()
    return _whole_number(name, value) if name in CEILINGS else value


def _whole_number(name: str, value: Any) -> int:
    ceiling, setting = CEILINGS[name], f"setting {name} ({ENV_PREFIX}{name.upper()}) is {value!r}"
    try:
        number = int(value)
    except ValueError as error:
        raise RetroflexError(f"{setting}: give a whole number") from error
    if number <= 0:
        raise RetroflexError(f"{setting}: give a number greater than 0")
    if ceiling is not None and number > ceiling:
        raise RetroflexError(f"{setting}: give {ceiling} at most")
    return number
