"""Which message type has which schema, and who declared it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from corehost.contract.errors import ConflictError, InvalidError
from corehost.contract.message import MessageSchema
from corehost.contract.schema import ANY_JSON, Checker, compile_schema
from corehost.messaging.patterns import ANY, check_text

Undo = Callable[[], None]


class Schemas:
    """The declared schemas, each compiled once. *changed* is told the type whenever its schema comes or goes."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._declared: dict[str, tuple[str, MessageSchema]] = {}
        self._checkers: dict[str, tuple[Checker, Checker]] = {}

    def declare(self, schema: MessageSchema, owner: str) -> Undo:
        """Let *schema* hold for its type; raises ``ConflictError`` if the type has one already."""
        check_text(schema.type, "message type")
        if ANY in schema.type:
            raise InvalidError(f"{schema.type!r} is a pattern. Declare a schema for each message type.")
        checkers = compile_schema(schema.payload), compile_schema(schema.response)
        with self._lock:
            if schema.type in self._declared:
                other = self._declared[schema.type][0]
                raise ConflictError(
                    f"{owner!r} declares a schema for {schema.type!r}, which {other!r} has declared already. "
                    "One of the two must choose another type."
                )
            self._declared[schema.type] = (owner, schema)
            self._checkers[schema.type] = checkers
        self._changed(schema.type)
        return lambda: self._withdraw(schema)

    def all(self) -> Mapping[str, tuple[str, MessageSchema]]:
        """Return by type who declared it, and the schema."""
        with self._lock:
            return dict(self._declared)

    def checkers(self, message_type: str) -> tuple[Checker, Checker]:
        """Return what checks payload and response of this type; without a schema, that they are JSON."""
        return self._checkers.get(message_type, (ANY_JSON, ANY_JSON))

    def withdraw_all(self, owner: str) -> None:
        """Forget what *owner* declared."""
        for declarer, schema in self.all().values():
            if declarer == owner:
                self._withdraw(schema)

    def _withdraw(self, schema: MessageSchema) -> None:
        with self._lock:
            if self._declared.get(schema.type, (None, None))[1] is not schema:
                return
            del self._declared[schema.type], self._checkers[schema.type]
        self._changed(schema.type)
