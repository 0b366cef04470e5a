"""What is known of the values that a JSON Schema admits, as far as plain keywords tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

Conjunct = Mapping[str, Any]
"""A schema without ``allOf``, and without a ``$ref`` that can be followed."""

KINDS = ("null", "boolean", "integer", "fraction", "string", "array", "object")
"""The kinds of JSON values, with numbers split into whole and other ones."""
_MEANT = {"number": frozenset({"integer", "fraction"})}
_NOTHING: Conjunct = {"enum": []}
_DATA = frozenset({"const", "enum", "default", "examples", "example"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
_PLACES = frozenset({"$ref", "$id", "$defs", "definitions"})
_MOVING = frozenset({"$dynamicRef", "$recursiveRef"})
_MOST_NODES = 2_000
Bound = tuple[float, bool]
"""A number, and whether it is itself excluded."""


class Document:
    """One schema with what its ``$ref``s lead to; only those inside of the document are followed."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.text = canonical(root)
        # A nested "$id" moves what the "#" of a reference means.
        self._is_closed = _count_of("$id", root) <= (isinstance(root, Mapping) and "$id" in root)

    def conjuncts(self, node: Any) -> list[Conjunct]:
        """Return schemas that hold together exactly where *node* does; a ``$ref`` that is left cannot be followed."""
        return list(self._conjuncts(node, frozenset(), set()))

    def inlined(self, node: Any) -> Any:
        """Return *node* with every ``$ref`` replaced by what it leads to; raises ``LookupError`` if one cannot be."""
        return self._inlined(node, frozenset(), [_MOST_NODES])

    def _conjuncts(self, node: Any, seen: frozenset[str], told: set[str]) -> Iterator[Conjunct]:
        """Follow each ``$ref`` once: *seen* are those on the way here, *told* all; what was told need not be again.

        Followed each time, definitions that use each other twice would double at each step.
        """
        if not isinstance(node, Mapping):
            yield {} if node is True else _NOTHING
            return
        rest = {key: value for key, value in node.items() if key not in ("allOf", "$ref")}
        for part in node.get("allOf", ()):
            yield from self._conjuncts(part, seen, told)
        if isinstance(reference := node.get("$ref"), str):
            try:
                if reference in seen:
                    raise LookupError(reference)
                if reference not in told:
                    target = self._target(reference)
                    told.add(reference)
                    yield from self._conjuncts(target, seen | {reference}, told)
            except LookupError:
                rest["$ref"] = reference
        yield rest

    def _target(self, reference: str) -> Any:
        if not self._is_closed or not reference.startswith("#") or (len(reference) > 1 and reference[1] != "/"):
            raise LookupError(reference)
        node = self.root
        for step in reference.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(node, Mapping):
                node = node[name]
            elif isinstance(node, list) and name.isdecimal():
                node = node[int(name)]
            else:
                raise LookupError(reference)
        return node

    def _inlined(self, node: Any, seen: frozenset[str], left: list[int]) -> Any:
        left[0] -= 1
        if left[0] < 0 or (isinstance(node, Mapping) and not node.keys().isdisjoint(_MOVING)):
            raise LookupError("too many nodes, or references that depend on who follows them")
        if isinstance(node, list):
            return [self._inlined(item, seen, left) for item in node]
        if not isinstance(node, Mapping):
            return node
        found = {key: self._inlined_below(key, value, seen, left) for key, value in node.items() if key not in _PLACES}
        if "$ref" in node:
            reference = str(node["$ref"])
            if reference in seen:
                raise LookupError(reference)
            target = self._inlined(self._target(reference), seen | {reference}, left)
            found["allOf"] = [*found.get("allOf", ()), target]
        return found

    def _inlined_below(self, key: str, value: Any, seen: frozenset[str], left: list[int]) -> Any:
        if key in _DATA:
            return value
        if key in _NAMED:  # the keys below are names, not keywords
            return {name: self._inlined(schema, seen, left) for name, schema in value.items()}
        return self._inlined(value, seen, left)


