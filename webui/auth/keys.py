"""The keys for access from other machines: a password, a token, and the secret that signs sessions, in one file.

The password is stored as its scrypt hash, the token, which is long and random, as its SHA-256. Only the file's owner
can read it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from werkzeug.security import check_password_hash, generate_password_hash

from data.errors import RetroflexError
from data.paths import display

SHORTEST_PASSWORD = 8
SHORTEST_TOKEN = 16
TOKEN_VARIABLE = "RETROFLEX_TOKEN"
_FILE = "access.json"


@dataclass(frozen=True)
class Keys:
    """The content of the file; empty where there is none. `token` is a SHA-256 in hexadecimal."""

    password: str = ""
    token: str = ""
    secret: str = ""

    @property
    def given(self) -> bool:
        """Whether there is a password or a token."""
        return bool(self.password or self.token)

    @property
    def session(self) -> str:
        """What a session stores; it changes with the password and the token, which ends old sessions."""
        return hmac.digest(self.secret.encode(), f"{self.password} {self.token}".encode(), "sha256").hex()

    def opens_by_password(self, given: str) -> bool:
        """Return whether this is the password; every wrong one takes the same time."""
        return bool(self.password) and check_password_hash(self.password, given)

    def opens_by_token(self, given: str) -> bool:
        """Return whether this is the token, in constant time."""
        return bool(self.token) and hmac.compare_digest(_digest(given), self.token)


def read_keys(library: Path) -> Keys:
    """Return the keys of the library in this folder; a token in the environment replaces the stored one.

    Raise RetroflexError for a file that cannot be read, and for a token that is too short.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        return _stored(library)
    if len(token) < SHORTEST_TOKEN:
        raise RetroflexError(f"{TOKEN_VARIABLE} is too short to be safe; give at least {SHORTEST_TOKEN} characters")
    return replace(_stored(library), token=_digest(token))


def ensure_secret(library: Path) -> None:
    """Make the secret that signs sessions, unless there is one. Raise RetroflexError."""
    keys = _stored(library)
    if not keys.secret:
        _write(library, keys)


def set_password(library: Path, password: str | None) -> None:
    """Store a password, or remove it with None. Raise RetroflexError, one line."""
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise RetroflexError(f"the password is too short; give at least {SHORTEST_PASSWORD} characters")
    hashed = "" if password is None else generate_password_hash(password, "scrypt")
    _write(library, replace(_stored(library), password=hashed))


def make_token(library: Path) -> str:
    """Make a new token, store its hash and return the token. Raise RetroflexError."""
    token = secrets.token_urlsafe(32)
    _write(library, replace(_stored(library), token=_digest(token)))
    return token


def remove_token(library: Path) -> None:
    """Remove the token. Raise RetroflexError."""
    _write(library, replace(_stored(library), token=""))


def _stored(library: Path) -> Keys:
    path = library / _FILE
    try:
        return Keys(**json.loads(path.read_text()))
    except FileNotFoundError:
        return Keys()
    except (OSError, ValueError, TypeError) as error:
        raise RetroflexError(f"{display(path)} cannot be read; delete it and set the password again") from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _write(library: Path, keys: Keys) -> None:
    """Write a new file and rename it; `mkstemp` makes files that only their owner can read."""
    kept = keys if keys.secret else replace(keys, secret=secrets.token_hex(32))
    try:
        handle, beside = tempfile.mkstemp(dir=library, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(kept), file)
        os.replace(beside, library / _FILE)
    except OSError as error:
        reason = f"{display(library)}: {error.strerror or error}"
        raise RetroflexError(f"cannot write to {reason}; is there a library?") from error
