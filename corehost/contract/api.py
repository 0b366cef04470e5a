"""The methods that a plugin offers to others and to users."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from corehost.contract.errors import Fault
from corehost.contract.hints import SchemaValue
from corehost.contract.records import checked
from corehost.contract.user import Signal, UserContext
from corehost.contract.versions import version_fault

RESERVED_METHODS = frozenset({"status", "stores", "grants"})
_METHOD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodContext:
    """Who calls a method.

    ``caller_id`` is the calling plugin's id, ``None`` for a user; ``user`` who is behind the call, for plugins
    granted ``user:read``; ``signal`` whether the caller still waits.
    """

    caller_id: str | None = None
    user: UserContext | None = None
    signal: Signal = field(default_factory=Signal, metadata={"live": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: ``handler(input, context)``, plain or ``async``, takes and returns JSON values.

    Input and output are checked against their schemas (JSON Schema 2020-12 or marshmallow). ``permissions`` are
    what the caller must hold; without any, a user needs ``plugin:<id>:use``. What ``changes`` nothing is left out of
    the audit log when people call it.
    """

    handler: Callable[[Any, MethodContext], Any]
    description: str | None = None
    input_schema: SchemaValue | Mapping[str, Any] | Any = None
    output_schema: SchemaValue | Mapping[str, Any] | Any = None
    permissions: tuple[str, ...] = ()
    changes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiExample:
    """A call with its result, for the documentation."""

    title: str
    input: Any
    output: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodDocumentation:
    """What the documentation says of one method."""

    summary: str
    description: str | None = None
    examples: tuple[ApiExample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDocumentation:
    """The documentation of a plugin's api; keys of ``methods`` are method names."""

    title: str
    description: str
    methods: Mapping[str, MethodDocumentation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSpec:
    """What ``corehost_api`` returns. ``version`` is the SemVer of the api, which may differ from the plugin's."""

    version: str = checked(version_fault)
    methods: Mapping[str, Method] = field(default_factory=dict)
    docs: ApiDocumentation | None = None

    def faults(self) -> Iterator[Fault]:
        """Name method names that cannot be called, and documentation of methods that do not exist."""
        for name in self.methods:
            if name in RESERVED_METHODS:
                yield Fault(path=f"/methods/{name}", message=f"The name {name!r} is reserved. Choose another.")
            elif not _METHOD_NAME.fullmatch(name):
                yield Fault(path=f"/methods/{name}", message="Must be letters, digits, '_', '.' or '-'.")
        for name in self.docs.methods if self.docs else ():
            if name not in self.methods:
                yield Fault(path=f"/docs/methods/{name}", message=f"There is no method {name!r}.")
