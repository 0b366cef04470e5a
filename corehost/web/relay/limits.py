"""How much the relay takes from, and keeps for, one browser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLimits:
    """Sizes are in bytes, times in seconds, rates in messages a second; ``None`` means no limit.

    ``sockets`` is how many the relay holds, by default what the process may open less a reserve for requests;
    ``out_buffer`` what waits for one client before it is closed with 1013, ``send_buffer`` what the kernel keeps
    for it besides; ``message_size`` and ``json_depth`` bound what a client sends; ``session_rate`` is shared by
    the connections of one browser session; ``in_flight`` bounds the calls of one connection that are unanswered.
    """

    sockets: int | None = None
    out_buffer: int = 1_048_576
    send_buffer: int = 65_536
    message_size: int = 65_536
    json_depth: int = 64
    session_rate: float | None = 50.0
    token_rate: float | None = None
    in_flight: int = 16
    sends: int = 256
    subscriptions: int = 256
    watches: int = 256
    heartbeat: float = 20.0
    misses: int = 2
    close_wait: float = 1.0
    slow_wait: float = 5.0
    patience: float = 0.1
    batch: int = 256
    block: int = 65_536
    page: int = 256
    recent: int = 4_096
    workers: int = 8
