"""Who may come in: a session from the login page, or a token. SearchRequest of every address but a few, see `OPEN`."""

from __future__ import annotations

import hmac
import threading
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from data.errors import RetroflexError
from webui.guard.keys import Keys, ensure_secret, read_keys
from webui.guard.reach import Reach
from webui.problems import Problem, for_a_person
from webui.services import services

OPEN = frozenset({"static", "health.healthz", "access.login", "access.try_to_log_in"})
LIFE = timedelta(days=7)
_MEMBER = "key"
_LONGEST_SECRET = 1000

access = Blueprint("access", __name__)


class Guard:
    """Asks for the keys of a library; they are read anew each time, so that a new password holds at once."""

    def __init__(self, library: Path, reach: Reach) -> None:
        """Raises RetroflexError when a key is needed and there is none, since anyone could come in."""
        self._library = library
        self._hashing = threading.Lock()
        self.guarded = reach.guarded
        if self.guarded:
            if not self.keys().given:
                raise RetroflexError(_refusal(reach))
            ensure_secret(library)

    def keys(self) -> Keys:
        """Raises RetroflexError."""
        return read_keys(self._library)

    def opens(self, given: str) -> bool:
        """Tell whether this is the password, or the token, which people may type in its place.

        One at a time: a check takes much memory and a tenth of a second on purpose.
        """
        keys = self.keys()
        with self._hashing:
            return keys.opens_by_token(given) or keys.opens_by_password(given)


class _Sessions(SecureCookieSessionInterface):
    """The cookie is for this server's part of the site only, and for encrypted connections where they are used."""

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def guard(app: Flask, library: Path, reach: Reach) -> None:
    """Let `app` ask for a password or a token where `reach` says so. Raises RetroflexError when none was set."""
    guarding = Guard(library, reach)
    app.extensions["retroflex.guard"] = guarding
    if not guarding.guarded:
        return
    app.secret_key = guarding.keys().secret
    app.session_interface = _Sessions()
    app.config.update(
        SESSION_COOKIE_NAME="retroflex",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=LIFE,
    )
    app.before_request(_require_key)


@access.get("/login")
def login() -> AnyResponse | str:
    """The page that asks for the password."""
    if not _guard().guarded or _has_session():
        return redirect(_wanted(request.args.get("next")), HTTPStatus.SEE_OTHER)
    return _page(HTTPStatus.OK)


@access.post("/login")
def try_to_log_in() -> AnyResponse:
    """Open a session for who knows the password or the token."""
    if not _guard().guarded:
        return redirect(_wanted(None), HTTPStatus.SEE_OTHER)
    services().rates.login(request.remote_addr)
    given = request.form.get("password", "")
    if len(given) > _LONGEST_SECRET or not _guard().opens(given):
        return _page(HTTPStatus.FORBIDDEN, "That is not the password")
    session.clear()
    session.permanent = True
    session[_MEMBER] = _guard().keys().session
    return redirect(_wanted(request.form.get("next")), HTTPStatus.SEE_OTHER)


@access.post("/logout")
def logout() -> AnyResponse:
    """End the session in this browser."""
    session.clear()
    return redirect(url_for("access.login"), HTTPStatus.SEE_OTHER)


@access.app_context_processor
def _logged_in() -> dict[str, bool]:
    """`logged_in` tells a template whether there is a session to end."""
    return {"logged_in": _guard().guarded and _has_session()}


def _require_key() -> AnyResponse | None:
    if request.endpoint in OPEN or _has_token() or _has_session():
        return None
    if not for_a_person():
        raise Problem(HTTPStatus.UNAUTHORIZED, "a password or a token is needed; send Authorization: Bearer <token>")
    wanted = f"{request.script_root}{request.full_path.removesuffix('?')}" if request.method == "GET" else None
    return redirect(url_for("access.login", next=wanted), HTTPStatus.SEE_OTHER)


def _has_token() -> bool:
    """Whether the request carries the token. Wrong ones are counted as logins are. Raises Problem 429."""
    given = request.authorization
    if given is None or given.type != "bearer":
        return False
    if _guard().keys().opens_by_token(given.token or ""):
        return True
    services().rates.login(request.remote_addr)
    return False


def _has_session() -> bool:
    if "has_session" not in g:
        keys = _guard().keys()
        g.has_session = keys.given and hmac.compare_digest(str(session.get(_MEMBER, "")), keys.session)
    return bool(g.has_session)


def _guard() -> Guard:
    return cast(Guard, current_app.extensions["retroflex.guard"])


def _page(status: HTTPStatus, message: str = "") -> Response:
    wanted = request.values.get("next", "")
    return Response(render_template("login.html", next=wanted, message=message), status)


def _wanted(address: str | None) -> str:
    """The address to go to after logging in: only a path of this very site, whatever the form says."""
    start = url_for("pages.by_words")
    if not address or not address.startswith(start) or not address.isprintable() or "\\" in address:
        return start
    parts = urlsplit(address)
    return start if parts.scheme or parts.netloc or address.startswith("//") else address


def _refusal(reach: Reach) -> str:
    where = f"whoever reaches the proxy before {reach.host}" if reach.behind_proxy else f"whoever reaches {reach.host}"
    return (
        f"{where} could see all pictures, and no password is set; set one with `retroflex password`, make a token with "
        "`retroflex token`, or add --no-password to let everybody in"
    )
