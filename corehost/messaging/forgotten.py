"""How far the history has been forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping

TYPES = 10_000
"""Types that are told apart."""


class Forgotten:
    """Knows by type how far messages were forgotten, so that nobody is told of a gap in what they do not follow."""

    def __init__(self) -> None:
        self._by_type: dict[str, int] = {}
        self._all = 0

    def several(self, seqs: Mapping[str, int]) -> None:
        """Take note that messages are gone: *seqs* is by type the highest ``seq`` of them."""
        for message_type, seq in seqs.items():
            if seq > self._by_type.get(message_type, 0):
                self._by_type[message_type] = seq
        if len(self._by_type) > TYPES:
            self.everything(max(self._by_type.values()))

    def everything(self, seq: int) -> None:
        """Take note that everything up to *seq* is gone, as far as anybody needs to know."""
        self._by_type.clear()
        self._all = max(self._all, seq)

    def upto(self, matches: Callable[[str], bool] | None) -> int:
        """Return the highest ``seq`` that was forgotten of the types that *matches*; ``0`` if none was."""
        seqs = (seq for message_type, seq in self._by_type.items() if matches is None or matches(message_type))
        return max(self._all, max(seqs, default=0))
