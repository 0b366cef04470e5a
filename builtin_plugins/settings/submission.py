"""Read a submitted form back into settings, and name what cannot be read at its field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from builtin_plugins.settings.fields import NONE, Field, all_fields
from corehost import SECRET_MASK, Fault

FORGET = "forget."
"""Begins the name of the box by which a secret is forgotten."""


Form = Mapping[str, Sequence[str]]
"""A submitted form: the values of each control that sent one."""


class UnreadableError(Exception):
    """The text of a control is not of its type; the text says what was expected."""


def read(fields: tuple[Field, ...], form: Form) -> tuple[dict[str, Any], list[Fault]]:
    """Return the settings that *form* holds, and a fault for each control that cannot be read.

    A control left empty leaves its setting out, which gives it its default.
    """
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for one in all_fields(fields):
        try:
            is_given, value = _READERS[one.kind](one, form)
        except UnreadableError as error:
            faults.append(Fault(path=_pointer(one.path), message=str(error)))
            continue
        if is_given:
            _put(values, one.path, value)
        elif one.required and one.schema.get("default") is None:
            faults.append(Fault(path=_pointer(one.path), message="This is required."))
    return values, faults


def errors_by_field(fields: tuple[Field, ...], faults: Iterable[Fault]) -> tuple[dict[str, str], list[str]]:
    """Return the text for each field's name, and the texts of faults that lie at no field."""
    at_fields: dict[str, str] = {}
    rest: list[str] = []
    known = {one.path: one for one in all_fields(fields)}
    for fault in faults:
        steps = tuple(fault.path.split("/")[1:])
        one = next((known[steps[:n]] for n in range(len(steps), 0, -1) if steps[:n] in known), None)
        if one is None:
            rest.append(f"{'.'.join(steps)}: {fault.message}" if steps else fault.message)
        else:
            text = _placed(fault.message, steps[len(one.path) :])
            at_fields[one.name] = f"{at_fields[one.name]} {text}" if one.name in at_fields else text
    return at_fields, rest


def _placed(message: str, deeper: Sequence[str]) -> str:
    if not deeper:
        return message
    where = f"Line {int(deeper[0]) + 1}" if deeper[0].isdigit() else ".".join(deeper)
    return f"{where}: {message}"


def _only(one: Field, form: Form) -> str:
    return next(iter(form.get(one.name, ())), NONE)


def _text(one: Field, form: Form) -> tuple[bool, Any]:
    text = _only(one, form)
    return text != NONE, text


def _secret(one: Field, form: Form) -> tuple[bool, Any]:
    if FORGET + one.name in form:
        return True, None
    text = _only(one, form)
    return True, text or SECRET_MASK


def _number(one: Field, form: Form) -> tuple[bool, Any]:
    text = _only(one, form).strip()
    return text != NONE, _as_number(text) if text else None


def _switch(one: Field, form: Form) -> tuple[bool, Any]:
    return True, _only(one, form) == "true"


def _choice(one: Field, form: Form) -> tuple[bool, Any]:
    text = _only(one, form)
    return text != NONE, _as_json(text) if text else None


def _checks(one: Field, form: Form) -> tuple[bool, Any]:
    return True, [_as_json(text) for text in form.get(one.name, ())]


def _lines(one: Field, form: Form) -> tuple[bool, Any]:
    lines = [line.strip() for line in _only(one, form).splitlines() if line.strip()]
    is_number = (one.schema.get("items") or {}).get("type") in ("number", "integer")
    return True, [_as_number(line) for line in lines] if is_number else lines


def _json(one: Field, form: Form) -> tuple[bool, Any]:
    text = _only(one, form).strip()
    return text != NONE, _as_json(text) if text else None


_READERS: Mapping[str, Callable[[Field, Form], tuple[bool, Any]]] = {
    "text": _text,
    "password": _secret,
    "number": _number,
    "switch": _switch,
    "select": _choice,
    "checks": _checks,
    "lines": _lines,
    "json": _json,
}


def _as_number(text: str) -> int | float:
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise UnreadableError(f"{text!r} is no number.") from None


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"This is no JSON: {error}.") from None


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *groups, last = path
    for step in groups:
        values = values.setdefault(step, {})
    values[last] = value


def _pointer(path: tuple[str, ...]) -> str:
    return "".join(f"/{step}" for step in path)
