from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corehost.contract.errors import InvalidError
from corehost.messaging.patterns import Pattern, matches
from corehost.messaging.wildcards import Wildcards

# Few letters, so that patterns match often and their pieces overlap.
types = st.text("ab:.", min_size=1, max_size=12)
patterns = st.text("ab:.*", min_size=1, max_size=8)


def reference(pattern: str, message_type: str) -> bool:
    """The specification's own way: a regular expression in which ``*`` is ``.*``."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), message_type, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("pattern", "message_type", "expected"),
    [
        ("*", "anything:at:all", True),
        ("clock:tick", "clock:tick", True),
        ("clock:tick", "clock:ticks", False),
        ("clock:*", "clock:tick", True),
        ("clock:*", "clock:", True),
        ("clock:*", "clock", False),
        ("*.event", "user.event", True),
        ("*.event", "userXevent", False),
        ("a*a", "a", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
    ],
)
def test_a_star_stands_for_any_run_of_characters(pattern: str, message_type: str, expected: bool) -> None:
    assert matches(pattern, message_type) is expected


@given(pattern=patterns, message_type=types)
@example(pattern="a*ab*b", message_type="aab")
@example(pattern="**", message_type="a")
def test_matching_agrees_with_the_regular_expression(pattern: str, message_type: str) -> None:
    assert Pattern(pattern).matches(message_type) is reference(pattern, message_type)


def test_a_pattern_that_makes_backtracking_explode_is_answered() -> None:
    assert not matches("*a" * 50 + "*b", "a" * 200)
    assert matches("*a" * 50 + "*", "a" * 200)


@pytest.mark.parametrize("text", ["", "with space", "line\nbreak", "x" * 201])
def test_what_can_be_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="is no pattern"):
        matches(text, "clock:tick")


@given(texts=st.sets(patterns.filter(lambda text: "*" in text), max_size=30), message_type=types)
@example(texts={"a*", "*a", "a*a", "*", "**", "*b*"}, message_type="a")
@example(texts={"*" + "a" * 33 + "b*", "*" + "a" * 34 + "*"}, message_type="a" * 33 + "b")
def test_the_index_finds_the_same_patterns_as_trying_them_all(texts: set[str], message_type: str) -> None:
    index = Wildcards()
    for text in texts:
        index.add(Pattern(text))

    assert sorted(index.find(message_type)) == sorted(text for text in texts if reference(text, message_type))


@given(texts=st.lists(patterns.filter(lambda text: "*" in text), unique=True), message_type=types, data=st.data())
def test_the_index_forgets_what_is_removed(texts: list[str], message_type: str, data: st.DataObject) -> None:
    gone = set(data.draw(st.lists(st.sampled_from(texts)))) if texts else set()
    index = Wildcards()
    for text in texts:
        index.add(Pattern(text))
    for text in gone:
        index.remove(Pattern(text))

    left = [text for text in texts if text not in gone]
    assert len(index) == len(left)
    assert sorted(index.find(message_type)) == sorted(text for text in left if reference(text, message_type))
