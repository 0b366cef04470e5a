"""Keep the account of what each plugin did wrong, what it was refused and how long it took."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from corehost.contract.errors import CorehostError
from corehost.contract.message import Message
from corehost.plugins.deadlines import described
from corehost.plugins.logger import masked
from corehost.plugins.places import place_of

Undo = Callable[[], None]
VersionOf = Callable[[str], str]


@dataclass(slots=True, kw_only=True)
class _Account:
    errors: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    last: dict[str, Any] | None = None


class Faults:
    """The accounts of all plugins, by plugin and version.

    It is made before bus and plugins, because both report to it; ``on_quarantine`` and ``version_of`` join it to
    the life cycle. Its methods are called from any thread and never raise.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._lock = threading.Lock()
        self._accounts: defaultdict[tuple[str, str], _Account] = defaultdict(_Account)
        self._version_of: VersionOf = lambda _: ""
        self._quarantine: Callable[[str, str], Any] | None = None
        self._secrets_of: Callable[[str], list[str]] = lambda _: []

    def charge(self, owner: str, error: BaseException, *, where: str, message: Message | None = None) -> None:
        """Charge *owner* for *error*, which its code raised in *where* (``handler``, ``method``, ``hook``, …)."""
        last = {
            "where": where,
            "error": masked(_text(error), self._secrets_of(owner)),
            "message": None if message is None else message.id,
            "at": time.time(),
        }
        with self._lock:
            account = self._account(owner)
            account.errors[where] += 1
            account.last = last
        fields = {"plugin": owner, "where": where, "message_id": last["message"], "error": last["error"]}
        self._log.error("plugin fault", **fields, at=place_of(error))

    def refuse(self, owner: str, permission: str, what: str) -> None:
        """Note that *owner* was refused *what* for want of *permission*."""
        with self._lock:
            self._account(owner).refusals[permission] += 1
        self._log.warning("permission refused", plugin=owner, permission=permission, what=what)

    def quarantine(self, owner: str, reason: str) -> None:
        """Have *owner* switched off, without waiting for it."""
        self._log.error("plugin quarantined", plugin=owner, reason=reason)
        if self._quarantine is not None:
            self._quarantine(owner, reason)

    def took(self, owner: str, what: str, seconds: float) -> None:
        """Note that *owner* worked for *seconds* at *what*."""
        with self._lock:
            account = self._account(owner)
            account.calls[what] += 1
            account.seconds[what] += seconds

    def summary(self, plugin_id: str) -> dict[str, Any]:
        """Return the account of the plugin's present version as JSON: errors, refusals, calls, seconds, last."""
        with self._lock:
            account = self._account(plugin_id)
            return {
                "version": self._version_of(plugin_id),
                "errors": dict(account.errors),
                "refusals": dict(account.refusals),
                "calls": dict(account.calls),
                "seconds": dict(account.seconds),
                "last": account.last,
            }

    def totals(self) -> Mapping[tuple[str, str], dict[str, Any]]:
        """Return, by plugin and version, the same counters for the metrics."""
        with self._lock:
            return {
                key: {
                    "errors": dict(a.errors),
                    "refusals": dict(a.refusals),
                    "calls": dict(a.calls),
                    "seconds": dict(a.seconds),
                }
                for key, a in self._accounts.items()
            }

    def join(
        self,
        *,
        version_of: VersionOf,
        quarantine: Callable[[str, str], Any],
        secrets_of: Callable[[str], list[str]] = lambda _: [],
    ) -> None:
        """Join the accounts to the life cycle: how to ask for a plugin's version, how to switch it off, and which
        texts of its errors must not be shown."""
        self._version_of = version_of
        self._quarantine = quarantine
        self._secrets_of = secrets_of

    def _account(self, owner: str) -> _Account:
        return self._accounts[owner, self._version_of(owner)]


def _text(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {error.text}" if isinstance(error, CorehostError) else described(error)
