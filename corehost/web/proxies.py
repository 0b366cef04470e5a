"""Believe what a proxy says of the visitor, if the operator trusts the proxy, and nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SCHEMES: Final = frozenset({"http", "https"})
# All that some part of a server, a framework or a plugin may take for a proxy's word.
_SAID: Final = ("HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_CLIENT_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_VIA")
_SAID_FIRST: Final = "HTTP_X_FORWARDED_"


class TrustedProxies:
    """The addresses, such as ``10.0.0.1`` or ``10.0.0.0/8``, whose ``X-Forwarded-For``, ``-Proto`` and ``-Host`` hold.

    Of a chain of proxies each has written down who asked it; the visitor is the last one who is not trusted. What a
    peer that is not trusted says of this is taken out of the request, so that nothing behind can believe it.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text, strict=False) for text in trusted)

    def apply(self, environ: dict[str, Any]) -> None:
        """Name the visitor in ``REMOTE_ADDR``, and take the scheme and host that the visitor's browser sees."""
        said = {key: environ.pop(key) for key in list(environ) if key in _SAID or key.startswith(_SAID_FIRST)}
        if not said or not self._trusts(environ.get("REMOTE_ADDR", "")):
            return
        environ["REMOTE_ADDR"] = self._visitor(environ["REMOTE_ADDR"], said.get("HTTP_X_FORWARDED_FOR", ""))
        # A list begins with what the visitor said; only the last entry is our proxy's own.
        scheme = said.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        if scheme in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        if host := said.get("HTTP_X_FORWARDED_HOST", "").rpartition(",")[2].strip():
            environ["HTTP_HOST"] = host  # the gate holds it against the list of names, as every other

    def _visitor(self, peer: str, chain: str) -> str:
        visitor = peer
        for hop in reversed(chain.split(",")):
            address = _address(hop)
            if address is None:
                return visitor  # no address: neither is what stands before it
            visitor = str(address)
            if not self._trusts(visitor):
                return visitor
        return visitor

    def _trusts(self, peer: str) -> bool:
        address = _address(peer)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
