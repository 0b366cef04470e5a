"""Keep the account of what each plugin did wrong, what it was refused and how long it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from corehost.contract.budgets import Allowance
from corehost.contract.errors import CorehostError
from corehost.contract.message import Message
from corehost.messaging.faults import Blockage
from corehost.plugins.accounts import USERS, Account, Accounts
from corehost.plugins.deadlines import described
from corehost.plugins.figures import LAG
from corehost.plugins.logger import masked
from corehost.plugins.places import place_of
from corehost.plugins.spending import Spending, Verdict

Undo = Callable[[], None]
VersionOf = Callable[[str], str]

SLOW_SECONDS = 0.25
"""How long a message, request, method or hook may take before it counts as slow."""
_SLOW = frozenset({"handler", "timer", "event", "store", "request", "method", "hook"})
_FREE = frozenset({"crash", "drain", "leak", "reload", "unload", "worker"})
"""Faults that are not paid from the budget of errors: they have consequences of their own, or come but once."""


class Warden(Protocol):
    """Holds plugins back; must not wait."""

    def throttle(self, owner: str, reason: str) -> None:
        """Slow *owner* down."""

    def quarantine(self, owner: str, reason: str) -> None:
        """Have *owner* switched off."""

    def pace(self, owner: str, count: int) -> None:
        """Hold up this thread, the lane's of *owner*, after *count* messages, if the plugin is held back."""

    def blocked(self, owner: str, blockage: Blockage) -> dict[str, Any]:
        """Tell everyone, and return the evidence as JSON."""


