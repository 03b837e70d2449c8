"""Who can reach the server, and under which names."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True)
class Reach:
    """Where the server listens and what stands before it.

    `public_names` are host names without port that it answers to besides this machine's own; `no_password` says
    that whoever can reach it may come in.
    """

    host: str = "127.0.0.1"
    behind_proxy: bool = False
    public_names: tuple[str, ...] = ()
    no_password: bool = False

    @property
    def local_only(self) -> bool:
        """Whether only this machine can reach it; a proxy on this machine brings others."""
        return is_loopback(self.host) and not self.behind_proxy

    @property
    def guarded(self) -> bool:
        """Whether a password or a token is asked for."""
        return not (self.local_only or self.no_password)

    def answers_to(self, name: str) -> bool:
        """Tell whether a request for this host name (without port) is meant for this server.

        A site that points its own name at this machine (DNS rebinding) is refused. An address in figures cannot be
        pointed anywhere, and where a password is asked for, that site's visitor has no session under its name.
        """
        if is_loopback(name) or name.lower() in {one.lower() for one in self.public_names}:
            return True
        if self.public_names or self.behind_proxy or is_loopback(self.host):
            return False
        return self.guarded or _is_address(name) or name.lower() in _own_names()


LOCAL = Reach()


def is_loopback(host: str) -> bool:
    """Tell whether `host` (a name or an IP address without port) is this very machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name}.local"}
