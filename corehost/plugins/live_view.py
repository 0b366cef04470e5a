"""Show a mapping as it is at each look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class LiveView(Mapping[str, Any]):
    """A mapping that is asked for anew at each look."""

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self._read = read

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"<settings {', '.join(self._read())}>"  # values may be secret