class Faults:
    """The accounts of all plugins, by plugin and version.

    It is made before bus and plugins, because both report to it; ``join`` joins it to the life cycle. Its methods
    are called from any thread and never raise.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._lock = threading.Lock()
        self._accounts = Accounts()
        self._spending = Spending()
        self._warden: Warden | None = None
        self._secrets_of: Callable[[str], list[str]] = lambda _: []
        self._parts = threading.local()
        self._watcher: Callable[[str, Mapping[str, Any]], None] | None = None

    def watch(self, watcher: Callable[[str, Mapping[str, Any]], None]) -> None:
        """Call *watcher* with the owner and each fault that is charged, in whichever thread it is."""
        self._watcher = watcher

    def charge(
        self,
        owner: str,
        error: BaseException,
        *,
        where: str,
        message: Message | None = None,
        stack: Sequence[str] = (),
    ) -> None:
        """Charge *owner* for *error*, which its code raised in *where* (``handler``, ``method``, ``hook``, …).

        *stack* are the lines to keep as evidence, if the error has none of its own.
        """
        fault: dict[str, Any] = {
            "where": where,
            "error": masked(_text(error), self._secrets_of(owner)),
            "message": None if message is None else message.id,
            "at": time.time(),
            "place": place_of(error),
            **({"stack": list(stack)} if stack else {}),
        }
        with self._lock:
            account = self._accounts.of(owner)
            account.errors[where] += 1
            account.faults.append(fault)
        if self._watcher is not None:
            self._watcher(owner, fault)
        fields = {"plugin": owner, "where": where, "message_id": fault["message"], "error": fault["error"]}
        self._log.error("plugin fault", **fields, at=fault["place"])
        if where not in _FREE:
            self.spend(owner, "errors", 1)

    def refuse(self, owner: str, permission: str, what: str) -> None:
        """Note that *owner* was refused *what* for want of *permission*."""
        with self._lock:
            # People are many, and their names no business of who reads the metrics.
            account = self._accounts.of(USERS if owner.startswith("user:") else owner)
            account.refusals[permission] += 1
        self._log.warning("permission refused", plugin=owner, permission=permission, what=what)

    def quarantine(self, owner: str, reason: str) -> None:
        """Have *owner* switched off, without waiting for it."""
        self._log.error("plugin quarantined", plugin=owner, reason=reason)
        if self._warden is not None:
            self._warden.quarantine(owner, reason)

    def took(
        self,
        owner: str,
        what: str,
        seconds: float,
        *,
        count: int = 1,
        lag: float | None = None,
        is_part: bool = False,
    ) -> None:
        """Note that *owner* worked for *seconds* at *what*, *count* times; see ``FaultSink``."""
        if is_part:
            self._parts.told = (*self._told_parts(), seconds)
        elif what == "handler":
            parts, self._parts.told = self._told_parts(), ()
            seconds, count = seconds - sum(parts), count - len(parts)
        with self._lock:
            figures = self._accounts.of(owner).figures
            if count > 0:
                figures.add(what, seconds, count)
            if lag is not None:
                figures.add(LAG, lag)
        if count > 0:
            self._spend_time(owner, what, seconds, count)
        if what == "handler" and self._warden is not None:
            self._warden.pace(owner, count)

    def blocked(self, owner: str, blockage: Blockage) -> None:
        """Note that the lane of *owner* stands still, and where its thread is."""
        evidence = {} if self._warden is None else self._warden.blocked(owner, blockage)
        evidence = {"where": blockage.where, "at": time.time(), "seconds": blockage.seconds, **evidence}
        with self._lock:
            account = self._accounts.of(owner)
            account.blockages.append(evidence)
            account.blockages_told[blockage.where] += 1
            account.blocked = time.time() - blockage.seconds
        stack = evidence.get("stack", [])
        self._log.warning("lane blocked", plugin=owner, where=blockage.where, seconds=blockage.seconds, at=stack)
        self.spend(owner, "blocked", 1)

    def unblocked(self, owner: str, seconds: float) -> None:
        """Note that it goes on, or was given up, after *seconds*."""
        with self._lock:
            account = self._accounts.of(owner)
            account.blocked = None
            if account.blockages:
                account.blockages[-1]["seconds"] = seconds

    def was_blocked(self, owner: str, seconds: float) -> bool:
        """Tell whether the lane of *owner* stands still, or stood still within the last *seconds*."""
        with self._lock:
            account = self._accounts.of(owner)
            last = account.blockages[-1] if account.blockages else None
            return account.blocked is not None or (
                last is not None and time.time() - last["at"] - last["seconds"] < seconds
            )

    def overflowed(self, owner: str, count: int, text: str) -> None:
        """Charge *owner* for *count* messages that were lost, as *text* says."""
        fault = {"where": "overflow", "error": text, "message": None, "at": time.time(), "place": None}
        with self._lock:
            account = self._accounts.of(owner)
            account.errors["overflow"] += count
            account.faults.append(fault)
        self._log.warning("messages lost", plugin=owner, count=count, why=text)
        self.spend(owner, "overflow", count)

    def spend(self, owner: str, kind: str, amount: float) -> None:
        """Take *amount* of *kind* from the budget of *owner*, and see to it that the consequences follow."""
        with self._lock:
            version = self._accounts.version_of(owner)
            verdict = self._spending.spend(owner, version, kind, amount) if version else None  # else it is no plugin
            limit = self._spending.allowance.limit(owner, kind)
        if verdict is not None and self._warden is not None:
            self._judge(owner, verdict, f"It has spent its budget of {limit:g} {kind} a minute")

    def forgive(self, owner: str, version: str | None = None) -> None:
        """Let *owner* begin anew with full budgets."""
        with self._lock:
            self._spending.forgive(owner, self._accounts.version_of(owner) if version is None else version)

    def note_left(self, owner: str, version: str, left: tuple[str, ...]) -> None:
        """Keep what a version of *owner* has left behind; nothing, when it has gone by now."""
        with self._lock:
            self._accounts.of(owner, version).left = left

    def summary(self, plugin_id: str) -> dict[str, Any]:
        """Return the account of the plugin's present version as JSON.

        ``errors refusals blockages calls seconds`` are counters by kind, ``figures`` is all about times by kind of
        work. The evidence: ``last`` and the last ``faults``, where it was ``stuck``, what is ``left`` of it. And since
        when its lane is ``blocked``, and what it has spent of its ``budgets``.
        """
        with self._lock:
            version, account = self._accounts.version_of(plugin_id), self._accounts.of(plugin_id)
            last = account.faults[-1] if account.faults else None
            return {
                "version": version,
                **account.totals(),
                "last": last,
                **account.evidence(),
                "blocked": account.blocked,
                "figures": account.figures.to_json(),
                "budgets": self._spending.used(plugin_id, version),
            }

    def totals(self) -> Mapping[tuple[str, str], dict[str, Any]]:
        """Return, by plugin and version, the same counters for the metrics."""
        with self._lock:
            return {key: account.totals() for key, account in self._accounts.all()}

    def histograms(self) -> Mapping[tuple[str, str], dict[str, tuple[Mapping[int, int], float]]]:
        """Return, by plugin and version, for each kind of work its durations by bucket and their sum in seconds."""
        with self._lock:
            return {key: _histograms(account) for key, account in self._accounts.all()}

    def states(self) -> Mapping[tuple[str, str], tuple[bool, int]]:
        """Return, by plugin and version, whether its lane stands still and how much it has left behind."""
        with self._lock:
            return {key: (a.blocked is not None, len(a.left)) for key, a in self._accounts.all()}

    def join(
        self,
        *,
        version_of: VersionOf,
        warden: Warden | None = None,
        secrets_of: Callable[[str], list[str]] = lambda _: [],
        allowance: Allowance | None = None,
    ) -> None:
        """Join the accounts to the life cycle: how to ask for a plugin's version, who holds it back, which texts of
        its errors must not be shown, and what it may spend."""
        self._accounts.version_of = version_of
        self._warden = warden
        self._secrets_of = secrets_of
        self._spending.allowance = allowance or self._spending.allowance

    def _told_parts(self) -> tuple[float, ...]:
        told: tuple[float, ...] = getattr(self._parts, "told", ())
        return told

    def _spend_time(self, owner: str, what: str, seconds: float, count: int) -> None:
        if what == "hook":
            self.spend(owner, "hooks", seconds)
        if what in _SLOW and seconds / count > SLOW_SECONDS:
            self.spend(owner, "slow", count)

    def _judge(self, owner: str, verdict: Verdict, reason: str) -> None:
        assert self._warden is not None  # what "spend" made sure of
        if verdict == "throttle":
            self._log.warning("plugin throttled", plugin=owner, reason=reason)
            self._warden.throttle(owner, reason)
        else:
            self.quarantine(owner, f"{reason}, and again while it was throttled")


def _histograms(account: Account) -> dict[str, tuple[Mapping[int, int], float]]:
    return {kind: (timing.ever.counts(), timing.seconds) for kind, timing in account.figures.timings.items()}


def _text(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {error.text}" if isinstance(error, CorehostError) else described(error)
