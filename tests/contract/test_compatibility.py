"""Two versions of a plugin are compared: who would notice what, and whether the version number announces it."""

from __future__ import annotations

from typing import Any

import pytest

from corehost.contract.compatibility import Change, bump_due, compare, is_announced

TEXT = {"type": "string"}
MAYBE = {"type": ["string", "null"]}


def method(**parts: Any) -> dict[str, Any]:
    return {"methods": {"now": parts}}


def message(payload: Any, *, handled: bool = False, response: Any = None) -> dict[str, Any]:
    schema = {"type": "clock:tick", "payload": payload, "response": response}
    return {"messages": {"schemas": {"tick": schema}, "handlers": ["clock:tick"] if handled else []}}


def store(schema: Any, *, writable: bool) -> dict[str, Any]:
    return {"stores": {"writable" if writable else "readable": ["zone"], "schemas": {"zone": schema}}}


def told(changes: tuple[Change, ...]) -> list[tuple[str, str, str]]:
    return [(change.kind, change.whom, change.rule) for change in changes]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (method(), {}, [("breaking", "callers", "removed")]),
        ({}, method(), [("added", "callers", "added")]),
        (method(inputSchema=MAYBE), method(inputSchema=TEXT), [("breaking", "callers", "narrowed")]),
        (method(inputSchema=TEXT), method(inputSchema=MAYBE), []),
        (method(outputSchema=MAYBE), method(outputSchema=TEXT), []),
        (method(outputSchema=TEXT), method(outputSchema=MAYBE), [("breaking", "callers", "narrowed")]),
        (method(), method(permissions=["clock:set"]), [("breaking", "callers", "permission")]),
        (message(TEXT), {}, [("breaking", "subscribers", "removed")]),
        (message(TEXT), message(MAYBE), [("breaking", "subscribers", "narrowed")]),
        (message(MAYBE), message(TEXT), []),
        (message(MAYBE, handled=True), message(TEXT, handled=True), [("breaking", "senders", "narrowed")]),
        (message(TEXT, handled=True), message(MAYBE, handled=True), [("possible", "subscribers", "narrowed")]),
        (message(TEXT, handled=True, response=TEXT), message(TEXT, handled=True, response=MAYBE),
         [("breaking", "senders", "narrowed")]),
        (message(TEXT, handled=True), message(TEXT), [("breaking", "senders", "removed")]),
        (store(TEXT, writable=False), {}, [("breaking", "readers", "removed")]),
        (store(TEXT, writable=False), store(MAYBE, writable=False), [("breaking", "readers", "narrowed")]),
        (store(MAYBE, writable=False), store(TEXT, writable=False), []),
        (store(MAYBE, writable=True), store(TEXT, writable=True), [("breaking", "writers", "narrowed")]),
        (store(TEXT, writable=True), store(TEXT, writable=False), [("breaking", "writers", "removed")]),
        (method(inputSchema={"type": "object"}),
         method(inputSchema={"type": "object", "properties": {"zone": TEXT}}), [("possible", "callers", "narrowed")]),
        (method(inputSchema={"type": "object"}),
         method(inputSchema={"type": "object", "required": ["zone"]}), [("breaking", "callers", "required")]),
        (method(outputSchema={"type": "object", "required": ["zone"]}), method(outputSchema={"type": "object"}),
         [("breaking", "callers", "required")]),
    ],
)  # fmt: skip
def test_each_side_is_told_what_it_would_notice(old: Any, new: Any, expected: Any) -> None:
    assert told(compare(old, new)) == expected


def test_a_change_says_what_and_where_in_words() -> None:
    new = method(inputSchema={"type": "object", "required": ["zone"]})

    [change] = compare(method(inputSchema={"type": "object"}), new)

    assert change.text == "method 'now': the input at /zone is required now"
    assert change.path == "/zone"


@pytest.mark.parametrize(
    ("before", "after", "announced"),
    [("1.2.3", "2.0.0", True), ("1.2.3", "1.3.0", False), ("0.2.0", "0.3.0", True), ("0.2.0", "0.2.1", False),
     ("1.0.0", "1.0.0", False)],
)  # fmt: skip
def test_a_break_is_announced_by_a_new_major_version(before: str, after: str, announced: bool) -> None:
    changes = compare(method(), {})

    assert bump_due(changes) == "major"
    assert is_announced(before, after, changes) is announced


def test_what_is_new_is_announced_by_a_minor_version_and_nothing_by_any() -> None:
    assert is_announced("1.0.0", "1.1.0", compare({}, method()))
    assert not is_announced("1.0.0", "1.0.1", compare({}, method()))
    assert is_announced("1.0.0", "1.0.0", ())
