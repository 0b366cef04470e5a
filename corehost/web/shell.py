"""Lay a page out in the shell: a plugin's, or the host's own bare one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flask import Flask, request
from jinja2 import Environment
from markupsafe import Markup

from corehost import __version__
from corehost.contract.user import UserContext
from corehost.messaging.faults import FaultSink
from corehost.web.caller import Caller, caller_of
from corehost.web.csrf import Csrf

Values = Mapping[str, Any]
_BARE = "shell.html"


class HostHooks(Protocol):
    """Asks the enabled plugins a host-wide hook."""

    def ask(self, name: str, /, **arguments: Any) -> list[tuple[str, Any]]: ...


class Shell:
    """What stands around every page.

    *environment_of* returns the Jinja environment of an enabled plugin's app; *navigation* returns a user's menu
    with the entry of a path marked as active.
    """

    def __init__(
        self,
        *,
        hooks: HostHooks,
        faults: FaultSink,
        csrf: Csrf,
        environment_of: Callable[[str], Environment | None],
        navigation: Callable[[UserContext, str], list[dict[str, Any]]],
    ) -> None:
        self._hooks = hooks
        self._faults = faults
        self._csrf = csrf
        self._environment_of = environment_of
        self._navigation = navigation
        self._bare: Environment | None = None

    def use_bare(self, app: Flask) -> None:
        """Take the bare shell from the host's own app."""
        self._bare = app.jinja_env

    def lay_out(self, content: Markup, *, title: str | None, plugin_id: str | None) -> str:
        """Return the whole page around *content*; must be called while a request is served.

        Who is not signed in sees the bare shell: no plugin's template runs for strangers.
        """
        caller = caller_of(request.environ)
        values, template = self._values(caller) if caller else (_for_strangers(), None)
        values.update(title=title, content=content, plugin=plugin_id)
        if template is not None and (page := self._by_plugin(template, values)) is not None:
            return page
        assert self._bare is not None
        return self._bare.get_template(_BARE).render(values)

    def render(self, template: str, **values: Any) -> Markup:
        """Return one of the host's own templates as content, whichever plugin's app serves the request."""
        assert self._bare is not None
        return Markup(self._bare.get_template(template).render(values))  # noqa: S704  # rendered with escaping

    def csrf_token(self) -> str:
        """Return the token of the request at hand, ``""`` for nobody known."""
        caller = caller_of(request.environ)
        return self._csrf.token(caller) if caller else ""

    def _values(self, caller: Caller) -> tuple[dict[str, Any], str | None]:
        values: dict[str, Any] = {}
        for _, given in self._hooks.ask("corehost_template_context", user=caller.user):
            if isinstance(given, Mapping):
                values.update(given)
        template = values.pop("shell", None)
        values.update(
            navigation=self._navigation(caller.user, request.path),
            user=caller.user,
            csrf_token=self._csrf.token(caller),
            corehost_version=__version__,
        )
        return values, template if isinstance(template, str) else None

    def _by_plugin(self, template: str, values: Values) -> str | None:
        owner, _, name = template.partition("/")
        environment = self._environment_of(owner)
        if environment is None:
            return None
        try:
            return environment.get_template(name).render(values)
        except Exception as error:  # noqa: BLE001  # whatever a plugin's shell raises, the page must still be shown
            self._faults.charge(owner, error, where="route")
            return None


def _for_strangers() -> dict[str, Any]:
    return {"navigation": [], "user": None, "csrf_token": "", "corehost_version": __version__}


def user_of_request() -> UserContext | None:
    """Return who sends the request at hand."""
    caller = caller_of(request.environ)
    return caller.user if caller else None
