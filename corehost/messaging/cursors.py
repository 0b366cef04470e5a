"""Places in the stream of all messages, as others may keep them."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from corehost.contract.errors import MalformedError

_CURSOR = re.compile(r"([A-Za-z0-9_-]{1,40})\.([0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Messages that are no more to be had: those after cursor ``start`` up to and including cursor ``end``."""

    start: str
    end: str


class Cursors:
    """Makes and reads cursors. One holds the epoch, which names this run of the host, and a message's ``seq``."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(6)

    def of(self, seq: int) -> str:
        """Return the cursor right after message *seq*; its text is fit for a URL."""
        return f"{self.epoch}.{seq}"

    def seq_of(self, cursor: object) -> int | None:
        """Return the ``seq`` of a cursor, ``None`` if it comes from another run of the host.

        Raises ``MalformedError`` for a text that is no cursor.
        """
        found = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
        if found is None:
            raise MalformedError(f"{cursor!r} is no cursor. Use one that the host gave you, or none.")
        return int(found[2]) if found[1] == self.epoch else None
