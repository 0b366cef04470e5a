"""Compare the keywords of two JSON Schemas that need no look inside of the values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from corehost.contract.compatibility_facts import Conjunct, Facts, canonical, kinds_of

_NAMES = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "fraction": "a number that is not whole",
    "string": "a string",
    "array": "an array",
    "object": "an object",
}
Rule = Literal["required", "narrowed", "unknown"]

_SIZES = (
    ("string", "minLength", "maxLength", "characters"),
    ("array", "minItems", "maxItems", "items"),
    ("object", "minProperties", "maxProperties", "properties"),
)
_BOUNDS = (
    ("minimum", "exclusiveMinimum", 1, "at least", "more than"),
    ("maximum", "exclusiveMaximum", -1, "at most", "less than"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Values that one schema admits and the other does not.

    ``path`` is a JSON Pointer to where they differ, with ``*`` for any item or property. ``taken`` says it of values
    that somebody gives (the other schema is the newer), ``given`` of values that somebody gets (it is the older).
    ``is_open``: only because the first says nothing at all of a property that it lets pass.
    """

    path: str
    rule: Rule
    taken: str
    given: str
    is_open: bool = False


def plain_gaps(facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
    """Compare what needs no look inside of the values."""
    if "type" in wide and (lost := facts.kinds - kinds_of(wide["type"])):
        kinds, left = _named_kinds(lost), _named_kinds(kinds_of(wide["type"]))
        if len(lost) > 3:  # then what is left is told sooner
            yield narrowed(path, f"must be {left} now", f"need not be {left} any more")
        else:
            yield narrowed(path, f"no longer accepts {kinds}", f"may be {kinds} now")
    for listed in [wide[k] if k == "enum" else [wide[k]] for k in ("enum", "const") if k in wide]:
        # If there were but a few values, they would have been tried one by one.
        names = ", ".join(map(shown, listed)) or "nothing"
        yield narrowed(path, f"accepts only {names} now", f"is no longer only {names}")
    if facts.kinds & {"integer", "fraction"}:
        yield from _number_gaps(facts, wide, path)
    for kind, least, most, unit in _SIZES:
        if kind in facts.kinds:
            yield from _size_gaps(facts, wide, least, most, unit, path)
    is_list = "array" in facts.kinds and facts.most("maxItems") > 1
    if is_list and wide.get("uniqueItems") is True and not facts.states("uniqueItems", True):
        yield narrowed(path, "no longer accepts an item twice", "may have an item twice now")
    for name in wide.get("required", ()) if "object" in facts.kinds else ():
        if name not in facts.required():
            yield Gap(
                path=f"{path}/{step_to(name)}", rule="required", taken="is required now", given="may be missing now"
            )


def _number_gaps(facts: Facts, wide: Conjunct, path: str) -> Iterator[Gap]:
    for plain, exclusive, sign, at, beyond in _BOUNDS:
        own = facts.bound(plain, exclusive, sign)
        for keyword, word in ((plain, at), (exclusive, beyond)):
            if keyword in wide:
                wanted = (sign * wide[keyword], keyword == exclusive)
                if own is None or own < wanted:
                    limit = f"{word} {wide[keyword]}"
                    yield narrowed(path, f"must be {limit} now", f"need not be {limit} any more")
    if "multipleOf" in wide and not _divides(wide["multipleOf"], facts):
        of = wide["multipleOf"]
        yield narrowed(path, f"must be a multiple of {of} now", f"need not be a multiple of {of} any more")


def _divides(wanted: Any, facts: Facts) -> bool:
    if facts.states("multipleOf", wanted) or (wanted == 1 and "fraction" not in facts.kinds):
        return True
    # Fractions are left out: how they divide is a matter of rounding.
    return any(
        isinstance(own, int) and isinstance(wanted, int) and own % wanted == 0 for own in facts.values("multipleOf")
    )


def _size_gaps(facts: Facts, wide: Conjunct, least: str, most: str, unit: str, path: str) -> Iterator[Gap]:
    if least in wide and facts.least(least) < wide[least]:
        limit = f"at least {_counted(wide[least], unit)}"
        yield narrowed(path, f"must have {limit} now", f"need not have {limit} any more")
    if most in wide and facts.most(most) > wide[most]:
        limit = _counted(wide[most], unit)
        yield narrowed(path, f"must have at most {limit} now", f"may have more than {limit} now")


def _counted(count: float, unit: str) -> str:
    one = unit.removesuffix("s") if not unit.endswith("ies") else unit.removesuffix("ies") + "y"
    return f"{count} {one if count == 1 else unit}"


def narrowed(path: str, taken: str, given: str) -> Gap:
    """Return the gap that *path* has rules which the first schema does not have."""
    return Gap(path=path, rule="narrowed", taken=taken, given=given)


def unknown(path: str, what: str) -> Gap:
    """Return the gap that nobody can tell."""
    text = f"{what}, which cannot be compared and is taken for a break"
    return Gap(path=path, rule="unknown", taken=text, given=text)


def _named_kinds(kinds: frozenset[str]) -> str:
    named = [name for kind, name in _NAMES.items() if kind in kinds]
    if {"integer", "fraction"} <= kinds:
        named = ["a number" if name == _NAMES["integer"] else name for name in named if name != _NAMES["fraction"]]
    return " or ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def shown(value: Any) -> str:
    """Return a JSON value as it is shown to a person."""
    text = canonical(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def step_to(name: str) -> str:
    """Return the step of a JSON Pointer (RFC 6901) that leads to a property."""
    return name.replace("~", "~0").replace("/", "~1")
