"""Requests to a server of Retroflex, each on a connection of its own."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from data.errors import RetroflexError

SECONDS = 300.0
"""A first search builds the index, which takes long where much else runs."""
RECOVERS_WITHIN = 300.0
"""Seconds after which a part that was killed has to be back, and answers have to be whole again."""


@dataclass(frozen=True)
class Answer:
    """The `status`, 0 where no answer came, and the document, {} where it was none."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Client:
    """The server at a port of 127.0.0.1, with a token."""

    port: int
    token: str = ""

    def ask(self, path: str, method: str = "GET", body: object = None) -> Answer:
        """Send a request, with `body` as JSON; what goes wrong on the way is the status 0."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent = None if body is None else json.dumps(body)
        if sent is not None:
            headers["Content-Type"] = "application/json"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as connection:
            try:
                connection.request(method, path, sent, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                return Answer(0, {})
        try:
            read = json.loads(text or b"{}")
        except ValueError:
            read = {}
        return Answer(answer.status, read if isinstance(read, dict) else {})

    def search(self, parameters: str) -> dict[str, Any]:
        """Return the answer to a search. Raises RetroflexError."""
        answer = self.ask(f"/api/v1/search?{parameters}")
        if answer.status != 200:
            raise RetroflexError(f"the search {parameters} has the status {answer.status}: {answer.body.get('detail')}")
        return answer.body

    def search_whole(self, parameters: str) -> tuple[dict[str, Any], bool]:
        """Search until the answer is not degraded; return it, and whether that took more than once.

        Raises RetroflexError.
        """
        end, again = time.monotonic() + RECOVERS_WITHIN, False
        while (answer := self.search(parameters)).get("degraded"):
            if time.monotonic() > end:
                raise RetroflexError(f"answers have been degraded for {RECOVERS_WITHIN:.0f} s: {answer['degraded']}")
            again = True
            time.sleep(0.5)
        return answer, again

    def is_healthy(self) -> bool:
        """Return whether the server answers."""
        return self.ask("/healthz").status == 200
