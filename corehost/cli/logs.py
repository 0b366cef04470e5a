"""Write the host's log: JSON lines for programs, columns for a person at a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from corehost.messaging.trail import current_trail


def configure_logs(level: str, stream: TextIO = sys.stderr) -> None:
    """Send all log lines of *level* and above to *stream*, each with time, level and, in a handler, the message."""
    renderer = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_message,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def _add_message(_logger: Any, _method: str, values: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the message whose handling writes the line, so that a log can be followed along its causes."""
    if (cause := current_trail().cause) is not None:
        values.setdefault("message", cause)
    return values
