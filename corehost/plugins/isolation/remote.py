"""A plugin in a process of its own, as the life cycle sees it: hooks to ask, and functions that are called there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from corehost.contract.api import MethodContext
from corehost.contract.errors import CorehostError, ManifestError
from corehost.contract.message import HandlerContext, Message
from corehost.contract.permissions import PermissionSet
from corehost.contract.stores import Readable
from corehost.contract.user import UserContext
from corehost.messaging.faults import FaultSink
from corehost.plugins.isolation.declarations import KINDS, declaration_from_json
from corehost.plugins.isolation.line import Line
from corehost.plugins.isolation.mirror import Mirror, WritableMirror
from corehost.plugins.isolation.travel import error_to_json

POWERS = frozenset(
    {
        "corehost_authenticate",
        "corehost_check_permission",
        "corehost_before_publish",
        "corehost_template_context",
        "corehost_commands",
    }
)
"""The hooks by which a plugin decides for others; one that is held in a process of its own has no say there."""


class RemoteHooks:
    """The hooks of one isolated plugin; raises ``ManifestError`` if it implements one that decides for others.

    *admit* is handed the plugin's context at setup, for what its process asks the host for.
    """

    def __init__(
        self,
        plugin_id: str,
        names: frozenset[str],
        line: Line,
        *,
        ways: RemoteWays,
        admit: Callable[[Any], None],
        seconds: float,
    ) -> None:
        if forbidden := sorted(POWERS & names):
            listed = ", ".join(forbidden)
            text = (
                f"Plugin {plugin_id!r} runs in a process of its own, where {listed} cannot be: it decides for others."
            )
            raise ManifestError(f"{text} Take it out, or run the plugin without isolation.")
        self._names = names
        self._line = line
        self._admit = admit
        self._seconds = seconds
        self._ways = ways

    def has(self, name: str) -> bool:
        """Tell whether the plugin implements the hook."""
        return name in self._names

    def names(self) -> frozenset[str]:
        """Return the hooks that the plugin implements, those of other plugins included."""
        return self._names

    def ask(self, name: str, **arguments: Any) -> Any:
        """Return what the plugin's implementation returns, ``None`` without one."""
        if name not in self._names:
            return None
        if name in KINDS:
            data = self._line.call("declare", name, seconds=self._seconds)
            return declaration_from_json(name, data, self._ways)
        if "context" in arguments:
            self._admit(arguments["context"])
        return self._line.call("hook", [name, _plain(arguments)], seconds=self._seconds)


class RemoteWays:
    """Makes the functions that stand in the host for those of the plugin."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._stores: dict[str, Mirror | WritableMirror] = {}

    def method(self, name: str) -> Callable[..., Any]:
        """Return what calls a method."""

        def call(input: Any, context: MethodContext) -> Any:
            params = [name, input, context.caller_id, user_to_json(context.user)]
            return self._line.call("method", params, seconds=3_600, signal=context.signal)

        return call

    def handler(self, name: str) -> Callable[..., Any]:
        """Return what calls the handler of one of the plugin's own types."""
        return self._hears("handler", name)

    def subscription(self, index: int) -> Callable[..., Any]:
        """Return what calls the handler of a declared subscription."""
        return self._hears("subscription", index)

    def callback(self, number: int) -> Callable[..., Any]:
        """Return what calls a function that the plugin handed to the host while it ran."""

        def call(*arguments: Any) -> Any:
            return self._line.call("callback", [number, list(arguments)])

        return call

    def hearer(self, number: int) -> Callable[..., Any]:
        """Return what calls a handler that the plugin subscribed while it ran."""
        return self._hears("heard", number)

    def page(self) -> Callable[..., Any]:
        """Return what stands for a view; the web edge asks the plugin's process for the page instead."""
        return remote_page

    def store(self, name: str, state: Any, *, is_settable: bool) -> Readable[Any]:
        """Return a store that follows the plugin's, and if that can be set, has the plugin set it."""
        made = self._stores[name] = WritableMirror(name, state, self._line) if is_settable else Mirror(state)
        return made

    def follow(self, name: str, state: Any) -> Callable[[], None] | None:
        """Take over a value that the plugin tells of one of its stores; return what tells others, if need be."""
        store = self._stores.get(name)
        return store.tell if store is not None and store.follow(state) else None

    def _hears(self, kind: str, which: Any) -> Callable[..., Any]:
        def handle(message: Message, context: HandlerContext) -> Any:
            params = [which, message, user_to_json(context.user)]
            return self._line.call(kind, params, signal=context.signal)

        return handle


def remote_page(**_params: Any) -> Any:
    """Stand for a view that lives in another process."""
    raise ManifestError("This page is made in the plugin's own process; the web edge asks for it there.")


def user_to_json(user: UserContext | None) -> dict[str, Any] | None:
    """Return a user in JSON's types."""
    if user is None:
        return None
    return {"id": user.id, "roles": list(user.roles), "permissions": sorted(user.permissions)}


def user_from_json(data: Any) -> UserContext | None:
    """Return the user that ``user_to_json`` gave."""
    if not isinstance(data, Mapping):
        return None
    held = PermissionSet(map(str, data["permissions"]))
    return UserContext(id=str(data["id"]), roles=tuple(map(str, data["roles"])), permissions=held)


def charged(faults: FaultSink, owner: str, work: Callable[[], Any]) -> None:
    """Do what a worker told us to; what is wrong with it is charged to the plugin."""
    try:
        work()
    except (CorehostError, TypeError, ValueError, LookupError, AttributeError) as error:
        faults.charge(owner, error, where="worker")


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hook's arguments in JSON's types; the context stays here."""
    kept = {name: value for name, value in arguments.items() if name != "context"}
    return {
        name: error_to_json(value) if isinstance(value, BaseException) else dict(value) if _is_live(value) else value
        for name, value in kept.items()
    }


def _is_live(value: Any) -> bool:
    return isinstance(value, Mapping) and not isinstance(value, dict)
