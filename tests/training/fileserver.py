"""A small HTTP server on a free port whose files, faults and records a test controls."""

from __future__ import annotations

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType


class FileServer:
    """Serves `files` by path with byte ranges; use it as a context manager.

    `break_after`: for each coming answer, so many bytes are sent before the connection ends too early.
    `refuse_with`: the statuses that refuse the next requests. `ranges` records the requested ranges.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.knows_ranges = True
        self.break_after: list[int] = []
        self.refuse_with: list[int] = []
        self.ranges: list[str | None] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """The address of the server's root, with a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler_of(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested = self.headers.get("Range")
            server.ranges.append(requested)
            if server.refuse_with:
                self.send_error(server.refuse_with.pop(0))
            elif self.path not in server.files:
                self.send_error(404)
            else:
                self._answer(server.files[self.path], requested if server.knows_ranges else None)

        def _answer(self, content: bytes, requested: str | None) -> None:
            start = int(requested.removeprefix("bytes=").removesuffix("-")) if requested else 0
            if requested and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if requested else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + server.break_after.pop(0) if server.break_after else len(content)
            self.wfile.write(content[start:end])

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet."""

    return Handler
