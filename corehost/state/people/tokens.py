"""Keep API tokens: made once, shown once, stored as hashes."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from corehost.contract.errors import ConflictError, Fault, InvalidError, NotFoundError
from corehost.contract.people import ApiToken, PeopleChange
from corehost.contract.user import UserContext
from corehost.state.engine import reading, writing
from corehost.state.people import rules
from corehost.state.people.accounts import read_account
from corehost.state.people.changes import Changes
from corehost.state.people.tables import api_tokens

PREFIX: Final = "corehost_"
"""What every token begins with, so that scanners find one that somebody has published."""
_MOST_OF_USER: Final = 100
_MOST_REMEMBERED: Final = 10_000
_USED_SECONDS: Final = 60.0

ContextOf = Callable[[str], UserContext | None]
"""Returns who a user is and what they may do now."""


class Tokens:
    """The tokens of all users."""

    def __init__(
        self, engine: Engine, changes: Changes, context_of: ContextOf, *, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._changes = changes
        self._context_of = context_of
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, ApiToken] = {}
        self._noted: dict[str, float] = {}
        changes.tell(self._forget)

    def all(self, user_id: str | None = None) -> list[ApiToken]:
        """Return all tokens, or those of a user, the newest first."""
        query = select(api_tokens).order_by(api_tokens.c.created.desc(), api_tokens.c.id)
        with reading(self._engine) as connection:
            found = [_token(row) for row in connection.execute(query)]
        return [token for token in found if user_id in (None, token.user)]

    def get(self, token_id: str) -> ApiToken:
        """Return a token; raises ``NotFoundError``."""
        found = next((token for token in self.all() if token.id == token_id), None)
        if found is None:
            raise NotFoundError(f"There is no token {token_id[:80]!r}.")
        return found

    def create(
        self,
        actor: UserContext,
        user_id: str,
        name: str,
        *,
        permissions: Iterable[str] | None = None,
        expires: float | None = None,
    ) -> tuple[ApiToken, str]:
        """Make a token of a user and return it with its secret, which is kept nowhere.

        *permissions* narrows what it may do, *expires* is in seconds since 1970. Raises ``PermissionDeniedError`` for
        what the user, or *actor*, does not have.
        """
        made = ApiToken(
            id=secrets.token_hex(6),
            user=user_id,
            name=_named(name),
            permissions=None if permissions is None else rules.permissions(permissions),
            created=self._now(),
            expires=self._later(expires),
        )
        secret = f"{PREFIX}{made.id}_{secrets.token_urlsafe(32)}"
        self._require_held(actor, made)
        with writing(self._engine) as connection:
            read_account(connection, user_id)
            if len(connection.scalars(select(api_tokens.c.id).where(api_tokens.c.user == user_id)).all()) >= (
                _MOST_OF_USER
            ):
                raise ConflictError(f"User {user_id!r} has {_MOST_OF_USER} tokens. Revoke one that is not needed.")
            connection.execute(insert(api_tokens).values(_row(made, _hash(secret))))
        self._made("token:create", actor, made, name=made.name)
        return made, secret

    def revoke(self, actor: UserContext, token_id: str) -> None:
        """Make a token worthless at once; raises ``NotFoundError``."""
        token = self.get(token_id)
        with writing(self._engine) as connection:
            connection.execute(delete(api_tokens).where(api_tokens.c.id == token_id))
        self._made("token:revoke", actor, token, name=token.name)

    def bearer(self, secret: str) -> tuple[str, UserContext] | None:
        """Return the id of the token with this secret and who it stands for; ``None`` if it is good for nothing."""
        key = _hash(secret)
        token = self._known.get(key) or self._find(key)
        if token is None or (user := self._user_of(token)) is None:
            return None
        self._note_use(token.id)
        return token.id, user

    def users(self) -> dict[str, UserContext]:
        """Return, by token id, who each good token stands for now."""
        found = ((token.id, self._user_of(token)) for token in self.all())
        return {token_id: user for token_id, user in found if user is not None}

    def _user_of(self, token: ApiToken) -> UserContext | None:
        if token.expires is not None and token.expires <= self._now():
            return None
        user = self._context_of(token.user)
        if user is None or token.permissions is None:
            return user
        return UserContext(id=user.id, roles=user.roles, permissions=user.permissions.shared(token.permissions))

    def _find(self, key: str) -> ApiToken | None:
        known = self._known
        with reading(self._engine) as connection:
            row = connection.execute(select(api_tokens).where(api_tokens.c.hash == key)).first()
        if row is None:
            return None
        token = _token(row)
        with self._lock:
            if known is self._known and len(known) < _MOST_REMEMBERED:  # a token that was revoked must not come back
                known[key] = token
        return token

    def _note_use(self, token_id: str) -> None:
        """Note once a minute that a token is used: a write for each request would cost a sync each."""
        now = self._now()
        with self._lock:
            if self._noted.get(token_id, 0.0) > now - _USED_SECONDS:
                return
            self._noted[token_id] = now
        with writing(self._engine) as connection:
            connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(used=now))

    def _require_held(self, actor: UserContext, token: ApiToken) -> None:
        user = self._context_of(token.user)
        if user is None:
            raise NotFoundError(f"There is no user {token.user[:80]!r} who is not disabled.")
        if token.permissions is not None:
            rules.require_covers(user, token.permissions, "have this token")
        held = sorted(user.permissions) if token.permissions is None else token.permissions
        rules.require_covers(actor, held, f"make a token of {token.user!r}")

    def _later(self, expires: float | None) -> float | None:
        if expires is not None and expires <= self._now():
            raise InvalidError("This token cannot be made.", [Fault(path="/expires", message="Must be in the future.")])
        return expires

    def _made(self, action: str, actor: UserContext, token: ApiToken, **detail: str) -> None:
        users = frozenset({token.user})
        self._changes.made(action, users, actor=actor, subject=f"token:{token.id}", user=token.user, **detail)

    def _forget(self, _: PeopleChange) -> None:
        with self._lock:
            self._known = {}


def _hash(secret: str) -> str:
    # A token holds 256 bits of chance, so nobody can try them all and a slow hash would add nothing.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _named(name: str) -> str:
    if not 1 <= len(name.strip()) <= 100:
        raise InvalidError("This token cannot be made.", [Fault(path="/name", message="Must be 1 to 100 characters.")])
    return name.strip()


def _row(token: ApiToken, key: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "hash": key,
        "user": token.user,
        "name": token.name,
        "permissions": None if token.permissions is None else json.dumps(token.permissions),
        "created": token.created,
        "expires": token.expires,
    }


def _token(row: Any) -> ApiToken:
    return ApiToken(
        id=row.id,
        user=row.user,
        name=row.name,
        permissions=None if row.permissions is None else tuple(json.loads(row.permissions)),
        created=row.created,
        expires=row.expires,
        used=row.used,
    )


def lifetime_end(seconds: float | None) -> float | None:
    """Return when something ends that is good for so many seconds from now."""
    return None if seconds is None else time.time() + seconds
