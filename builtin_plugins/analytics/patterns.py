"""Decide whether a message type matches a pattern as the bus has them."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Tell whether *pattern*, in which ``*`` stands for any run of characters, covers the whole *text*."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)
