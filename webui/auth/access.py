"""Login: every address but those in OPEN requires a session from the login page, or a token."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from data.errors import RetroflexError
from data.sharing.state import end_session, has_ended
from webui.auth.keys import KeyPlace, Keys, ensure_secret, read_keys
from webui.auth.security import Reach
from webui.language.choosing import OFFLINE
from webui.problems import Problem, for_a_person
from webui.services import services

OPEN = frozenset({"static", "favicon", "worker", OFFLINE, "health.healthz", "access.login", "access.try_to_log_in"})
CACHEABLE = frozenset({"static", "favicon", "worker", "health.healthz"})
"""The only answers that a browser may keep where login is required."""
CLEARED = '"cache", "storage"'
"""What a browser deletes at log-out: pages, and in its storage recent searches and uploads."""
LONGEST_FORM = 128 * 1024
"""Bytes of a body that are read before login."""
LIFE = timedelta(days=7)
_EXTENSION = "retroflex.login"
_MEMBER, _ID = "key", "id"
_ENDED = "ended-sessions"
_LONGEST_SECRET = 1000

access = Blueprint("access", __name__)


class Login:
    """Checks the keys of a library; they are read each time, so that a new password is valid at once."""

    def __init__(self, place: KeyPlace, reach: Reach) -> None:
        """Raise RetroflexError when login is required and there is no key, as nobody could be refused."""
        self._place = place
        self._hashing = threading.Lock()
        self.required = reach.login_required
        if self.required:
            if not self.keys().given:
                raise RetroflexError(_refusal(reach))
            ensure_secret(place)

    def keys(self) -> Keys:
        """Return the keys. Raise RetroflexError."""
        return read_keys(self._place)

    def is_open(self, session: Mapping[str, object]) -> bool:
        """Return whether a session was begun with the present keys and was not ended. Raise RetroflexError."""
        keys, number = self.keys(), str(session.get(_ID, ""))
        begun = keys.given and hmac.compare_digest(str(session.get(_MEMBER, "")), keys.session)
        return begun and bool(number) and not self._has_ended(number)

    def end(self, session: Mapping[str, object]) -> None:
        """End a session, also for copies of its cookie, in all processes and after a restart. Raise RetroflexError."""
        number = str(session[_ID])
        if isinstance(self._place, Path):
            _note_end(self._place / _ENDED, number)
        else:
            end_session(self._place, number, LIFE)

    def _has_ended(self, number: str) -> bool:
        if isinstance(self._place, Path):
            return (self._place / _ENDED / number).exists()
        return has_ended(self._place, number)

    def accepts(self, given: str) -> bool:
        """Return whether this is the password, or the token, which people may type instead.

        One check runs at a time: it takes much memory and a tenth of a second on purpose.
        """
        keys = self.keys()
        with self._hashing:
            return keys.opens_by_token(given) or keys.opens_by_password(given)


def _note_end(folder: Path, number: str) -> None:
    """Make an empty file of an ended session, kept until its cookie has expired: so processes need no lock."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for one in folder.iterdir():
            if one.stat().st_mtime < time.time() - LIFE.total_seconds():
                one.unlink(missing_ok=True)
        (folder / number).touch()
    except OSError as error:
        reason = error.strerror or error
        raise RetroflexError(f"you are logged out here only: the library cannot be written: {reason}") from error


class _Sessions(SecureCookieSessionInterface):
    """The cookie is valid for this server's path only, and on encrypted connections only where they are used."""

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def require_login(app: Flask, place: KeyPlace, reach: Reach) -> None:
    """Make `app` require a password or a token where `reach` says so. Raise RetroflexError when none was set."""
    login = Login(place, reach)
    app.extensions[_EXTENSION] = login
    if not login.required:
        return
    app.secret_key = login.keys().secret
    app.session_interface = _Sessions()
    app.config.update(
        SESSION_COOKIE_NAME="retroflex",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=LIFE,
    )
    app.before_request(_check_login)
    app.after_request(_keep_private)


