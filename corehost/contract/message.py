"""Messages, and what a plugin declares about those that it sends and handles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from corehost.contract.hints import SchemaValue
from corehost.contract.records import checked
from corehost.contract.user import Signal, UserContext

PATTERN_TEXT = "Must be a message type such as 'domain:entity:action', 1 to 200 characters without white space."
MAX_TYPE = 200


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", omit_defaults=True):
    """One message on the bus; every field but ``type``, ``payload``, ``target`` and ``meta`` is the host's word.

    ``source`` is a plugin id, ``core`` or ``user:<id>``; ``target`` a plugin id, ``user:<id>`` or
    ``session:<id>``; ``timestamp`` milliseconds since the epoch; ``seq`` grows by one a message within one run
    of the host; ``cause`` is the id of the message whose handling sent this one; ``correlation_id`` is set on
    requests. (Specification, "Plugin Messaging"; a msgspec Struct is 12 times cheaper to make than a dataclass, and as
    its values are JSON it can be in no cycle, so the collector need not look at the thousands that are kept.)
    """

    id: str
    type: str
    source: str
    payload: Any
    timestamp: int
    seq: int
    target: str | None = None
    correlation_id: str | None = None
    meta: Mapping[str, Any] | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerContext:
    """What a handler may know of the call; passed to handlers that take a second positional argument.

    ``user`` is who is behind the message, for plugins granted ``user:read``; ``signal`` tells when nobody
    waits for the answer any more.
    """

    signal: Signal
    user: UserContext | None = None


def _type_fault(value: Any) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TYPE or any(c.isspace() for c in value):
        return PATTERN_TEXT
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How a plugin handles a message.

    ``handle(message)`` or ``handle(message, context)``, plain or ``async``; what it returns answers a request,
    ``None`` leaves the request to the next. ``filter(message)`` false: the message is not for this handler.
    Of one plugin's handlers of a message, the higher ``priority`` is called first.
    """

    handle: Callable[..., Any]
    filter: Callable[[Message], Any] | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSchema:
    """The contract of one message type: its payload and, for requests, its response.

    ``payload`` and ``response`` are JSON Schema 2020-12 or marshmallow schemas. One type has one schema in the
    whole host; a second plugin that declares one is refused.
    """

    type: str = checked(_type_fault)
    payload: SchemaValue | Mapping[str, Any] | Any
    response: SchemaValue | Mapping[str, Any] | Any = None
    description: str | None = None
    expects_response: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSpec:
    """A declared subscription to messages of others.

    ``type`` may hold ``*`` for any run of characters; ``source`` limits it to messages of these sources.
    """

    type: str = checked(_type_fault)
    handler: Handler
    source: str | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesSpec:
    """What ``corehost_messages`` returns.

    A handler under key ``tick`` of plugin ``clock`` listens on ``clock:tick``. Keys of ``schemas`` are names for
    people; a schema's ``type`` is the message type.
    """

    handlers: Mapping[str, Handler] = field(default_factory=dict)
    schemas: Mapping[str, MessageSchema] = field(default_factory=dict)
    subscriptions: tuple[SubscriptionSpec, ...] = ()


class Awaited(Protocol):
    """The next message of a pattern, from ``once``; it can be waited for, awaited or given up."""

    def result(self, timeout: float | None = None) -> Message:
        """Wait up to *timeout* seconds and return the message; raises ``LateError``."""

    def cancel(self) -> None:
        """Stop waiting; ``result`` then raises ``AbortedError``."""

    def __await__(self) -> Any:
        """Wait inside a coroutine."""
