"""A connection to Milvus: its address, one error for whatever fails, and collections by a few plain calls."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from data.errors import RetroflexError, one_line
from data.paths import display
from retrieval.vectors.base import VectorsUnreachable

SCHEMES = {"milvus": "http", "milvus+tls": "https"}
LITE = ".db"
"""The end of the name of a file of Milvus Lite."""
PORT = 19530
FORMS = "give milvus://HOST:PORT, milvus+tls://USER:PASSWORD@HOST:PORT/DATABASE, or a file with a name that ends in .db"
INSTALL = "vectors in Milvus need the package pymilvus; install it: pip install 'retroflex[milvus]'"
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
"""How long a search waits for a server that does not answer."""
WRITE_SECONDS = 120.0
PAUSE_SECONDS = 5.0
"""After a failure the server is not asked again for so long, so that searches need not wait each time."""
SPARSE = 0
"""The size of a collection's vectors if they are sparse."""
WITHOUT_SPARSE = re.compile(r"v?(1|2\.[0-3])\.")
"""The versions of servers that have no sparse vectors."""
_TYPES = {"number": "INT64", "real": "FLOAT", "text": "VARCHAR"}
_TEXT = 512


class MilvusAddress(NamedTuple):
    """Where Milvus is: `uri` as pymilvus has it, and the `name` for messages, without a password."""

    uri: str
    name: str
    user: str = ""
    password: str = ""
    database: str = ""

    @property
    def lite(self) -> bool:
        """Whether it is a file of Milvus Lite."""
        return "://" not in self.uri


def read_address(text: str) -> MilvusAddress:
    """Read the setting RETROFLEX_VECTORS. Raises RetroflexError."""
    if "://" not in text:
        if not text.endswith(LITE):
            raise RetroflexError(f"the setting RETROFLEX_VECTORS is {text!r}; {FORMS}")
        file = Path(text).expanduser().absolute()
        return MilvusAddress(str(file), display(file))
    shown = re.sub(r"//[^/]*@", "//", text)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, 0
    database = parts.path.strip("/") if host else ""
    if host is None or parts.scheme not in SCHEMES or parts.query or parts.fragment or not _is_name(database):
        raise RetroflexError(f"the setting RETROFLEX_VECTORS is {shown!r}; {FORMS}")
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    secret = unquote(parts.username or ""), unquote(parts.password or "")
    return MilvusAddress(f"{SCHEMES[parts.scheme]}://{at}", f"milvus://{at}", *secret, database)


def _is_name(database: str) -> bool:
    return re.fullmatch(r"\w*", database, re.ASCII) is not None


