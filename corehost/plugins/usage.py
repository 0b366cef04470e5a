"""Remember which plugins were seen to use what another one offers."""

from __future__ import annotations

from typing import Literal

Way = Literal["callers", "readers", "writers"]


class Usage:
    """Who used one plugin, by load: what was used of an older load does not count.

    It holds no more than there are methods, stores and plugins. May be called from any thread.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[Way, str, str], int] = {}

    def note(self, way: Way, name: str, by: str, generation: int) -> None:
        """Note that plugin *by* used *name* of the load *generation*."""
        self._seen[way, name, by] = generation

    def of(self, way: str, name: str, generation: int) -> frozenset[str]:
        """Return the plugins that used *name* of this load."""
        return frozenset(k[2] for k, seen in list(self._seen.items()) if k[:2] == (way, name) and seen == generation)
