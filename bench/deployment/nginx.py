"""nginx with the configuration of deploy/, moved to ports and a folder of this machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.errors import RetroflexError

SOURCE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
_DOCKER = (r"^\s*resolver [^\n]*\n", r" resolve\b")
"""What needs Docker's name server, or nginx 1.27.3."""


def program() -> str:
    """Return the program. Raises RetroflexError where it is not installed."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise RetroflexError(
            "the proxy of a cluster is nginx, which is missing; install it: apt-get install nginx-light"
        )
    return found


def write_configuration(folder: Path, ports: Iterable[int], servers: Sequence[int]) -> Path:
    """Write the configuration of a proxy at `ports` of 127.0.0.1, before those of two `servers`; return its file."""
    text = SOURCE.read_text()
    for pattern in _DOCKER:
        text = re.sub(pattern, "\n" if pattern.startswith("^") else "", text, flags=re.MULTILINE)
    for number, server in enumerate(servers, 1):
        text = text.replace(f"web-{number}:8000", f"127.0.0.1:{server}")
    listen = " ".join(f"listen 127.0.0.1:{port};" for port in ports)
    text = text.replace("listen 8080;", listen).replace("/tmp/", f"{folder}/")
    file = folder / "nginx.conf"
    file.write_text(text)
    return file


def inherited(number: int) -> dict[str, str]:
    """Return an environment by which it takes over a socket that listens already, as when it replaces itself."""
    return {"NGINX": f"{number};"}


def command(configuration: Path) -> list[str]:
    """Return the command that runs it in the foreground."""
    return [program(), "-c", str(configuration), "-e", "stderr", "-g", "daemon off;"]
