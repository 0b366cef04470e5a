"""Serve the API's resources of people: users, roles, tokens, sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, request

from corehost.contract.errors import ConflictError
from corehost.contract.permissions import USERS_MANAGE
from corehost.contract.records import to_json
from corehost.contract.schema import Checker, check, compile_schema
from corehost.contract.user import UserContext
from corehost.plugins.permissions import Permissions
from corehost.state.people.people import People
from corehost.state.people.tokens import lifetime_end
from corehost.web.caller import require_caller
from corehost.web.entrance import CODE_SECONDS, Entrance
from corehost.web.reading import answer, read_object

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT, "maxItems": 500}
_PASSWORD: Final = {"type": "string", "maxLength": 256}


def _body(*required: str, **properties: Any) -> Checker:
    shape = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return compile_schema(shape)


_NEW_USER: Final = _body("id", id=_TEXT, password=_PASSWORD, roles=_TEXTS)
_USER: Final = _body(roles=_TEXTS, disabled={"type": "boolean"})
_NEW_PASSWORD: Final = _body("password", password=_PASSWORD, current=_PASSWORD)
_ROLE: Final = _body("permissions", permissions=_TEXTS, description={"type": "string", "maxLength": 500})
_TOKEN: Final = _body(
    "name",
    name=_TEXT,
    permissions=_TEXTS,
    lifetime={"type": "number", "exclusiveMinimum": 0, "maximum": 3_153_600_000},
)

Link = Callable[[str], str]
"""Returns a further one-use link that signs a user in."""


class PeopleApi:
    """``/api/users``, ``/api/roles`` and ``/api/tokens``.

    What is not one's own needs ``users:manage``. One's own password, sessions and tokens are managed in a browser:
    a stolen token must not make itself better ones.
    """

    def __init__(self, people: People, entrance: Entrance, permissions: Permissions, *, link: Link) -> None:
        self._people = people
        self._entrance = entrance
        self._permissions = permissions
        self._link = link

    def blueprint(self) -> Blueprint:
        """Return the resources."""
        api = Blueprint("people_api", __name__, url_prefix="/api")
        for rule, view, method in self._rules():
            api.add_url_rule(rule, view.__name__.strip("_"), view, methods=[method])
        return api

    def _rules(self) -> Iterable[tuple[str, Callable[..., Response], str]]:
        return (
            ("/users", self._list, "GET"),
            ("/users", self._add, "POST"),
            ("/users/<user_id>", self._show, "GET"),
            ("/users/<user_id>", self._change, "PATCH"),
            ("/users/<user_id>", self._remove, "DELETE"),
            ("/users/<user_id>/password", self._set_password, "PUT"),
            ("/users/<user_id>/link", self._make_link, "POST"),
            ("/users/<user_id>/sessions", self._list_sessions, "GET"),
            ("/users/<user_id>/sessions/<session_id>", self._end_session, "DELETE"),
            ("/users/<user_id>/tokens", self._list_tokens, "GET"),
            ("/users/<user_id>/tokens", self._make_token, "POST"),
            ("/tokens", self._list_all_tokens, "GET"),
            ("/tokens/<token_id>", self._revoke, "DELETE"),
            ("/roles", self._list_roles, "GET"),
            ("/roles/<name>", self._put_role, "PUT"),
            ("/roles/<name>", self._remove_role, "DELETE"),
        )

    def _list(self) -> Response:
        self._manager("list the users")
        return answer({"items": to_json(self._people.all())})

    def _add(self) -> Response:
        actor, body = self._manager("add a user"), _read(_NEW_USER)
        made = self._people.add(actor, body["id"], password=body.get("password"), roles=body.get("roles", ()))
        return answer(to_json(made), 201, Location=f"/api/users/{made.id}")

    def _show(self, user_id: str) -> Response:
        self._self_or_manager(user_id, "look at")
        return answer(to_json(self._people.get(user_id)))

    def _change(self, user_id: str) -> Response:
        actor, body = self._manager(f"change the user {user_id!r}"), _read(_USER)
        if "roles" in body:
            self._people.set_roles(actor, user_id, body["roles"])
        if "disabled" in body:
            self._people.set_disabled(actor, user_id, body["disabled"])
        return answer(to_json(self._people.get(user_id)))

    def _remove(self, user_id: str) -> Response:
        self._people.remove(self._manager(f"remove the user {user_id!r}"), user_id)
        return Response(status=204)

    def _set_password(self, user_id: str) -> Response:
        caller = require_caller(request.environ)
        self._self_or_manager(user_id, "set the password of")
        body = _read(_NEW_PASSWORD)
        if _is_self(user_id):
            self._prove(user_id, body.get("current", ""))
        self._people.set_password(caller.user, user_id, body["password"], keep=caller.session)
        return Response(status=204)

    def _make_link(self, user_id: str) -> Response:
        actor = self._manager(f"make a sign-in link for {user_id!r}")
        self._people.require_above(actor, user_id)
        if self._people.context(user_id) is None:
            raise ConflictError(f"The user {user_id!r} is disabled. Enable the account first.")
        made = {"user": user_id, "url": self._link(user_id), "seconds": CODE_SECONDS}
        self._people.changes.made("user:link", frozenset(), actor=actor, subject=f"user:{user_id}")
        return answer(made, 201)

    def _list_sessions(self, user_id: str) -> Response:
        self._self_or_manager(user_id, "list the sessions of")
        own = require_caller(request.environ).session
        found = self._people.sessions(self._people.get(user_id).id)
        return answer({"items": [{**to_json(one), "current": one.id == own} for one in found]})

    def _end_session(self, user_id: str, session_id: str) -> Response:
        actor = self._self_or_manager(user_id, "end a session of")
        self._people.end_session(actor, user_id, session_id)
        return Response(status=204)

    def _list_tokens(self, user_id: str) -> Response:
        self._self_or_manager(user_id, "list the tokens of")
        return answer({"items": to_json(self._people.tokens.all(self._people.get(user_id).id))})

    def _make_token(self, user_id: str) -> Response:
        actor, body = self._self_or_manager(user_id, "make a token of"), _read(_TOKEN)
        self._people.require_above(actor, user_id)
        token, secret = self._people.tokens.create(
            actor,
            user_id,
            body["name"],
            permissions=body.get("permissions"),
            expires=lifetime_end(body.get("lifetime")),
        )
        return answer({"token": to_json(token), "secret": secret}, 201)

    def _list_all_tokens(self) -> Response:
        self._manager("list the tokens")
        return answer({"items": to_json(self._people.tokens.all())})

    def _revoke(self, token_id: str) -> Response:
        own = {token.id for token in self._people.tokens.all(_own_id())}
        actor = _user() if token_id in own else self._manager("revoke a token of somebody else")
        self._people.tokens.revoke(actor, token_id)
        return Response(status=204)

    def _list_roles(self) -> Response:
        self._manager("list the roles")
        return answer({"items": to_json(self._people.roles.all())})

    def _put_role(self, name: str) -> Response:
        actor, body = self._manager(f"change the role {name!r}"), _read(_ROLE)
        made = self._people.roles.put(
            actor, name, permissions=body["permissions"], description=body.get("description", "")
        )
        return answer(to_json(made))

    def _remove_role(self, name: str) -> Response:
        self._people.roles.remove(self._manager(f"remove the role {name!r}"), name)
        return Response(status=204)

    def _manager(self, what: str) -> UserContext:
        user = _user()
        self._permissions.require_user(user, USERS_MANAGE, what)
        return user

    def _self_or_manager(self, user_id: str, what: str) -> UserContext:
        return _user() if _is_self(user_id) else self._manager(f"{what} {user_id!r}")

    def _prove(self, user_id: str, current: str) -> None:
        """Have somebody who has a password already say it: an unattended browser must not lock its owner out."""
        if self._people.get(user_id).has_password:
            self._entrance.require_password(user_id, current, address=request.remote_addr or "")


def _user() -> UserContext:
    return require_caller(request.environ).user


def _own_id() -> str:
    caller = require_caller(request.environ)
    return caller.user.id if caller.session is not None else ""


def _is_self(user_id: str) -> bool:
    return user_id == _own_id()


def _read(checker: Checker) -> Mapping[str, Any]:
    body = read_object(request)
    check(checker, body, "The body")
    return body
