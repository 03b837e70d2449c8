"""Which captioner a library would be described with now, and how much of it is."""

from __future__ import annotations

from typing import NamedTuple

from captioner.bundle import BUNDLED
from captioner.checksums import bundle_version
from captioner.errors import BundleError
from data.records import Status
from data.settings import Settings


class LibraryModel(NamedTuple):
    """The captioner in use, None where it cannot be read; pictures that it has described, and those that it has not."""

    version: str | None
    described: int
    stale: int


def library_model(settings: Settings, status: Status) -> LibraryModel:
    """Hold the counts of a library against the captioner that the settings name."""
    try:
        version = bundle_version(settings.bundle or BUNDLED)
    except BundleError:
        return LibraryModel(None, 0, status.pictures)
    described = status.model_versions.get(version, 0)
    return LibraryModel(version, described, status.pictures - described)
