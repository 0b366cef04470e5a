"""Read what an API request carries, and say what is wrong with it."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Request, Response

from corehost.contract.acceptance import MAX_DEPTH
from corehost.contract.errors import Fault, InvalidError, MalformedError

_TRUTH = {"1": True, "true": True, "0": False, "false": False}


def read_json(sent: Request, *, empty: Any = None) -> Any:
    """Return the body as a JSON value, *empty* where there is none.

    Raises ``MalformedError`` for what is no JSON: wrong syntax, no UTF-8, another content type, too deep nesting.
    """
    body = sent.get_data()
    if not body:
        return empty
    if sent.mimetype and not sent.is_json:
        raise MalformedError(f"The body is {sent.mimetype!r:.80}. Send JSON as 'Content-Type: application/json'.")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"The body is no valid JSON: {error}.") from None
    except RecursionError:
        raise MalformedError(f"The body is nested more than {MAX_DEPTH} deep. Send it flatter.") from None


def read_object(sent: Request) -> dict[str, Any]:
    """Return the body as a JSON object; raises ``MalformedError``, and ``InvalidError`` for another JSON value."""
    value = read_json(sent)
    if not isinstance(value, dict):
        raise InvalidError("The body is not valid.", [Fault(path="", message="Must be an object.")])
    return value


def only(body: dict[str, Any], *names: str) -> None:
    """Raise ``InvalidError`` if *body* has members other than *names*."""
    faults = [Fault(path=f"/{name[:80]}", message="Unknown field.") for name in body if name not in names]
    if faults:
        raise InvalidError("The body is not valid.", faults)


def read_flag(sent: Request, name: str) -> bool:
    """Return a query parameter that is ``1`` or ``0``; absent is no."""
    raw = sent.args.get(name, "0").lower()
    if raw not in _TRUTH:
        raise InvalidError("The query is not valid.", [Fault(path=f"/{name}", message="Must be 1 or 0.")])
    return _TRUTH[raw]


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """Return *value* as a JSON response."""
    return Response(msgspec.json.encode(value), status, headers, mimetype="application/json")