@access.get("/login")
def login() -> AnyResponse | str:
    """The login page."""
    if not _login().required or _has_session():
        return redirect(_redirect_target(request.args.get("next")), HTTPStatus.SEE_OTHER)
    return _page(HTTPStatus.OK)


@access.post("/login")
def try_to_log_in() -> AnyResponse:
    """Start a session for whoever knows the password or the token."""
    if not _login().required:
        return redirect(_redirect_target(None), HTTPStatus.SEE_OTHER)
    services().rate_limits.login(request.remote_addr)
    given = request.form.get("password", "")
    if len(given) > _LONGEST_SECRET or not _login().accepts(given):
        return _page(HTTPStatus.FORBIDDEN, gettext("Wrong password"))
    session.clear()
    session.permanent = True
    session[_MEMBER] = _login().keys().session
    session[_ID] = secrets.token_hex(16)
    return redirect(_redirect_target(request.form.get("next")), HTTPStatus.SEE_OTHER)


@access.post("/logout")
def logout() -> AnyResponse:
    """End the session."""
    if not _login().required:
        return redirect(_redirect_target(None), HTTPStatus.SEE_OTHER)
    ending = dict(session) if _has_session() else {}
    session.clear()
    if ending:
        _login().end(ending)
    answer = redirect(url_for("access.login"), HTTPStatus.SEE_OTHER)
    answer.headers["Clear-Site-Data"] = CLEARED
    return answer


@access.app_context_processor
def _logged_in() -> dict[str, bool]:
    """`logged_in` tells a template whether there is a session to end; none where the keys cannot be read."""
    try:
        return {"logged_in": _login().required and _has_session()}
    except RetroflexError:
        return {"logged_in": False}


def _check_login() -> AnyResponse | None:
    if request.endpoint in OPEN:
        request.max_content_length = LONGEST_FORM
        return None
    if _has_token() or _has_session():
        return None
    if not for_a_person():
        raise Problem(HTTPStatus.UNAUTHORIZED, "a password or a token is needed; send Authorization: Bearer <token>")
    target = f"{request.script_root}{request.full_path.removesuffix('?')}" if request.method == "GET" else None
    return redirect(url_for("access.login", next=target), HTTPStatus.SEE_OTHER)


def _keep_private(response: Response) -> Response:
    if request.endpoint not in CACHEABLE:
        response.headers["Cache-Control"] = "no-store"
    return response


def _has_token() -> bool:
    """Return whether the request carries the token. Wrong ones count as logins. Raise Problem 429."""
    given = request.authorization
    if given is None or given.type != "bearer":
        return False
    if _login().keys().opens_by_token(given.token or ""):
        return True
    services().rate_limits.login(request.remote_addr)
    return False


def _has_session() -> bool:
    if "has_session" not in g:
        g.has_session = _login().is_open(session)
    return bool(g.has_session)


def _login() -> Login:
    return cast(Login, current_app.extensions[_EXTENSION])


def _page(status: HTTPStatus, message: str = "") -> Response:
    target = request.form.get("next") or request.args.get("next", "")
    return Response(render_template("login.html", next=target, message=message), status)


def _redirect_target(address: str | None) -> str:
    """Return the address to go to after the login: only a path of this site, whatever the form says."""
    start = url_for("pages.by_words")
    if not address or not address.startswith(start) or not address.isprintable() or "\\" in address:
        return start
    try:
        parts = urlsplit(address)
    except ValueError:
        return start
    return start if parts.scheme or parts.netloc or address.startswith("//") else address


def _refusal(reach: Reach) -> str:
    server = f"the proxy in front of {reach.host}" if reach.behind_proxy else reach.host
    return (
        f"other machines can reach {server}, and no password is set; set one with `retroflex password`, make a token "
        "with `retroflex token`, or add --no-password to let everyone in"
    )
