"""One crawl: page after page of a search, each picture that may be taken into the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.crawl.client import Client, CrawlError, Gone, Unavailable
from data.crawl.folder import DUPLICATE, GONE, KEPT, REFUSED, CrawlFolder, Entry, query_key
from data.crawl.service import Candidate, Page, Service
from data.decoding.orders import Order
from data.decoding.pool import DecoderUnavailable, decode_bounded
from data.errors import PictureError
from data.limits import Limits

SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "TIFF": "tif"}
"""The formats that services give, and the suffixes of their files."""
MOST_FAILURES = 3
"""Pictures in a row that do not come before the crawl ends: the network is down then."""
_CHECKED = Order(square=32)

Progress = Callable[[int], None]
"""Gets the number of pictures that a search has in the folder."""


@dataclass(frozen=True)
class Wish:
    """What to look for: words, licences (keys of `licences.NAMES`), pictures at most, longer side in pixels."""

    text: str
    licences: tuple[str, ...]
    limit: int
    side: int

    @property
    def key(self) -> str:
        """What stands for it in the state; the same search with another limit goes on."""
        return query_key(self.text, self.licences, self.side)


@dataclass
class CrawlReport:
    """What a crawl did: `kept` pictures are new, `present` ones were there, and `failed` ones are tried again by the
    next run. `exhausted` says that the search has no more pages."""

    kept: int = 0
    present: int = 0
    duplicates: int = 0
    gone: int = 0
    unlicensed: int = 0
    failed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    exhausted: bool = False


class Crawler:
    """Takes the pictures of one search into a folder."""

    def __init__(self, service: Service, client: Client, folder: CrawlFolder, wish: Wish, limits: Limits) -> None:
        self._service, self._client, self._folder = service, client, folder
        self._wish, self._limits = wish, limits
        self._failures = 0
        self.report = CrawlReport()
        found = Counter(one.query for one in folder.entries.values() if one.outcome == KEPT)
        self._have = self.report.present = found[wish.key]
        self._seen: set[str] = set()

    def run(self, progress: Progress) -> CrawlReport:
        """Crawl until there are enough pictures or no more pages. The same search goes on where it was.

        Raises CrawlError, and OSError when the disk fails; what was counted is kept.
        """
        key = self._wish.key
        place = self._folder.place(key)
        at, done, behind = place["at"], place["done"], False
        self.report.exhausted = done
        progress(self._have)
        while not done and self._have < self._wish.limit:
            page = self._page(at)
            failed = self.report.failed
            whole = self._take(page.pictures, progress)
            at, done = page.following, page.following in (None, at)
            behind = behind or self.report.failed > failed  # the next run begins with this page again
            if whole and not behind:
                self._folder.set_place(key, at, done)
            self.report.exhausted = whole and done
        return self.report

    def _page(self, at: object) -> Page:
        wish = self._wish
        try:
            return self._service.search(self._client, wish.text, wish.licences, wish.side, at)
        except Unavailable as error:
            raise self._stopped(str(error)) from error

    def _stopped(self, why: str) -> CrawlError:
        return CrawlError(f"{self._service.title} {why}; what came is kept, run the same command later to go on")

    def _take(self, pictures: Sequence[Candidate], progress: Progress) -> bool:
        """Take the pictures of a page; return False where there were enough before its end."""
        for one in pictures:
            if self._have >= self._wish.limit:
                return False
            known = self._folder.entries.get(one.id)
            if one.id in self._seen or (known is not None and known.query != self._wish.key):
                self.report.duplicates += 1
            elif known is None:
                self._judge(one)
                progress(self._have)
            self._seen.add(one.id)
        return True

    def _judge(self, one: Candidate) -> None:
        if one.licence is None or one.licence.key not in self._wish.licences:
            self.report.unlicensed += 1
            return
        part = self._folder.part(one.id)
        try:
            entry = self._fetch(one, part)
            self._failures = 0
        except (Unavailable, DecoderUnavailable) as error:
            self._fail(str(error))
            return
        except Gone:
            self.report.gone += 1
            entry = Entry(one.id, GONE, self._wish.key)
        except PictureError as error:
            self.report.refused.append((one.id, str(error)))
            entry = Entry(one.id, REFUSED, self._wish.key, reason=str(error))
        else:
            self._put(part, entry)
            return
        finally:
            part.unlink(missing_ok=True)
        self._folder.note(entry)

    def _fail(self, why: str) -> None:
        self.report.failed += 1
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            raise self._stopped(why)

    def _put(self, part: Path, entry: Entry) -> None:
        if entry.outcome == DUPLICATE:
            self.report.duplicates += 1
            self._folder.note(entry)
            return
        self._folder.keep(part, entry)
        self.report.kept += 1
        self._have += 1

    def _fetch(self, one: Candidate, part: Path) -> Entry:
        """Fetch a picture and check it; a file with known content is a duplicate."""
        digest = self._client.download(one.url, part, self._limits.max_bytes)
        same = self._folder.by_hash.get(digest)
        if same is not None:
            return Entry(one.id, DUPLICATE, self._wish.key, same.file, digest)
        facts = decode_bounded(part.read_bytes(), _CHECKED, self._limits).facts
        suffix = SUFFIXES.get(facts.format if facts else "")
        if suffix is None:
            raise PictureError("is in a format that services do not give")
        file = f"{self._service.name}-{one.id}.{suffix}"
        return Entry(one.id, KEPT, self._wish.key, file, digest, facts=dict(one.facts))
