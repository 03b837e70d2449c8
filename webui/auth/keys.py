"""The keys for access from other machines: a password, a token, and the secret that signs sessions, in one file.

The password is stored as its scrypt hash, the token, which is long and random, as its SHA-256. Only the file's owner
can read it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
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
_HEX = r"[0-9a-f]{64}"
_SHAPES = {"password": r"scrypt:[0-9]{1,7}:[0-9]{1,2}:[0-9]{1,2}\$[^$]+\$[0-9a-f]+", "token": _HEX, "secret": _HEX}
"""What each member of the file looks like, unless it is empty."""
_environment_tokens: list[str] = []
"""The hash of the environment's token, once `hide_token` has removed it."""


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
        """Return whether this is the password; every wrong one takes the same time. Raise RetroflexError."""
        try:
            return bool(self.password) and check_password_hash(self.password, given)
        except (ValueError, MemoryError) as error:  # The numbers in the hash were damaged.
            raise RetroflexError("the stored password is damaged; set it again with `retroflex password`") from error

    def opens_by_token(self, given: str) -> bool:
        """Return whether this is the token, in constant time."""
        return bool(self.token) and hmac.compare_digest(_digest(given), self.token)


def read_keys(library: Path) -> Keys:
    """Return the keys of the library in this folder; a token in the environment replaces the stored one.

    Raise RetroflexError for a file that cannot be read, and for a token that is too short.
    """
    hidden = _environment_token() or next(iter(_environment_tokens), "")
    return replace(_stored(library), token=hidden) if hidden else _stored(library)


def hide_token() -> None:
    """Remove the token from the environment, so that no child process inherits it; this process keeps its hash.

    Raise RetroflexError for a token that is too short.
    """
    _environment_tokens[:] = filter(None, [_environment_token()])
    os.environ.pop(TOKEN_VARIABLE, None)


def _environment_token() -> str:
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        return ""
    if len(token) < SHORTEST_TOKEN:
        raise RetroflexError(f"{TOKEN_VARIABLE} is too short to be safe; give at least {SHORTEST_TOKEN} characters")
    return _digest(token)


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
        return _checked(Keys(**json.loads(path.read_text("utf-8"))))
    except FileNotFoundError:
        return Keys()
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RetroflexError(f"{display(path)} cannot be read; delete it and set the password again") from error


def _checked(keys: Keys) -> Keys:
    """Raise ValueError or TypeError where a member is not what this program writes."""
    for name, value in asdict(keys).items():
        if value != "" and not re.fullmatch(_SHAPES[name], value):
            raise ValueError(f"{name} is damaged")
    return keys


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
