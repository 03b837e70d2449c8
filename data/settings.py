"""Settings: defaults, then environment variables (RETROFLEX_...), then what a command was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from platformdirs import user_data_path
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.errors import RetroflexError
from data.limits import DEFAULT_LIMITS, PIXELS_CEILING, Limits

ENV_PREFIX = "RETROFLEX_"


class Settings(BaseSettings):
    """Where the library lies, which captioner describes it, and the caps on pictures (bytes and pixels)."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    library: Path = Field(default_factory=lambda: user_data_path("retroflex"))
    database_url: str | None = None
    bundle: Path | None = None
    encoder: str = "bundled"
    max_bytes: int = Field(default=DEFAULT_LIMITS.max_bytes, gt=0)
    max_pixels: int = Field(default=DEFAULT_LIMITS.max_pixels, gt=0, le=PIXELS_CEILING)
    max_upload_bytes: int = Field(default=20 * 2**20, gt=0)

    @field_validator("library", "bundle")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the store: `database_url`, or an SQLite file in the library folder."""
        return self.database_url or f"sqlite:///{quote(str(self.library / 'library.sqlite3'))}"

    @property
    def limits(self) -> Limits:
        """The caps that `data.pictures` holds files to."""
        return Limits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    @property
    def index_dir(self) -> Path:
        """Folder of the search indexes, which can be rebuilt from the store."""
        return self.library / "index"

    @property
    def thumbnail_dir(self) -> Path:
        """Folder of the thumbnails, which can be made again from the pictures."""
        return self.library / "thumbnails"


def load_settings(**overrides: Any) -> Settings:
    """Return the settings; an override of None counts as not given.

    Raises RetroflexError, one line that names the first bad value and the variable that sets it.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise RetroflexError(_first_problem(error)) from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = str(problem["loc"][0])
    return f"setting {name} ({ENV_PREFIX}{name.upper()}) is {problem['input']!r}: {problem['msg']}"
