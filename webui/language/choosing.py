"""Which language a page is in: the one that was chosen on this device, else what the browser prefers."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from urllib.parse import quote, urlencode

from flask import Flask, Response, redirect, render_template, request
from flask_babel import Babel, force_locale
from werkzeug.wrappers import Response as AnyResponse

from webui.language.catalogues import SOURCE, Catalogues

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français", "cs": "Čeština", "es": "Español"}
"""By code, each named in itself."""
PARAMETER = COOKIE = "lang"
OFFLINE = "offline"
"""The endpoint of what browsers keep in a language, for when the server does not answer."""
KEPT = timedelta(days=365)
_FORMATS = {"en": "en_GB"}
"""Whose dates and lists are used where a language has several: 4 May 2019."""


class Language(NamedTuple):
    """A language that can be chosen, and the address that does it."""

    code: str
    name: str
    address: str


def speak_languages(app: Flask) -> None:
    """Make `app` answer people in their language; `?lang=` in the address of a page chooses one on this device."""
    vars(Babel(app, locale_selector=_locale))["domain_instance"] = Catalogues()
    app.before_request(_choose)
    app.after_request(_tell)
    app.add_url_rule("/offline/<language>", OFFLINE, _offline)
    app.context_processor(lambda: {"language": current_language(), "languages": _languages()})


def current_language() -> str:
    """Return the code of the language of the present request."""
    kept = request.cookies.get(COOKIE)
    preferred = (one.partition("-")[0].lower() for one, quality in request.accept_languages if quality)
    return kept if kept in LANGUAGES else next((one for one in preferred if one in LANGUAGES), SOURCE)


def _locale() -> str:
    return _FORMATS.get(current_language(), current_language())


def _languages() -> list[Language]:
    return [Language(code, name, _address([*_others(), (PARAMETER, code)])) for code, name in LANGUAGES.items()]


def _others() -> list[tuple[str, str]]:
    return [one for one in request.args.items(multi=True) if one[0] != PARAMETER]


def _address(parameters: list[tuple[str, str]]) -> str:
    """Return the address of the present page; two slashes at its beginning would name another site."""
    path = f"{request.script_root}/{quote(request.path.lstrip('/'))}"
    return f"{path}?{urlencode(parameters)}" if parameters else path


def _choose() -> AnyResponse | None:
    """Remember the chosen language, and go to the same page without it in the address."""
    chosen = request.args.get(PARAMETER)
    if request.method != "GET" or chosen not in LANGUAGES or request.endpoint is None:
        return None
    if request.path.startswith("/api/"):
        return None
    answer = redirect(_address(_others()), 303)
    answer.set_cookie(
        COOKIE,
        chosen,
        max_age=KEPT,
        path=request.script_root or "/",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _offline(language: str) -> str:
    with force_locale(language if language in LANGUAGES else SOURCE):
        return render_template("offline.html", language=language if language in LANGUAGES else SOURCE)


def _tell(response: Response) -> Response:
    """Say which language a page is in, and that it depends on what the browser prefers and what was chosen."""
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = current_language()
        response.vary.update(("Accept-Language", "Cookie"))
    return response
