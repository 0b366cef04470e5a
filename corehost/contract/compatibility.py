"""Compare what two versions of a plugin declare, and say what of it others would notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import semver

from corehost.contract.compatibility_gaps import gaps

Declared = Mapping[str, Any]
"""What a version declares, as JSON: ``methods``, ``messages`` and ``stores`` of a plugin's description in the API."""
Kind = Literal["breaking", "possible", "added"]
Whom = Literal["callers", "senders", "subscribers", "readers", "writers"]
Bump = Literal["major", "minor", "patch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference that others may notice.

    ``part`` and ``name`` say of what; ``whom`` it concerns; ``path`` is a JSON Pointer into the value, with ``*`` for
    any item. ``kind``: ``breaking``, what was right may be wrong now; ``possible``, only for those who did what nobody
    promised them; ``added``, nobody needs to care. ``text`` is for a person.
    """

    kind: Kind
    part: Literal["method", "message", "store"]
    name: str
    whom: Whom
    text: str
    rule: str = "added"
    path: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """One method, message type or store of both versions."""

    part: Literal["method", "message", "store"]
    name: str

    def added(self, whom: Whom) -> Change:
        return Change(kind="added", part=self.part, name=self.name, whom=whom, text=f"{self._what} is new")

    def broken(self, whom: Whom, rule: str, text: str) -> Change:
        text = f"{self._what} {text}"
        return Change(kind="breaking", part=self.part, name=self.name, whom=whom, rule=rule, text=text)

    def given(self, whom: Whom, what: str, old: Any, new: Any, *, kind: Kind = "breaking") -> Iterator[Change]:
        """Compare values that *whom* gets: what is new must have been expected before."""
        for gap in gaps(new, old):
            yield self._changed(kind, whom, gap.rule, gap.path, f"{what} {_at(gap.path)}{gap.given}")

    def taken(self, whom: Whom, what: str, old: Any, new: Any) -> Iterator[Change]:
        """Compare values that *whom* gives: what was accepted must be accepted now."""
        for gap in gaps(old, new):
            kind: Kind = "possible" if gap.is_open else "breaking"
            yield self._changed(kind, whom, gap.rule, gap.path, f"{what} {_at(gap.path)}{gap.taken}")

    def _changed(self, kind: Kind, whom: Whom, rule: str, path: str, text: str) -> Change:
        text = f"{self._what}: {text}"
        return Change(kind=kind, part=self.part, name=self.name, whom=whom, rule=rule, path=path, text=text)

    @property
    def _what(self) -> str:
        return f"{self.part} {self.name!r}"


def compare(old: Declared, new: Declared) -> tuple[Change, ...]:
    """Return what others notice when *new* takes the place of *old*."""
    return (*_method_changes(old, new), *_message_changes(old, new), *_store_changes(old, new))


def bump_due(changes: Iterable[Change]) -> Bump:
    """Return which part of the version must rise for *changes*, by SemVer."""
    kinds = {change.kind for change in changes}
    return "major" if "breaking" in kinds else "minor" if kinds else "patch"


def is_announced(before: str, after: str, changes: Iterable[Change]) -> bool:
    """Tell whether the step from version *before* to *after* announces *changes*; below 1.0.0 a minor step breaks."""
    old, new = semver.Version.parse(before), semver.Version.parse(after)
    bump = bump_due(changes)
    if new <= old:
        return bump == "patch" and new == old
    steps = {"major": (new.major > old.major), "minor": (new.major, new.minor) > (old.major, old.minor), "patch": True}
    return steps["minor" if old.major == 0 and bump == "major" else "patch" if old.major == 0 else bump]


def _method_changes(old: Declared, new: Declared) -> Iterator[Change]:
    before, after = old.get("methods", {}), new.get("methods", {})
    for name, method in before.items():
        part = _Part("method", name)
        if name not in after:
            yield part.broken("callers", "removed", "is gone")
            continue
        yield from part.taken("callers", "the input", method.get("inputSchema"), after[name].get("inputSchema"))
        yield from part.given("callers", "the output", method.get("outputSchema"), after[name].get("outputSchema"))
        if asked := sorted(set(after[name].get("permissions", ())) - set(method.get("permissions", ()))):
            yield part.broken("callers", "permission", f"asks for {', '.join(asked)} now")
    yield from (_Part("method", name).added("callers") for name in after if name not in before)


def _message_changes(old: Declared, new: Declared) -> Iterator[Change]:
    before, after = _schemas(old), _schemas(new)
    handled, handled_now = _handled(old), _handled(new)
    for kind in dict.fromkeys([*before, *handled]):
        part, schema, later = _Part("message", kind), before.get(kind, {}), after.get(kind, {})
        if kind in handled and kind not in handled_now:
            yield part.broken("senders", "removed", "is not handled any more")
        elif kind in handled:
            yield from part.taken("senders", "the payload", schema.get("payload"), later.get("payload"))
            yield from part.given("senders", "the response", schema.get("response"), later.get("response"))
        if kind in before and kind not in after and kind not in handled_now:
            yield part.broken("subscribers", "removed", "is not declared any more")
        elif kind in before:
            # What the plugin handles is mostly sent by others; whether it sends that too, nobody can see.
            said: Kind = "possible" if kind in handled else "breaking"
            yield from part.given("subscribers", "the payload", schema["payload"], later.get("payload"), kind=said)
    for kind in dict.fromkeys([*after, *handled_now]):
        if kind not in before and kind not in handled:
            yield _Part("message", kind).added("senders" if kind in handled_now else "subscribers")


def _store_changes(old: Declared, new: Declared) -> Iterator[Change]:
    before, after = _stores(old), _stores(new)
    for name, (schema, is_writable) in before.items():
        part = _Part("store", name)
        if name not in after:
            yield part.broken("readers", "removed", "is gone")
            continue
        later, is_writable_now = after[name]
        yield from part.given("readers", "the value", schema, later)
        if is_writable and not is_writable_now:
            yield part.broken("writers", "removed", "can only be read now")
        elif is_writable:
            yield from part.taken("writers", "a value that is set", schema, later)
    yield from (_Part("store", name).added("readers") for name in after if name not in before)


def _schemas(declared: Declared) -> dict[str, Any]:
    return {schema["type"]: schema for schema in declared.get("messages", {}).get("schemas", {}).values()}


def _handled(declared: Declared) -> frozenset[str]:
    return frozenset(declared.get("messages", {}).get("handlers", ()))


def _stores(declared: Declared) -> dict[str, tuple[Any, bool]]:
    stores = declared.get("stores", {})
    writable = frozenset(stores.get("writable", ()))
    names = [*stores.get("readable", ()), *stores.get("writable", ())]
    return {name: (stores.get("schemas", {}).get(name), name in writable) for name in names}


def _at(path: str) -> str:
    return f"at {path} " if path else ""
