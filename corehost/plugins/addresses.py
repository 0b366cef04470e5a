"""Connect to other servers: a name is resolved once, and those inside of our own network are refused."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

import urllib3

from corehost.contract.errors import InvalidError, NotAllowedError, NotFoundError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parts_of(url: str) -> SplitResult:
    """Return the parts of *url*; raises ``InvalidError`` if it names no server, or a user."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidError(f"{url!r} is no address: {error}.") from error
    if not parts.hostname or parts.username is not None:
        raise InvalidError(f"{url!r} is no address such as https://plugins.example/clock.")
    return parts


def open_pool(parts: SplitResult, *, allow_loopback: bool = False) -> urllib3.HTTPConnectionPool:
    """Return connections to the one address of a server that was checked; over https it must prove to be that server.

    Raises what ``public_address`` raises.
    """
    is_secure, host = parts.scheme == "https", str(parts.hostname)
    port = parts.port or (443 if is_secure else 80)
    address = public_address(host, port, allow_loopback=allow_loopback)
    if not is_secure:
        return urllib3.HTTPConnectionPool(address, port, retries=False)
    return urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host, retries=False)


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
