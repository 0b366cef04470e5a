"""Send a plugin's requests to other servers."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from corehost.contract.errors import CorehostError, InvalidError, LateError, NotFoundError, TooLargeError

MAX_BODY = 10_000_000
_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer to a request; header names are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> Any:
        """Return the body read as JSON; raises ``InvalidError``."""
        try:
            return jsonlib.loads(self.data)
        except (ValueError, RecursionError) as error:
            raise InvalidError(f"The answer is no JSON: {error}.") from error


class PluginHttp:
    """One plugin's way out; *require* is asked before each request and raises without ``network:fetch``."""

    def __init__(self, require: Callable[[], None]) -> None:
        self._require = require
        self._pool = urllib3.PoolManager(num_pools=10, retries=False)

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
    ) -> Response:
        """Send one request, redirects are not followed; raises ``LateError``, ``TooLargeError``, ``NotFoundError``."""
        self._require()
        if not url.lower().startswith(("http://", "https://")):
            raise InvalidError(f"{url!r} is no http or https address.")
        until = time.monotonic() + timeout
        options: dict[str, Any] = {"body": body} if json is None else {"json": json}
        try:
            answer = self._pool.request(
                method,
                url,
                headers=dict(headers or {}),
                timeout=timeout,
                preload_content=False,
                redirect=False,
                **options,
            )
            return Response(status=answer.status, headers=answer.headers, data=read_body(answer, MAX_BODY, until))
        except urllib3.exceptions.HTTPError as error:
            raise failure(error, url, timeout) from error

    def get(self, url: str, **options: Any) -> Response:
        """Send a GET request."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        """Send a POST request."""
        return self.request("POST", url, **options)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()


def failure(error: urllib3.exceptions.HTTPError, url: str, timeout: float) -> CorehostError:
    """Return ours for an error of urllib3's: late, or no answer at all."""
    # A refused connection counts as a timeout there, for old times' sake.
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    if isinstance(error, urllib3.exceptions.TimeoutError) and not is_refused:
        return LateError(f"No answer from {url!r} within {timeout:g} s.")
    return NotFoundError(f"No answer from {url!r}: {error}")


def read_body(answer: urllib3.BaseHTTPResponse, limit: int, until: float) -> bytes:
    """Return the body of *answer*, decoded; raises ``TooLargeError`` and ``LateError`` at the limits.

    The size is counted after decompression, so that a small body cannot unfold into a huge one.
    """
    assert isinstance(answer, urllib3.HTTPResponse)  # what all of its pools make
    body = bytearray()
    try:
        # read1 takes what has come: "read" would wait for a whole chunk, one byte a second if the server likes.
        while chunk := answer.read1(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > limit:
                raise TooLargeError(f"The answer has more than {limit} bytes.")
            if time.monotonic() > until:
                raise LateError("The answer came too slowly.")
        answer.release_conn()
    except BaseException:
        answer.close()  # a connection in the middle of an answer cannot be used again
        raise
    return bytes(body)
