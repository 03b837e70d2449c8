"""Asks a web service and fetches files of it: politely, only from its own hosts, and never more bytes than allowed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from data.crawl.pace import Timing, TokenBucket, back_off, retry_after
from data.errors import PictureError, PictureTooLarge, RetroflexError

TRIES = 5
MOST_REDIRECTS = 5
LONGEST_ASKED = 900.0
"""Seconds that a service may ask to wait before the crawl ends instead."""
TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and between two pieces of an answer."""
LONGEST_DOWNLOAD = 300.0
"""Seconds for one file."""
MOST_ANSWER_BYTES = 16 * 2**20
PIECE = 2**16
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_PLAIN_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]+)?")
T = TypeVar("T")


class CrawlError(RetroflexError):
    """The crawl cannot go on; the message says why and what to do."""


class Unavailable(RetroflexError):
    """An answer did not come in any try; the message continues a sentence that begins with the service's name."""


class Gone(PictureError):
    """The service does not have the picture any more."""


class Refused(PictureError):
    """The picture is not fetched; the message says why."""


class TryAgain(Exception):
    """A try failed, another one may succeed; `wait` are the seconds that the service asks for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return none, since the session would read the whole body of a redirect; the client follows them itself."""
        return None


class Client:
    """One service: its answers come from anywhere that the caller says, files only from its own `hosts`.

    A host is a name with a port if it has one, or ".example.org" for all below that. `agent` says who asks.
    """

    def __init__(
        self,
        hosts: Collection[str],
        agent: str,
        timing: Timing | None = None,
        scheme: str = "https",
        calls: Path | None = None,
    ) -> None:
        """`calls` is a file that keeps how often the service was asked, so that its limit holds over runs."""
        self._hosts, self._scheme = hosts, scheme
        self._timing = timing or Timing()
        self._bucket = TokenBucket(self._timing, calls)
        self._session = _Session()
        self._session.headers.update({"User-Agent": agent, "Accept-Encoding": "identity"})
        self._session.auth = lambda request: request  # else a .netrc file may add a password

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(self, url: str, fields: Mapping[str, str], check: Callable[[Any, float | None], T]) -> T:
        """Send a form and return what `check` makes of the JSON document and the seconds to wait that came with it.

        The form is in the body, so that no key in it appears in logs and messages. `check` may raise TryAgain.
        Raises Unavailable or CrawlError.
        """

        def attempt() -> T:
            with self._send("POST", url, fields) as response:
                if response.status_code >= 300:
                    raise CrawlError(f"{urlsplit(url).netloc} refuses the search: it answers {response.status_code}")
                content = b"".join(self._pieces(response, MOST_ANSWER_BYTES))
                asked = retry_after(response.headers, self._timing.clock())
            try:
                document = json.loads(content)
            except (ValueError, RecursionError) as error:
                raise TryAgain("sends an answer that is no JSON") from error
            return check(document, asked)

        try:
            return self._tried(attempt)
        except PictureError as error:
            raise CrawlError(f"the answer of {urlsplit(url).netloc} {error}") from error

    def download(self, url: str, to: Path, most: int) -> str:
        """Write the file at `url` to `to` and return its SHA-256; `most` are the bytes that it may have.

        Raises Gone, Refused, PictureTooLarge, Unavailable or CrawlError, and OSError when the disk fails.
        """

        def attempt() -> str:
            with self._follow(url) as response:
                digest = hashlib.sha256()
                with to.open("wb") as out:
                    for piece in self._pieces(response, most):
                        digest.update(piece)
                        out.write(piece)
                return digest.hexdigest()

        return self._tried(attempt)

    def _tried(self, attempt: Callable[[], T]) -> T:
        for tries in range(1, TRIES):
            try:
                return attempt()
            except TryAgain as problem:
                wait = back_off(tries) if problem.wait is None else problem.wait
            if wait > LONGEST_ASKED:
                raise CrawlError(
                    f"the service asks to wait {wait / 60:.0f} minutes; run the same command then to go on"
                )
            self._timing.sleep(wait)
        try:
            return attempt()
        except TryAgain as problem:
            raise Unavailable(f"{problem}, also at the last of {TRIES} tries") from problem

    def _follow(self, url: str) -> requests.Response:
        """Return the answer with a file, after redirects among the service's own hosts."""
        for _ in range(MOST_REDIRECTS + 1):
            url = self._checked(url)
            response = self._send("GET", url)
            status = response.status_code
            if status in _REDIRECTS and (target := response.headers.get("Location")):
                response.close()
                url = _joined(url, target)
                continue
            if status == 200:
                return response
            response.close()
            if status in _GONE:
                raise Gone("is gone")
            raise Refused(f"is refused by the service with {status}")
        raise Refused("is behind too many redirects")

    def _checked(self, url: str) -> str:
        """Return the address of a file. Raise Gone for the sign that Flickr redirects to in place of a picture, and
        Refused for an address elsewhere."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise Refused("has an address that is none") from error
        host = parts.netloc
        own = any(host == one or (one[0] == "." and host.endswith(one)) for one in self._hosts)
        # Of other characters, such as @ and \\, readers of addresses think differently.
        if parts.scheme != self._scheme or not own or not _PLAIN_HOST.fullmatch(host):
            raise Refused("is at an address outside of the service")
        if "photo_unavailable" in parts.path:
            raise Gone("is gone")
        return url

    def _send(self, method: str, url: str, fields: Mapping[str, str] | None = None) -> requests.Response:
        """Return an answer whose body is not read yet. Raise TryAgain."""
        self._bucket.take()
        try:
            response = self._session.request(
                method, url, data=fields, stream=True, timeout=TIMEOUT, allow_redirects=False
            )
        except _BROKEN as error:
            raise TryAgain("cannot be reached") from error
        except (requests.RequestException, ValueError) as error:
            raise Refused("cannot be asked for") from error
        if response.status_code in _AGAIN:
            response.close()
            asked = retry_after(response.headers, self._timing.clock())
            raise TryAgain(f"answers {response.status_code}", asked)
        return response

    def _pieces(self, response: requests.Response, most: int) -> Iterator[bytes]:
        """Yield the body; its length is checked before and while it comes. Raise PictureTooLarge or TryAgain."""
        length = response.headers.get("Content-Length", "")
        done, end = 0, self._timing.clock() + LONGEST_DOWNLOAD
        try:
            if length.isdigit() and int(length) > most:
                raise _too_long(most)
            for piece in response.iter_content(PIECE):
                done += len(piece)
                if done > most:
                    raise _too_long(most)
                if self._timing.clock() > end:
                    raise TryAgain(f"takes more than {LONGEST_DOWNLOAD:.0f} seconds for a file")
                yield piece
        except _BROKEN as error:
            raise TryAgain("breaks off") from error
        if length.isdigit() and done < int(length):
            raise TryAgain("breaks off")


def _too_long(most: int) -> PictureTooLarge:
    return PictureTooLarge(f"has more than {most:,} bytes; set RETROFLEX_MAX_BYTES to allow more")


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise Refused("is behind a redirect to an address that is none") from error
