"""Write a plugin's lines into the host's log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import structlog

MASK = "***"


class PluginLogger:
    """Logs under the plugin's id; the plugin's secrets are masked in whatever it logs.

    ``message`` may hold ``%`` places for the arguments; arguments without a place become the field ``args``.
    """

    def __init__(self, plugin_id: str, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self._log = structlog.get_logger("corehost.plugin").bind(plugin=plugin_id)
        self._secrets = secrets

    def debug(self, message: str, *args: Any, **values: Any) -> None:
        """Log what only an author needs."""
        self._write(self._log.debug, message, args, values)

    def info(self, message: str, *args: Any, **values: Any) -> None:
        """Log what went as it should."""
        self._write(self._log.info, message, args, values)

    def warning(self, message: str, *args: Any, **values: Any) -> None:
        """Log what may need attention."""
        self._write(self._log.warning, message, args, values)

    def error(self, message: str, *args: Any, **values: Any) -> None:
        """Log what failed."""
        self._write(self._log.error, message, args, values)

    def exception(self, message: str, *args: Any, **values: Any) -> None:
        """Log what failed, with the exception being handled."""
        self._write(self._log.exception, message, args, values)

    def _write(self, write: Callable[..., Any], message: str, args: tuple[Any, ...], values: dict[str, Any]) -> None:
        text = str(message)
        if args:
            try:
                text = text % args
            except (TypeError, ValueError):  # a line with the wrong number of places is still worth having
                values = {**values, "args": args}
        secrets = list(self._secrets())
        reserved = {"plugin", "event"} & set(values)
        named = {(f"{name}_" if name in reserved else name): value for name, value in values.items()}
        write(masked(text, secrets), **{name: masked(value, secrets) for name, value in named.items()})


def masked(value: Any, secrets: list[str]) -> Any:
    """Return *value* with every secret in it, however deep, replaced."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, dict):
        return {key: masked(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, secrets) for item in value]
    return masked(repr(value), secrets) if any(secret in repr(value) for secret in secrets) else value
