"""The server below a path of another one: a real proxy before a real server."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from retrieval.library import Library
from tests.webui.api_checks import problem
from webui.app import create_app
from webui.auth.keys import set_password
from webui.auth.security import Reach

NAME = "pictures.example"
PREFIX = "/pictures"
PASSWORD = "four words of mine"
BEHIND = Reach(behind_proxy=True, public_names=(NAME,))


def proxy_to(upstream: str) -> type[BaseHTTPRequestHandler]:
    """A reverse proxy at PREFIX for one server, encrypted as far as it tells."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": PREFIX}
            headers = {**self.headers, **told, "X-Forwarded-Host": NAME, "Host": upstream}
            connection = http.client.HTTPConnection(upstream, timeout=60)
            connection.request(self.command, self.path.removeprefix(PREFIX), body, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "content-length"}:  # those are between two machines only
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    return Proxy


@pytest.fixture
def site(library: Library, captioner: Any, serving: Callable[..., Any]) -> Iterator[str]:
    """The address of a guarded server behind the proxy."""
    set_password(library.settings.library, PASSWORD)
    with serving(create_app(library, lambda: captioner, BEHIND), behind_proxy=True) as at:
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), proxy_to(urlsplit(at).netloc))
        threading.Thread(target=proxy.serve_forever).start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()
        proxy.server_close()


class Browser(requests.Session):
    """Keeps the cookies of an encrypted site, as the proxy says it is, and counts on its Origin."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = site

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Origin": f"https://{NAME}"} | more.pop("headers", {})
        answer = self.request(method, self._site + path, headers=headers, allow_redirects=False, timeout=60, **more)
        for cookie in self.cookies:
            cookie.secure = False  # The proxy of the test is not really encrypted.
        return answer


@pytest.fixture
def browser(site: str) -> Browser:
    return Browser(site)


def test_a_person_logs_in_and_every_link_stays_below_the_prefix(browser: Browser) -> None:
    away = browser.ask("GET", "/pictures/?q=red")
    assert (away.status_code, away.headers["Location"]) == (303, "/pictures/login?next=/pictures/?q%3Dred")
    page = browser.ask("GET", away.headers["Location"])
    check_links(browser, page.text)
    back = browser.ask("POST", "/pictures/login", data={"password": PASSWORD, "next": "/pictures/?q=red"})
    assert (back.status_code, back.headers["Location"]) == (303, "/pictures/?q=red")
    assert {"Path=/pictures", "Secure"} <= set(back.headers["Set-Cookie"].split("; "))
    hits = browser.ask("GET", back.headers["Location"])
    assert "a red boat on the water" in hits.text
    check_links(browser, hits.text)
    assert browser.ask("POST", "/pictures/logout").headers["Location"] == "/pictures/login"


def check_links(browser: Browser, page: str) -> None:
    """All addresses of the page are below the prefix and lead somewhere."""
    links = set(re.findall(r'(?:href|src|action)="([^"#][^"]*)"', page))
    assert len(links) > 2
    for link in links:
        assert link.startswith(f"{PREFIX}/"), link
        assert browser.ask("GET", link.replace("&amp;", "&")).status_code in {200, 303, 405}, link


def test_the_api_tells_addresses_below_the_prefix(browser: Browser) -> None:
    browser.ask("POST", "/pictures/login", data={"password": PASSWORD})
    answer = browser.ask("GET", "/pictures/api/v1/search?q=red").json()
    link = answer["hits"][0]["links"]["thumbnail"]
    assert link.startswith("/pictures/api/v1/pictures/")
    assert browser.ask("GET", link).headers["Content-Type"] == "image/webp"
    assert browser.ask("GET", "/pictures/api/v1/openapi.json").json()["servers"] == [{"url": "/pictures"}]


def test_another_site_is_refused_behind_a_proxy_too(browser: Browser) -> None:
    answer = browser.ask("POST", "/pictures/login", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_name_that_the_proxy_was_not_given_is_refused(library: Library, captioner: Any) -> None:
    set_password(library.settings.library, PASSWORD)
    client = create_app(library, lambda: captioner, BEHIND).test_client()
    assert client.get("/healthz", headers={"X-Forwarded-Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Prefix", "//evil.example", 400),
        ("Prefix", "/pictures//evil", 400),
        ("Prefix", "/\\evil.example", 400),
        ("Prefix", "https://evil.example", 400),
        ("Prefix", "evil", 400),
        ("Prefix", "/a/../b", 400),
        ("Prefix", '/"><script>', 400),
        ("Prefix", "/my pictures", 400),
        ("Proto", "javascript", 400),
        ("Prefix", "/pictures/of-2024", 200),
        ("Prefix", "/pictures/", 200),
        ("Prefix", "/", 200),
        ("Prefix", "", 200),
    ],
)
def test_a_prefix_that_leads_elsewhere_is_refused(
    library: Library, captioner: Any, header: str, value: str, status: int
) -> None:
    set_password(library.settings.library, PASSWORD)
    client = create_app(library, lambda: captioner, BEHIND).test_client()
    answer = client.get("/login", headers={"X-Forwarded-Host": NAME, f"X-Forwarded-{header}": value})
    assert answer.status_code == status
    assert "//evil" not in answer.text
    if status == 400:
        assert f"X-Forwarded-{header}" in problem(answer, 400)


def test_a_proxys_headers_count_only_behind_a_proxy(library: Library, captioner: Any, serving: Any) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil", "X-Forwarded-For": "192.0.2.1"}
    with serving(create_app(library, lambda: captioner)) as at:
        answer = requests.get(f"{at}api/v1/search?q=red", headers=forged, timeout=60)
    assert answer.json()["hits"][0]["links"]["file"].startswith("/api/v1/")
