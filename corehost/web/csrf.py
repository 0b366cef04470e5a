"""Make and check the token that proves a change was meant by a page of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
from typing import IO, Any
from urllib.parse import parse_qs

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from corehost.contract.errors import MalformedError, PermissionDeniedError
from corehost.web.body import buffer_body
from corehost.web.caller import Caller

FIELD = "csrf_token"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_IN_MEMORY = 500_000


class Csrf:
    """Tokens bound to a session by a key that only the host knows; nothing has to be stored."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, caller: Caller) -> str:
        """Return the token of *caller*'s session."""
        return self._token_of(f"csrf:{caller.session or caller.user.id}")

    def strangers_token(self, secret: str) -> str:
        """Return the token of a browser that is not signed in, which keeps *secret* in a cookie."""
        return self._token_of(f"stranger:{secret}")

    def knows_stranger(self, secret: str | None, sent: str) -> bool:
        """Tell whether *sent* is the token of the browser that keeps *secret*."""
        return bool(secret) and sent.isascii() and hmac.compare_digest(sent, self.strangers_token(secret or ""))

    def _token_of(self, subject: str) -> str:
        digest = hmac.new(self._key, subject.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def check(self, environ: dict[str, Any], caller: Caller) -> None:
        """Raise ``PermissionDeniedError`` unless header ``X-CSRF-Token`` or form field ``csrf_token`` is right.

        A form is read, and left in place for the app.
        """
        sent = environ.get("HTTP_X_CSRF_TOKEN") or _form_token(environ)
        if not sent.isascii() or not hmac.compare_digest(sent, self.token(caller)):
            raise PermissionDeniedError(
                "The CSRF token is missing or of another session. Load the page again, "
                f"and send its token in the header 'X-CSRF-Token' or the field {FIELD!r}."
            )


def _form_token(environ: dict[str, Any]) -> str:
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        return ""
    body = buffer_body(environ)
    if kind == _FORMS[0]:
        found = parse_qs(body.read(_IN_MEMORY).decode("utf-8", "replace"), max_num_fields=None)
        token = (found.get(FIELD) or [""])[0]
    else:
        token = _multipart_token(environ, body)
    body.seek(0)
    return token


def _multipart_token(environ: dict[str, Any], body: IO[bytes]) -> str:
    parser = FormDataParser(
        stream_factory=lambda *_, **__: _Nowhere(), max_form_memory_size=_IN_MEMORY, max_form_parts=1_000
    )
    try:
        _, form, _ = parser.parse_from_environ({**environ, "wsgi.input": body})
    except (ValueError, RequestEntityTooLarge):
        raise MalformedError("The form cannot be read. Send a valid multipart body.") from None
    return str(form.get(FIELD, ""))


class _Nowhere(io.BytesIO):
    """Takes the files of a form, which the app will read for itself."""

    def write(self, data: Any) -> int:
        """Keep nothing."""
        return len(data)
