"""Decide whether a message type matches a subscription pattern."""

from __future__ import annotations

from functools import lru_cache

from corehost.contract.errors import InvalidError
from corehost.contract.message import MAX_TYPE, PATTERN_TEXT

ANY = "*"
"""Stands in a pattern for any run of characters, the empty one too."""


class Pattern:
    """A pattern taken apart: the text before its first ``*``, the texts between, and the text after its last.

    Matching looks for each text once, from left to right and at the first place where it fits, so it takes time
    linear in the type's length; nothing is ever tried again. (The leftmost place is always good enough, as what
    lies between is free.)
    """

    __slots__ = ("head", "inner", "is_exact", "shortest", "tail", "text")

    def __init__(self, text: str) -> None:
        head, *rest = text.split(ANY)
        self.text = text
        self.is_exact = not rest
        self.head = head
        self.tail = rest.pop() if rest else ""
        self.inner = tuple(part for part in rest if part)
        self.shortest = len(head) + len(self.tail)

    def matches(self, message_type: str) -> bool:
        """Tell whether *message_type* matches."""
        if self.is_exact:
            return message_type == self.head
        if len(message_type) < self.shortest or not message_type.startswith(self.head):
            return False
        if not message_type.endswith(self.tail):
            return False
        place, end = len(self.head), len(message_type) - len(self.tail)
        for part in self.inner:
            place = message_type.find(part, place, end)
            if place < 0:
                return False
            place += len(part)
        return True


@lru_cache(maxsize=1_024)
def pattern(text: str) -> Pattern:
    """Return *text* taken apart; raises ``InvalidError`` for what can be no pattern."""
    check_text(text, "pattern")
    return Pattern(text)


def matches(pattern_text: str, message_type: str) -> bool:
    """Tell whether *message_type* matches *pattern_text*, in which ``*`` stands for any run of characters."""
    return pattern(pattern_text).matches(message_type)


def check_text(text: object, what: str) -> None:
    """Raise ``InvalidError`` if *text* can be neither a message type nor a pattern of one."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TYPE or text.split() != [text]:
        raise InvalidError(f"{text!r} is no {what}. {PATTERN_TEXT}")
