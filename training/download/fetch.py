"""Fetch one file over HTTP; a broken connection or a stopped run goes on where it was."""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from data.errors import RetroflexError

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4
PAUSE_SECONDS = 1.0
BLOCK = 1 << 18


class FetchError(RetroflexError):
    """The file could not be fetched; the message says why in one line."""


def fetch(url: str, target: Path, pause: float = PAUSE_SECONDS) -> None:
    """Fetch `url` into `target`, which appears only when it is whole; until then `target.part` grows.

    A connection that breaks is taken up again, until four tries in a row brought nothing, with pauses
    of `pause` seconds and growing. Raises FetchError, and OSError when the disk refuses.
    """
    part = target.with_name(target.name + ".part")
    failures = 0
    while True:
        before = _size(part)
        try:
            _fetch_rest(url, part)
            os.replace(part, target)
            return
        except _Broken as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= ATTEMPTS:
                raise FetchError(f"cannot fetch {url}: {error}") from error
            time.sleep(pause * failures)


class _Broken(Exception):
    """The connection failed in a way that another try may mend."""


def _fetch_rest(url: str, part: Path) -> None:
    done = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        _refused(error, url, part)
        return
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as out:
            _copy(response, out, done if resumed else 0)


def _refused(error: urllib.error.HTTPError, url: str, part: Path) -> None:
    """Return when the server's refusal means that `part` is whole; raise otherwise."""
    with error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if error.headers.get("Content-Range") == f"bytes */{_size(part)}":
                return
            part.unlink()
            raise _Broken("the server has another file than the one begun; starting over") from error
        if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Broken(f"the server answers {error.code} {error.reason}") from error
        raise FetchError(f"cannot fetch {url}: the server answers {error.code} {error.reason}") from error


def _copy(response: http.client.HTTPResponse, out: BinaryIO, done: int) -> None:
    length = response.headers.get("Content-Length")
    total = done + int(length) if length is not None else None
    with tqdm(
        total=total, initial=done, unit="B", unit_scale=True, unit_divisor=1024, desc=_name(out), disable=None
    ) as bar:
        while block := _read(response):
            out.write(block)
            bar.update(len(block))
            done += len(block)
    if total is not None and done < total:
        raise _Broken(f"the connection ended after {done:,} of {total:,} bytes")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error


def _name(out: BinaryIO) -> str:
    return Path(out.name).name.removesuffix(".part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())
