"""Find the wildcard patterns that match a message type, without trying them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from corehost.messaging.patterns import Pattern

GRAM = 32
"""Longest piece of an inner text by which patterns are found."""

V = TypeVar("V")


class _ByText(Generic[V]):
    """Values by a text, sorted by the text's length, so that a type is asked for its pieces of those lengths only."""

    def __init__(self) -> None:
        self.sizes: dict[int, dict[str, V]] = {}

    def place(self, text: str, make: Callable[[], V]) -> V:
        """Return the value of *text*, a new one if there was none."""
        values = self.sizes.setdefault(len(text), {})
        if text not in values:
            values[text] = make()
        return values[text]

    def drop(self, text: str) -> None:
        """Forget the value of *text*."""
        values = self.sizes[len(text)]
        del values[text]
        if not values:
            del self.sizes[len(text)]

    def inside(self, message_type: str) -> Iterator[V]:
        """Return the values of the texts that *message_type* contains."""
        for size, values in self.sizes.items():
            pieces = {message_type[place : place + size] for place in range(len(message_type) - size + 1)}
            for piece in pieces & values.keys():
                yield values[piece]


class _Ends:
    """The patterns with one beginning: those that say no more, as most do, and the others by their ends."""

    def __init__(self) -> None:
        self.open: dict[str, Pattern] = {}
        self.by_tail: _ByText[_Leaf] = _ByText()


class _Leaf:
    """The patterns with one beginning and one end: those with nothing between, and the others by a text."""

    def __init__(self) -> None:
        self.open: dict[str, Pattern] = {}
        self.by_gram: _ByText[dict[str, Pattern]] = _ByText()


class Wildcards:
    """Patterns with a ``*``, found by how they begin, then how they end, then by the longest text between.

    Only pieces of lengths that some pattern has are looked up, each with one hash: the cost of a type grows with the
    number of such lengths, not with the number of patterns.
    """

    def __init__(self) -> None:
        self._by_head: _ByText[_Ends] = _ByText()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, pattern: Pattern) -> None:
        """Take up *pattern*, which must not be here yet."""
        ends = self._by_head.place(pattern.head, _Ends)
        if _is_open(pattern):
            ends.open[pattern.text] = pattern
        else:
            _home(ends.by_tail.place(pattern.tail, _Leaf), pattern)[pattern.text] = pattern
        self._count += 1

    def remove(self, pattern: Pattern) -> None:
        """Forget *pattern*, and whatever was only there for its sake."""
        ends = self._by_head.place(pattern.head, _Ends)
        if _is_open(pattern):
            del ends.open[pattern.text]
        else:
            _remove_ended(ends.by_tail, pattern)
        self._count -= 1
        if not ends.open and not ends.by_tail.sizes:
            self._by_head.drop(pattern.head)

    def find(self, message_type: str) -> list[str]:
        """Return the texts of the patterns that match *message_type*, in no order."""
        found: list[str] = []
        for head_size, heads in self._by_head.sizes.items():
            ends = heads.get(message_type[:head_size])
            if ends is not None:
                found += ends.open
                if ends.by_tail.sizes:
                    found += _ended(ends.by_tail, message_type, head_size)
        return found


def _is_open(pattern: Pattern) -> bool:
    return not pattern.tail and not pattern.inner


def _home(leaf: _Leaf, pattern: Pattern) -> dict[str, Pattern]:
    return leaf.by_gram.place(_gram(pattern), dict) if pattern.inner else leaf.open


def _remove_ended(by_tail: _ByText[_Leaf], pattern: Pattern) -> None:
    leaf = by_tail.place(pattern.tail, _Leaf)
    home = _home(leaf, pattern)
    del home[pattern.text]
    if not home and pattern.inner:
        leaf.by_gram.drop(_gram(pattern))
    if not leaf.open and not leaf.by_gram.sizes:
        by_tail.drop(pattern.tail)


def _ended(by_tail: _ByText[_Leaf], message_type: str, head_size: int) -> Iterator[str]:
    """Return the texts of those that match *message_type*, of which the first *head_size* characters do."""
    length = len(message_type)
    for tail_size, tails in by_tail.sizes.items():
        leaf = tails.get(message_type[length - tail_size :]) if head_size + tail_size <= length else None
        if leaf is not None:
            yield from leaf.open
            yield from _matching(leaf.by_gram.inside(message_type), message_type)


def _gram(pattern: Pattern) -> str:
    return max(pattern.inner, key=len)[:GRAM]


def _matching(homes: Iterable[dict[str, Pattern]], message_type: str) -> Iterator[str]:
    for home in homes:
        yield from (text for text, pattern in home.items() if pattern.matches(message_type))
