"""Read a browser's JSON-RPC 2.0 text and say what is wrong with it.

A frame holds one request or notification. Batches are refused with -32600: whoever has much to say sends many
frames, which cost no more and are answered one by one. Parameters are by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from corehost.contract.errors import Fault, InvalidError, MalformedError
from corehost.contract.message import MAX_TYPE, PATTERN_TEXT

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, TOO_FAST = -32700, -32600, -32601, -32602, -32005
MAX_LIMIT = 1_000
_MAX_TIMEOUT = 600_000
_MAX_NAME = 1_000

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_MEMBERS = frozenset({"jsonrpc", "method", "params", "id"})

Check = Callable[[Any], str | None]


class RpcError(Exception):
    """A request that is answered with a JSON-RPC error before anything was called."""

    def __init__(self, code: int, text: str, id: Any = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.id = id


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; without ``answered`` it is a notification, which gets no answer, not even an error."""

    method: str
    params: Mapping[str, Any]
    id: str | int | float | None
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter: *check* returns what is wrong with a value."""

    check: Check
    required: bool = False


def read_request(text: str, depth: int) -> Request:
    """Return the request that *text* holds; raises ``RpcError``, nested more than *depth* deep is a parse error."""
    try:
        data = read_json(text, depth)
    except MalformedError as error:
        raise RpcError(PARSE_ERROR, error.text) from None
    if isinstance(data, list):
        raise RpcError(INVALID_REQUEST, "Batches are not taken. Send each request in a frame of its own.")
    if not isinstance(data, dict):
        raise RpcError(INVALID_REQUEST, "A request is a JSON object.")
    return _request_of(data)


def read_json(source: str | bytes, depth: int) -> Any:
    """Return the value that *source* holds; raises ``MalformedError``."""
    try:
        text = source if isinstance(source, str) else source.decode()
        if not _is_deeper(text, depth):
            return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise MalformedError(f"This is no JSON in UTF-8: {error}.") from None
    raise MalformedError(f"The JSON is nested more than {depth} levels deep.")


def check_params(known: Mapping[str, Param], params: Mapping[str, Any]) -> None:
    """Raise ``InvalidError`` with every fault of *params*."""
    faults = list(_faults(known, params))
    if faults:
        raise InvalidError("The parameters are not valid.", faults)


def text(value: Any) -> str | None:
    """Return what is wrong with *value* as a name."""
    return None if isinstance(value, str) and 0 < len(value) <= _MAX_NAME else "Must be a non-empty string."


def pattern(value: Any) -> str | None:
    """Return what is wrong with *value* as a message type or a pattern of it."""
    fits = isinstance(value, str) and 0 < len(value) <= MAX_TYPE and not any(c.isspace() for c in value)
    return None if fits else PATTERN_TEXT


def sources(value: Any) -> str | None:
    """Return what is wrong with *value* as one source or several."""
    listed = value if isinstance(value, list) else [value]
    fits = 0 < len(listed) <= 100 and all(text(source) is None for source in listed)
    return None if fits else "Must be a string or a list of 1 to 100 strings."


def limit(value: Any) -> str | None:
    """Return what is wrong with *value* as a number of messages."""
    fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_LIMIT
    return None if fits else f"Must be a whole number from 1 to {MAX_LIMIT}."


def timeout(value: Any) -> str | None:
    """Return what is wrong with *value* as milliseconds to wait."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_TIMEOUT
    return None if fits else f"Must be a number of milliseconds, above 0 and at most {_MAX_TIMEOUT}."


def json_object(value: Any) -> str | None:
    """Return what is wrong with *value* as a JSON object."""
    return None if isinstance(value, dict) else "Must be an object."


def anything(_: Any) -> str | None:
    """Every JSON value is right."""
    return None


def _is_deeper(text: str, depth: int) -> bool:
    if text.count("[") + text.count("{") <= depth:
        return False
    level = 0
    for token in _TOKEN.finditer(text):
        first = token.group()[0]
        if first in "[{":
            level += 1
            if level > depth:
                return True
        elif first in "]}":
            level -= 1
    return False


def _request_of(data: dict[str, Any]) -> Request:
    id = data.get("id")
    if isinstance(id, bool) or not isinstance(id, str | int | float | None):
        raise RpcError(INVALID_REQUEST, "'id' must be a string or a number.")
    if isinstance(id, str) and len(id) > _MAX_NAME:
        raise RpcError(INVALID_REQUEST, f"'id' is over {_MAX_NAME} characters long.")
    if data.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "'jsonrpc' must be \"2.0\".", id)
    if not isinstance(data.get("method"), str):
        raise RpcError(INVALID_REQUEST, "'method' must be a string.", id)
    if unknown := data.keys() - _MEMBERS:
        raise RpcError(INVALID_REQUEST, f"A request has no member {min(unknown)!r}.", id)
    params = data.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "'params' must be an object: parameters are by name.", id)
    return Request(method=data["method"], params=params, id=id, answered="id" in data)


def _faults(known: Mapping[str, Param], params: Mapping[str, Any]) -> Iterator[Fault]:
    for name, param in known.items():
        if name in params:
            if message := param.check(params[name]):
                yield Fault(path=f"/{name}", message=message)
        elif param.required:
            yield Fault(path=f"/{name}", message="Is missing.")
    for name in params.keys() - known.keys():
        yield Fault(path=f"/{name}", message=f"There is no such parameter; known are: {', '.join(known) or 'none'}.")