class MilvusConnection:
    """Connects when it is first used, and again after a failure; several threads may use it at once.

    Every call may raise VectorsUnreachable, whatever the reason is; `failures` counts that.
    """

    def __init__(self, address: MilvusAddress) -> None:
        self._address = address
        self._client: Any = None
        self._opening = RLock()
        self._failure, self._failed_at = "", float("-inf")
        self.failures = 0

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self._address.name

    @property
    def lite(self) -> bool:
        """Whether it is a file of Milvus Lite."""
        return self._address.lite

    @property
    def may_answer(self) -> bool:
        """Whether a call would ask the server again: not soon after a failure."""
        return time.monotonic() - self._failed_at >= PAUSE_SECONDS

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of pymilvus' client that reads."""
        return self._called(method, READ_SECONDS, *arguments, **options)

    def write(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of pymilvus' client that writes, or waits for what was written, which may take longer."""
        return self._called(method, WRITE_SECONDS, *arguments, **options)

    def pages(self, collection: str, fields: Sequence[str], size: int) -> Iterator[list[dict[str, Any]]]:
        """Yield these fields of all rows, which have an `id` of 0 or more, up to `size` at once.

        The iterator of pymilvus 3 finds nothing on a server of version 2.3.
        """
        start, options = 0, {"output_fields": [*fields], "consistency_level": "Strong"}
        rest = {"output_fields": ["id"], "consistency_level": "Bounded", "limit": 1}
        while True:
            within = f"id >= {start} and id < {start + size}"
            page = self.write("query", collection, filter=within, limit=size, **options)
            if page:
                yield list(page)
            elif not self.call("query", collection, filter=f"id >= {start}", **rest):
                return
            start += size
            options["consistency_level"] = "Bounded"  # the first page has waited

    def count(self, collection: str) -> int:
        """Return the number of rows, after all that anybody wrote."""
        options = {"filter": "", "output_fields": ["count(*)"], "consistency_level": "Strong"}
        return int(self.write("query", collection, **options)[0]["count(*)"])

    def has(self, name: str) -> bool:
        """Return whether there is a collection; one that is not in memory is loaded, for which this does not wait.

        A server that is killed while it loads one does not load it when it is started again.
        """
        if not self.call("has_collection", name):
            return False
        if self.call("get_load_state", name)["state"].name == "NotLoad":
            self.write("load_collection", name, _async=True)
        return True

    def without_sparse(self) -> str:
        """Return the version of Milvus if it has no sparse vectors, else ""."""
        version = str(self.call("get_server_version"))
        return version if WITHOUT_SPARSE.match(version) else ""

    def make(self, name: str, fields: Mapping[str, str], key: str, vectors: Mapping[str, int]) -> None:
        """Make a collection with these `fields`, by type, and `vectors`, by their size or SPARSE, if there is none."""
        if self.has(name):
            return
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        indexes = MilvusClient.prepare_index_params()
        for field, kind in fields.items():
            options = {"max_length": _TEXT} if kind == "text" else {}
            schema.add_field(field, DataType[_TYPES[kind]], is_primary=field == key, **options)
        for field, size in vectors.items():
            if size == SPARSE:
                schema.add_field(field, DataType.SPARSE_FLOAT_VECTOR)
            else:
                schema.add_field(field, DataType.FLOAT_VECTOR, dim=size)
            kind = "SPARSE_INVERTED_INDEX" if size == SPARSE else "FLAT"
            indexes.add_index(field, index_type=kind, metric_type="IP")
        self.write("create_collection", name, schema=schema, index_params=indexes)

    def close(self) -> None:
        """Close it; the next call connects again."""
        with self._opening:
            client, self._client = self._client, None
            if client is not None:
                client.close()

    def _called(self, method: str, seconds: float, *arguments: Any, **options: Any) -> Any:
        client = self._connected()
        return self._plain_errors(getattr(client, method), *arguments, timeout=seconds, **options)

    def _connected(self) -> Any:
        with self._opening:
            if self._client is None:
                if not self.may_answer:
                    raise VectorsUnreachable(self._failure)
                self._client = self._plain_errors(self._connect)
            return self._client

    def _connect(self) -> Any:
        try:
            from pymilvus import MilvusClient
        except ImportError as error:
            raise RetroflexError(INSTALL) from error
        for name in ("pymilvus", "grpc"):  # what fails is told by this program
            logging.getLogger(name).setLevel(logging.CRITICAL)
        address = self._address
        secret = {"user": address.user, "password": address.password, "db_name": address.database}
        return MilvusClient(address.uri, timeout=CONNECT_SECONDS, **({} if address.lite else secret))

    def _plain_errors(self, call: Any, *arguments: Any, **options: Any) -> Any:
        """Call, and turn whatever fails into VectorsUnreachable."""
        try:
            return call(*arguments, **options)
        except RetroflexError:
            raise
        except Exception as error:  # pymilvus raises its own, those of gRPC, of the file system, and plain ones
            self._failure = f"the vectors in {self.name} cannot be reached: {_reason(error)}"
            self._failed_at = time.monotonic()
            self.failures += 1
            self.close()
            raise VectorsUnreachable(self._failure) from error


def _reason(error: Exception) -> str:
    """Return an error as one short line, without codes: gRPC and pymilvus have their own places for it."""
    details = getattr(error, "details", None)
    told = details() if callable(details) else getattr(error, "message", "")
    return " ".join(str(told or one_line(error)).split())[:200]
