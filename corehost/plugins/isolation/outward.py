"""Send an isolated plugin's requests to other servers, by rules that keep them out of our own network."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any, Final

import msgspec
import urllib3

from corehost.contract.errors import InvalidError
from corehost.plugins.addresses import open_pool, parts_of
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
    url = str(options["url"])
    parts = parts_of(url)
    if parts.scheme not in ("http", "https"):
        raise InvalidError(f"{url!r} is no http or https address.")
    seconds = min(float(options.get("timeout") or 10.0), _MOST_SECONDS)
    until = time.monotonic() + seconds
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = {str(k): str(v) for k, v in (options.get("headers") or {}).items() if str(k).lower() not in _HOP_HEADERS}
    body = options.get("body")
    if options.get("json") is not None:
        body, given = msgspec.json.encode(options["json"]), {"Content-Type": "application/json", **given}
    with closing(open_pool(parts, allow_loopback=allow_loopback)) as pool:
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
