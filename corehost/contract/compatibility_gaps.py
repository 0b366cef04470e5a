"""Find out where a JSON Schema admits values that another does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jsonschema_rs

from corehost.contract.compatibility_facts import Conjunct, Document, Facts, canonical
from corehost.contract.compatibility_rules import Gap, narrowed, plain_gaps, shown, step_to, unknown

_DEEPEST = 60
_MOST_STEPS = 10_000
_STEP_TEXT = 1_000
"""Characters of schemas that count as a step: to write them out for comparison is most of the work."""
# What is compared by equality only, and the kind of value that it speaks of. The host does not enforce "format", but
# people rely on it.
_OPAQUE: Mapping[str, str | None] = {
    "$dynamicRef": None,
    "$recursiveRef": None,
    "$ref": None,
    "contains": "array",
    "dependencies": "object",
    "dependentRequired": "object",
    "dependentSchemas": "object",
    "format": "string",
    "if": None,
    "not": None,
    "pattern": "string",
    "propertyNames": "object",
}
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "if": ("if", "then", "else"),
    "contains": ("contains", "minContains", "maxContains"),
}
_AROUND = ("unevaluatedProperties", "unevaluatedItems")
"""Keywords that mean something only with all that stands around them."""
_NOT_NUMBERS = ("null", "boolean", "string", "array", "object")


def gaps(narrow: Any, wide: Any) -> tuple[Gap, ...]:
    """Return where *narrow* admits what *wide* does not; none: every value valid by *narrow* is valid by *wide*.

    Both are JSON Schemas 2020-12, ``None`` for any value. It errs to the safe side only: what cannot be compared, and
    is not the same in both, is a gap by the rule ``unknown``.
    """
    first, second = Document(_filled(narrow)), Document(_filled(wide))
    if first.text == second.text:
        return ()
    found = _Comparison(first, second).gaps([first.root], second.root, "")
    return tuple(dict.fromkeys(found))


def _filled(schema: Any) -> Any:
    return True if schema is None else schema


class _Comparison:
    """One comparison of two documents; it gives up, with a gap, where they are too deep or too tangled."""

    def __init__(self, narrow: Document, wide: Document) -> None:
        self._narrow = narrow
        self._wide = wide
        self._left = _MOST_STEPS
        self._open: dict[tuple[frozenset[str], str], int] = {}

    def gaps(self, narrow: Iterable[Any], wide: Any, path: str) -> list[Gap]:
        """Return where values that all of *narrow* admit are not admitted by *wide*."""
        # The same said twice says no more; kept, what a schema says of itself would double at each level.
        distinct = {canonical(schema): schema for schema in narrow}
        self._left -= 1 + len(distinct) + sum(map(len, distinct)) // _STEP_TEXT
        depth = path.count("/")
        if self._left < 0 or len(self._open) > _DEEPEST:  # one choice in another counts as depth, too
            return [unknown(path, "is too large to be compared")]
        key = frozenset(distinct), canonical(wide)
        if key in self._open:
            # A schema that refers to itself: what holds of every smaller value holds of this one, too.
            return [] if self._open[key] < depth else [unknown(path, "refers to itself")]
        self._open[key] = depth
        try:
            return self._gaps(distinct.values(), wide, path)
        finally:
            del self._open[key]

    def _gaps(self, narrow: Iterable[Any], wide: Any, path: str) -> list[Gap]:
        conjuncts = [conjunct for node in narrow for conjunct in self._narrow.conjuncts(node)]
        self._left -= len(conjuncts)
        facts = Facts(conjuncts)
        if not facts.kinds:
            return []
        if facts.candidates is not None and (told := self._candidate_gaps(facts, wide, path)) is not None:
            return told
        found = [gap for conjunct in self._wide.conjuncts(wide) for gap in self._conjunct_gaps(facts, conjunct, path)]
        if found and (branches := _branches(conjuncts)):
            return [gap for branch in branches for gap in self.gaps(branch, wide, path)]
        return found

    def _candidate_gaps(self, facts: Facts, wide: Any, path: str) -> list[Gap] | None:
        """Try the few values that there are; ``None`` if *wide* cannot be asked by itself."""
        try:
            accepts = _validator(self._wide.inlined(wide))
        except LookupError:
            return None
        filters = []
        for conjunct in facts.conjuncts:
            try:
                own = {key: value for key, value in conjunct.items() if key not in _AROUND}
                filters.append(_validator(self._narrow.inlined(own)))
            except LookupError:  # then it may admit more, which errs to the safe side
                continue
        assert facts.candidates is not None  # the caller has looked
        possible = [value for value in facts.candidates if all(admits(value) for admits in filters)]
        lost = ", ".join(shown(value) for value in possible if not accepts(value))
        return [narrowed(path, f"no longer accepts {lost}", f"may be {lost} now")] if lost else []

    def _conjunct_gaps(self, facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
        if self._is_stated(facts, wide):
            return
        yield from plain_gaps(facts, wide, path)
        if "object" in facts.kinds:
            yield from self._property_gaps(facts, wide, path)
        if "array" in facts.kinds:
            yield from self._item_gaps(facts, wide, path)
        yield from self._choice_gaps(facts, wide, path)
        yield from self._opaque_gaps(facts, wide, path)

    def _is_stated(self, facts: Facts, wide: Conjunct) -> bool:
        """Tell whether one of the conjuncts says the very same; references mean the same only in equal documents."""
        text = canonical(wide)
        if _depends_on_document(text):
            return False
        return any(canonical(own) == text for own in facts.conjuncts)

    # --- objects ---

    def _property_gaps(self, facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
        for name, schema in wide.get("properties", {}).items():
            known = facts.at_property(name)
            found = self.gaps(known, schema, f"{path}/{step_to(name)}")
            is_open = not known and schema is not False and name not in facts.required()
            yield from (replace(gap, is_open=True) if is_open else gap for gap in found)
        for pattern, schema in wide.get("patternProperties", {}).items():
            yield from self._pattern_gaps(facts, pattern, schema, path)
        if "additionalProperties" in wide:
            yield from self._other_gaps(facts, wide, path)

    def _pattern_gaps(self, facts: Facts, pattern: str, schema: Any, path: str) -> Iterator[Gap]:
        same = [own[pattern] for own in facts.values("patternProperties") if pattern in own]
        if same and not self.gaps(same, schema, f"{path}/*"):
            return
        others = facts.at_others(frozenset())
        closed = any(schema is False for schema in others)
        named = (self.gaps(facts.at_property(n), schema, f"{path}/{step_to(n)}") for n in facts.named())
        if others and (closed or not self.gaps(others, schema, f"{path}/*")) and not any(named):
            return
        yield unknown(path, f"has other rules for properties that match {pattern!r}")

    def _other_gaps(self, facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
        schema = wide["additionalProperties"]
        for name in facts.named():
            if name not in wide.get("properties", ()):
                place = f"{path}/{step_to(name)}"
                if schema is False and self.gaps(facts.at_property(name), False, place):
                    yield narrowed(place, "is no longer accepted", "may be there now")
                elif schema is not False:
                    yield from self.gaps(facts.at_property(name), schema, place)
        others = facts.at_others(frozenset(wide.get("patternProperties", ())))
        if facts.most("maxProperties") <= 0:
            return
        if schema is False and self.gaps(others, False, f"{path}/*"):
            yield narrowed(path, "no longer accepts further properties", "may have further properties now")
        elif schema is not False:
            yield from self.gaps(others, schema, f"{path}/*")

    # --- arrays ---

    def _item_gaps(self, facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
        prefix, most = wide.get("prefixItems", ()), facts.most("maxItems")
        for index, schema in enumerate(prefix):
            if index < most:
                yield from self.gaps(facts.at_index(index), schema, f"{path}/{index}")
        if "items" not in wide:
            return
        last = max(len(prefix), facts.longest_prefix())
        for index in range(len(prefix), last):
            if index < most:
                yield from self.gaps(facts.at_index(index), wide["items"], f"{path}/{index}")
        if last < most:  # from here on all items are alike
            yield from self.gaps(facts.at_index(last), wide["items"], f"{path}/*")

    # --- one of several, and what is not understood ---

    def _choice_gaps(self, facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
        for keyword in ("anyOf", "oneOf"):
            if keyword in wide and not self._fits_choice(facts, wide[keyword], keyword == "oneOf", path):
                text = "fits none of the alternatives" if keyword == "anyOf" else "may fit none or several alternatives"
                yield Gap(
                    path=path,
                    rule="narrowed" if keyword == "anyOf" else "unknown",
                    taken=f"no longer accepts all that it did: some {text}",
                    given=f"may be something else now: some {text}",
                )

    def _fits_choice(self, facts: Facts, options: Sequence[Any], is_single: bool, path: str) -> bool:
        own = list(facts.conjuncts)
        if self._fits_one(own, facts, options, is_single, path):
            return True
        names = [kind for kind in _NOT_NUMBERS if kind in facts.kinds]
        if facts.kinds & {"integer", "fraction"}:
            names.append("number" if "fraction" in facts.kinds else "integer")
        kinds = [{"type": name} for name in names]
        if len(kinds) < 2:
            return False
        parts = [[kind, *own] for kind in kinds]
        return all(self._fits_one(part, Facts(part), options, is_single, path) for part in parts)

    def _fits_one(
        self, narrow: Sequence[Any], facts: Facts, options: Sequence[Any], is_single: bool, path: str
    ) -> bool:
        for option in options:
            others = [other for other in options if other is not option]
            if is_single and not all(self._is_apart(facts, other) for other in others):
                continue
            if not self.gaps(narrow, option, path):
                return True
        return False

    def _is_apart(self, facts: Facts, other: Any) -> bool:
        """Tell whether no value can be of both, as their kinds or a property that tells them apart show."""
        others = Facts(self._wide.conjuncts(other))
        if not facts.kinds & others.kinds:
            return True
        return facts.kinds == {"object"} and any(self._is_apart_at(name, facts, others) for name in facts.required())

    def _is_apart_at(self, name: str, facts: Facts, others: Facts) -> bool:
        own = _candidates_at(self._narrow, facts, name)
        theirs = _candidates_at(self._wide, others, name)
        return own is not None and theirs is not None and not own & theirs

    def _opaque_gaps(self, facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
        for keyword, kind in _OPAQUE.items():
            concerns = keyword in wide and (kind is None or kind in facts.kinds)
            if concerns and not self._is_same(facts, wide, keyword):
                yield unknown(path, f"has another {keyword!r}")
        for keyword in _AROUND:
            if keyword in wide:
                yield unknown(path, f"has another {keyword!r}, or other rules beside it")

    def _is_same(self, facts: Facts, wide: Conjunct, keyword: str) -> bool:
        names = _TOGETHER.get(keyword, (keyword,))
        text = canonical([wide.get(name) for name in names])
        if _depends_on_document(text) or keyword == "$ref":
            return False
        return any(canonical([own.get(name) for name in names]) == text for own in facts.conjuncts)


def _candidates_at(document: Document, facts: Facts, name: str) -> set[str] | None:
    conjuncts = [conjunct for schema in facts.at_property(name) for conjunct in document.conjuncts(schema)]
    found = Facts(conjuncts).candidates if conjuncts else None
    return None if found is None else {canonical(value) for value in found}


def _depends_on_document(text: str) -> bool:
    """Tell whether a schema's meaning may depend on what stands elsewhere; it may also be a mere name that looks so."""
    return any(word in text for word in ('"$ref"', '"$dynamicRef"', '"$recursiveRef"', '"unevaluated'))


def _branches(conjuncts: Sequence[Conjunct]) -> list[list[Any]]:
    """Return lists of schemas one of which holds, by the first ``anyOf`` or ``oneOf``; none if there is none."""
    for index, conjunct in enumerate(conjuncts):
        for keyword in ("anyOf", "oneOf"):
            if keyword in conjunct:
                rest = {key: value for key, value in conjunct.items() if key != keyword}
                others = [*conjuncts[:index], rest, *conjuncts[index + 1 :]]
                return [[*others, option] for option in conjunct[keyword]]
    return []


def _validator(schema: Any) -> Callable[[Any], bool]:
    try:
        return jsonschema_rs.Draft202012Validator(schema, offline=True).is_valid
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
        raise LookupError(str(error)) from error