class Facts:
    """What holds of every value that all of *conjuncts* admit; what is not understood is left out."""

    def __init__(self, conjuncts: Sequence[Conjunct]) -> None:
        self.conjuncts = conjuncts
        self.candidates = _candidates(conjuncts)
        self.kinds = frozenset(KINDS)
        for conjunct in conjuncts:
            if "type" in conjunct:
                self.kinds &= kinds_of(conjunct["type"])
        if self.candidates is not None:
            self.kinds &= {kind_of(value) for value in self.candidates}
        elif self.kinds <= {"null", "boolean"}:
            self.candidates = [v for v in (None, False, True) if kind_of(v) in self.kinds]

    def values(self, keyword: str) -> list[Any]:
        """Return what the conjuncts give for *keyword*."""
        return [conjunct[keyword] for conjunct in self.conjuncts if keyword in conjunct]

    def states(self, keyword: str, value: Any) -> bool:
        """Tell whether one of the conjuncts gives *value* for *keyword*."""
        return any(canonical(value) == canonical(own) for own in self.values(keyword))

    def required(self) -> frozenset[str]:
        """Return the properties that every object has."""
        return frozenset(name for names in self.values("required") for name in names)

    def named(self) -> list[str]:
        """Return the properties of which something is said, in their order."""
        return list(dict.fromkeys(name for named in self.values("properties") for name in named))

    def at_property(self, name: str) -> list[Any]:
        """Return the schemas that hold for the property *name*."""
        return [found for conjunct in self.conjuncts for found in _at_property(conjunct, name)]

    def at_others(self, patterns: frozenset[str]) -> list[Any]:
        """Return the schemas that hold for properties which are not named and match none of *patterns*."""
        return [
            conjunct["additionalProperties"]
            for conjunct in self.conjuncts
            if "additionalProperties" in conjunct and set(conjunct.get("patternProperties", ())) <= patterns
        ]

    def at_index(self, index: int) -> list[Any]:
        """Return the schemas that hold for the item at *index*."""
        return [found for conjunct in self.conjuncts for found in _at_index(conjunct, index)]

    def longest_prefix(self) -> int:
        """Return up to which index the items may differ by place."""
        return max((len(items) for items in self.values("prefixItems")), default=0)

    def least(self, keyword: str) -> float:
        """Return the size that every value has at least, by ``minLength``, ``minItems`` or ``minProperties``."""
        least = max(self.values(keyword), default=0)
        return max(least, len(self.required())) if keyword == "minProperties" else least

    def most(self, keyword: str) -> float:
        """Return the size that no value exceeds, by ``maxLength``, ``maxItems`` or ``maxProperties``."""
        most = min(self.values(keyword), default=float("inf"))
        for conjunct in self.conjuncts:
            if keyword == "maxItems" and conjunct.get("items") is False:
                most = min(most, len(conjunct.get("prefixItems", ())))
            closed = conjunct.get("additionalProperties") is False and not conjunct.get("patternProperties")
            if keyword == "maxProperties" and closed:
                most = min(most, len(conjunct.get("properties", ())))
        return most

    def bound(self, plain: str, exclusive: str, sign: int) -> Bound | None:
        """Return the tightest of two keywords, as ``sign`` times the number; the greater is the tighter."""
        found = [(sign * value, False) for value in self.values(plain)]
        return max([*found, *((sign * value, True) for value in self.values(exclusive))], default=None)


def kind_of(value: Any) -> str:
    """Return the kind of a JSON value."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "integer" if value == int(value) else "fraction"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list | tuple) else "object"


def kinds_of(types: Any) -> frozenset[str]:
    """Return the kinds that the keyword ``type`` admits."""
    names = [types] if isinstance(types, str) else types
    return frozenset(kind for name in names for kind in _MEANT.get(name, (name,)))


def canonical(value: Any) -> str:
    """Return a text that two JSON values share exactly if they are equal as JSON Schema means it."""
    return json.dumps(_whole(value), sort_keys=True, default=str)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value


def _candidates(conjuncts: Sequence[Conjunct]) -> list[Any] | None:
    listed = [c["enum"] for c in conjuncts if "enum" in c] + [[c["const"]] for c in conjuncts if "const" in c]
    return min(listed, key=len) if listed else None


def _at_property(conjunct: Conjunct, name: str) -> Iterator[Any]:
    if name in conjunct.get("properties", ()):
        yield conjunct["properties"][name]
    elif "additionalProperties" in conjunct and not conjunct.get("patternProperties"):
        yield conjunct["additionalProperties"]


def _at_index(conjunct: Conjunct, index: int) -> Iterator[Any]:
    prefix = conjunct.get("prefixItems", ())
    if index < len(prefix):
        yield prefix[index]
    elif "items" in conjunct:
        yield conjunct["items"]


def _count_of(key: str, node: Any) -> int:
    if isinstance(node, Mapping):
        return (key in node) + sum(_count_of(key, item) for item in node.values())
    return sum(_count_of(key, item) for item in node) if isinstance(node, list) else 0
