"""How much harm a plugin may do in a minute before it is held back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BUDGETS: Final[dict[str, float]] = {
    "errors": 300.0,
    "slow": 240.0,
    "blocked": 30.0,
    "overflow": 10_000.0,
    "hooks": 20.0,
}
"""The kinds of harm and what is allowed of each in a minute.

``errors``: times that its code raised. ``slow``: messages, requests, methods and hooks that took over 0.25 s each.
``blocked``: times that its lane stood still for over 1 s. ``overflow``: messages lost because it sent too many.
``hooks``: seconds for which hooks that the host asks of all plugins made others wait.
"""

OFF: Final = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one plugin, or with ``None`` each, may spend of one kind in a minute; ``limit`` is ``None`` for no limit."""

    plugin_id: str | None
    kind: str
    limit: float | None


def read_budget(text: str) -> Budget:
    """Return the budget that *text* describes, such as ``errors=100``, ``clock:hooks=5`` or ``slow=off``.

    Raises ``ValueError`` that says what is expected.
    """
    name, _, value = text.strip().partition("=")
    plugin_id, _, kind = name.strip().rpartition(":")
    if kind not in BUDGETS:
        raise ValueError(f"[PLUGIN:]KIND=NUMBER, with a KIND of {', '.join(BUDGETS)}")
    limit = None if value.strip() == OFF else _number(value)
    return Budget(plugin_id=plugin_id or None, kind=kind, limit=limit)


class Allowance:
    """What every plugin may spend: the defaults, changed by *budgets*; one that names a plugin wins."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self._limits: dict[tuple[str | None, str], float | None] = {(None, kind): n for kind, n in BUDGETS.items()}
        self._limits |= {(budget.plugin_id, budget.kind): budget.limit for budget in budgets}

    def limit(self, plugin_id: str, kind: str) -> float | None:
        """Return how much of *kind* a plugin may spend in a minute, ``None`` for no limit."""
        key = plugin_id, kind
        return self._limits[key] if key in self._limits else self._limits[None, kind]


def _number(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"a number greater than 0, or '{OFF}', after the '='")
    return number
