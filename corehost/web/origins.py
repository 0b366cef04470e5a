"""Know the names and origins under which browsers may reach this host."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeAddress:
    """Where the host listens, and which further names lead to it.

    ``port`` is the bound one. ``public_url`` is an origin such as ``https://host.example``; ``allowed_hosts`` are
    names with or without a port; ``trusted_proxies`` are those whose word on the visitor holds.
    """

    host: str
    port: int
    public_url: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()

    @property
    def base_url(self) -> str:
        """The origin to show to people."""
        if self.public_url is not None:
            return self.public_url
        return f"http://{_netloc(_reachable(self.host), self.port, 'http')}"


class Origins:
    """The Host headers and Origin headers that are ours.

    A foreign Host means DNS rebinding, a foreign Origin means that another site's page sends the request.
    """

    def __init__(self, address: EdgeAddress) -> None:
        own = set(_own_origins(address))
        self._origins = frozenset(own)
        self._hosts = frozenset(spelling for origin in own for spelling in _spellings(origin))
        secure = address.public_url if (address.public_url or "").startswith("https://") else None
        self._secure = frozenset(_spellings(secure)) if secure else frozenset()

    def knows(self, host: str) -> bool:
        """Tell whether *host*, a Host header, names this host."""
        return host.lower() in self._hosts

    def owns(self, origin: str) -> bool:
        """Tell whether *origin*, an Origin header, is one of our own pages' (RFC 6454)."""
        return origin.lower() in self._origins

    def is_secure(self, host: str) -> bool:
        """Tell whether browsers reach *host* over https, by a proxy that ends TLS before us."""
        return host.lower() in self._secure


def _own_origins(address: EdgeAddress) -> Iterator[str]:
    for name in {*_LOOPBACK, _reachable(address.host)}:
        yield f"http://{_netloc(name, address.port, 'http')}"
    for allowed in address.allowed_hosts:
        for scheme in _DEFAULT_PORTS:
            yield f"{scheme}://{allowed.lower()}"
            if urlsplit(f"//{allowed}").port is None:
                yield f"{scheme}://{_netloc(allowed.lower(), address.port, scheme)}"
    if address.public_url is not None:
        yield address.public_url.lower()


def _spellings(origin: str) -> Iterator[str]:
    """Yield the Host headers that a client may send for *origin*: the default port may be left out or not."""
    parts = urlsplit(origin)
    yield parts.netloc
    if parts.port is None:
        yield f"{parts.netloc}:{_DEFAULT_PORTS[parts.scheme]}"


def _netloc(name: str, port: int, scheme: str) -> str:
    return name if port == _DEFAULT_PORTS[scheme] else f"{name}:{port}"


def _reachable(host: str) -> str:
    """Return the name to use for a listening address: all addresses means localhost, IPv6 needs brackets."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower()
    if address.is_unspecified:
        return "localhost"
    return f"[{address}]" if address.version == 6 else str(address)
