"""Send an isolated plugin's requests to other servers, by rules that keep them out of our own network."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec
import urllib3

from corehost.contract.errors import InvalidError, NotAllowedError
from corehost.plugins.addresses import public_address
from corehost.plugins.http import failure, read_body

MAX_BODY: Final = 900_000
"""An answer goes to the plugin's process in one frame."""
_MOST_SECONDS: Final = 30.0
_HOP_HEADERS: Final = frozenset({"host", "connection", "transfer-encoding", "content-length", "upgrade"})


def send(options: dict[str, Any], *, allow_loopback: bool = False) -> dict[str, Any]:
    """Send the request that *options* describe (method, url, json, headers, body, timeout) and return the answer.

    The name is resolved once and the address kept to, private ones are refused, redirects are not followed. Raises
    ``NotAllowedError``, ``NotFoundError``, ``LateError``, ``TooLargeError``, ``InvalidError``.
    """
    url, parts = str(options["url"]), _split(str(options["url"]))
    seconds = min(float(options.get("timeout") or 10.0), _MOST_SECONDS)
    until = time.monotonic() + seconds
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = {str(k): str(v) for k, v in (options.get("headers") or {}).items() if str(k).lower() not in _HOP_HEADERS}
    body = options.get("body")
    if options.get("json") is not None:
        body, given = msgspec.json.encode(options["json"]), {"Content-Type": "application/json", **given}
    with closing(_pool(parts, allow_loopback=allow_loopback)) as pool:
        try:
            answer = pool.urlopen(
                str(options["method"]),
                target,
                headers={**given, "Host": parts.netloc},
                redirect=False,
                timeout=urllib3.Timeout(total=seconds),
                preload_content=False,
                body=body,
            )
            with closing(answer):
                data = read_body(answer, MAX_BODY, until)
        except urllib3.exceptions.HTTPError as error:
            raise failure(error, url, seconds) from error
    return {"status": answer.status, "headers": dict(answer.headers), "data": data}


def _pool(parts: SplitResult, *, allow_loopback: bool) -> urllib3.HTTPConnectionPool:
    is_secure, host = parts.scheme == "https", str(parts.hostname)
    port = parts.port or (443 if is_secure else 80)
    address = public_address(host, port, allow_loopback=allow_loopback)
    if not is_secure:
        return urllib3.HTTPConnectionPool(address, port, retries=False)
    return urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host, retries=False)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidError(f"{url!r} is no address: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidError(f"{url!r} is no http or https address.")
    if parts.username is not None:
        raise NotAllowedError("An address must not hold a user's name.")
    return parts
