"""The keys for access from other machines: a password, a token, and the secret that signs sessions.

The password is stored as its scrypt hash, the token, which is long and random, as its SHA-256. They are in a file of
the library's folder that only its owner can read, or in the database where several servers share the library.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from werkzeug.security import check_password_hash, generate_password_hash

from data.errors import RetroflexError
from data.paths import display
from data.sharing.state import ACCESS_KEY, change_value, read_value
from data.store import Store

SHORTEST_PASSWORD = 8
SHORTEST_TOKEN = 16
TOKEN_VARIABLE = "RETROFLEX_TOKEN"
_FILE = "access.json"
_HEX = r"[0-9a-f]{64}"
_SHAPES = {"password": r"scrypt:[0-9]{1,7}:[0-9]{1,2}:[0-9]{1,2}\$[^$]+\$[0-9a-f]+", "token": _HEX, "secret": _HEX}
"""What each member of the file looks like, unless it is empty."""
KeyPlace = Path | Store
"""The folder of a library, or its store where that is shared."""
SHARED = f"the row {ACCESS_KEY} of the table meta"
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


def key_place(folder: Path, store: Store) -> KeyPlace:
    """Return where the keys of a library are kept."""
    return store if store.shared else folder


def read_keys(place: KeyPlace) -> Keys:
    """Return the keys that are kept in a place, see `key_place`; a token in the environment replaces the stored one.

    Raise RetroflexError for a file that cannot be read, and for a token that is too short.
    """
    hidden = _environment_token() or next(iter(_environment_tokens), "")
    return replace(_stored(place), token=hidden) if hidden else _stored(place)


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


def ensure_secret(place: KeyPlace) -> None:
    """Make the secret that signs sessions, unless there is one. Raise RetroflexError."""
    if not _stored(place).secret:
        _change(place, lambda keys: keys)


def set_password(place: KeyPlace, password: str | None) -> None:
    """Store a password, or remove it with None. Raise RetroflexError, one line."""
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise RetroflexError(f"the password is too short; give at least {SHORTEST_PASSWORD} characters")
    hashed = "" if password is None else generate_password_hash(password, "scrypt")
    _change(place, lambda keys: replace(keys, password=hashed))


def make_token(place: KeyPlace) -> str:
    """Make a new token, store its hash and return the token. Raise RetroflexError."""
    token = secrets.token_urlsafe(32)
    _change(place, lambda keys: replace(keys, token=_digest(token)))
    return token


def remove_token(place: KeyPlace) -> None:
    """Remove the token. Raise RetroflexError."""
    _change(place, lambda keys: replace(keys, token=""))


def _change(place: KeyPlace, change: Callable[[Keys], Keys]) -> None:
    """Change the keys, and make the secret where there is none. Servers that share a store do so one by one."""
    if isinstance(place, Path):
        _write(place, _with_secret(change(_stored(place))))
    else:
        change_value(place, ACCESS_KEY, lambda value, _: json.dumps(asdict(_with_secret(change(_read(value, SHARED))))))


def _with_secret(keys: Keys) -> Keys:
    return keys if keys.secret else replace(keys, secret=secrets.token_hex(32))


def _stored(place: KeyPlace) -> Keys:
    if not isinstance(place, Path):
        return _read(read_value(place, ACCESS_KEY)[0], SHARED)
    path = place / _FILE
    try:
        return _read(path.read_text("utf-8"), display(path))
    except FileNotFoundError:
        return Keys()
    except (OSError, UnicodeDecodeError) as error:
        raise RetroflexError(_damaged(display(path))) from error


def _read(text: str, name: str) -> Keys:
    try:
        return _checked(Keys(**json.loads(text))) if text or name != SHARED else Keys()
    except (ValueError, TypeError, RecursionError) as error:
        raise RetroflexError(_damaged(name)) from error


def _damaged(name: str) -> str:
    return f"{name} cannot be read; delete it and set the password again"


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
    try:
        handle, beside = tempfile.mkstemp(dir=library, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(keys), file)
        os.replace(beside, library / _FILE)
    except OSError as error:
        reason = f"{display(library)}: {error.strerror or error}"
        raise RetroflexError(f"cannot write to {reason}; is there a library?") from error
