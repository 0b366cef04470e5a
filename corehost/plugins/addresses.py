"""Resolve the name of a server once, and refuse those that lie inside of our own network."""

from __future__ import annotations

import ipaddress
import socket

from corehost.contract.errors import NotAllowedError, NotFoundError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def public_address(host: str, port: int, *, allow_loopback: bool = False) -> str:
    """Return an address of *host* to connect to; raises ``NotAllowedError`` unless all of them are public.

    Whoever connects must use this address and not ask for the name again: a second answer could lead inside
    ("DNS rebinding").
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFoundError(f"The server {host!r} is not known: {error}.") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not (is_public(address) or (allow_loopback and address.is_loopback)):
            raise NotAllowedError(f"{host!r} leads to {address}, which is not a public address.")
    return str(addresses[0])


def is_public(address: Address) -> bool:
    """Tell whether *address* belongs to the internet at large; addresses that wrap another are judged by that."""
    inner = _wrapped(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def _wrapped(address: Address) -> Address | None:
    """Return the IPv4 address inside of a mapped, 6to4, Teredo or NAT64 one."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
