"""Who may come in from other machines: a password, a token, and the secret that signs sessions, in one small file.

The password is kept as scrypt makes it. The token is long and random, so its plain SHA-256 gives nothing away. The
file can be read by its owner only.
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
    """What the file holds; empty where there is none. `token` is a SHA-256 in hexadecimal."""

    password: str = ""
    token: str = ""
    secret: str = ""

    @property
    def given(self) -> bool:
        """Whether there is a password or a token at all."""
        return bool(self.password or self.token)

    @property
    def session(self) -> str:
        """What a session carries: it changes with the password and with the token, and old sessions end with it."""
        return hmac.digest(self.secret.encode(), f"{self.password} {self.token}".encode(), "sha256").hex()

    def opens_by_password(self, given: str) -> bool:
        """Tell whether this is the password; takes the same time for every wrong one."""
        return bool(self.password) and check_password_hash(self.password, given)

    def opens_by_token(self, given: str) -> bool:
        """Tell whether this is the token, in constant time."""
        return bool(self.token) and hmac.compare_digest(_digest(given), self.token)


def read_keys(library: Path) -> Keys:
    """Return the keys of the library in this folder; a token from the environment takes the place of the stored one.

    Raises RetroflexError for a file that cannot be read, and for a token that is too short.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        return _stored(library)
    if len(token) < SHORTEST_TOKEN:
        raise RetroflexError(f"{TOKEN_VARIABLE} is too short to be safe; give at least {SHORTEST_TOKEN} characters")
    return replace(_stored(library), token=_digest(token))


def ensure_secret(library: Path) -> None:
    """Make the secret that signs sessions, unless there is one. Raises RetroflexError."""
    keys = _stored(library)
    if not keys.secret:
        _write(library, keys)


def set_password(library: Path, password: str | None) -> None:
    """Keep a password, or with None none. Raises RetroflexError, one line."""
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise RetroflexError(f"the password is too short; give at least {SHORTEST_PASSWORD} characters")
    hashed = "" if password is None else generate_password_hash(password, "scrypt")
    _write(library, replace(_stored(library), password=hashed))


def make_token(library: Path) -> str:
    """Make a new token, keep its hash and return it. Raises RetroflexError."""
    token = secrets.token_urlsafe(32)
    _write(library, replace(_stored(library), token=_digest(token)))
    return token


def remove_token(library: Path) -> None:
    """Forget the token. Raises RetroflexError."""
    _write(library, replace(_stored(library), token=""))


def _stored(library: Path) -> Keys:
    path = library / _FILE
    try:
        return Keys(**json.loads(path.read_text()))
    except FileNotFoundError:
        return Keys()
    except (OSError, ValueError, TypeError) as error:
        raise RetroflexError(f"{display(path)} cannot be read; delete it and set the password anew") from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _write(library: Path, keys: Keys) -> None:
    """Write beside and rename; `mkstemp` makes files that only their owner can read."""
    kept = keys if keys.secret else replace(keys, secret=secrets.token_hex(32))
    try:
        handle, beside = tempfile.mkstemp(dir=library, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(kept), file)
        os.replace(beside, library / _FILE)
    except OSError as error:
        reason = f"{display(library)}: {error.strerror or error}"
        raise RetroflexError(f"nothing can be kept in {reason}; is there a library?") from error
