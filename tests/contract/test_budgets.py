"""Budgets are read strictly, and one for a plugin wins over one for all."""

from __future__ import annotations

import pytest

from corehost.contract.budgets import BUDGETS, Allowance, Budget, read_budget


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("errors=100", Budget(plugin_id=None, kind="errors", limit=100.0)),
        (" clock:hooks = 0.5 ", Budget(plugin_id="clock", kind="hooks", limit=0.5)),
        ("slow=off", Budget(plugin_id=None, kind="slow", limit=None)),
    ],
)
def test_a_budget_is_read(text: str, budget: Budget) -> None:
    assert read_budget(text) == budget


@pytest.mark.parametrize("text", ["", "errors", "error=5", "clock:=5", "=5", "a:b:errors:5"])
def test_a_kind_that_does_not_exist_is_refused_with_those_that_do(text: str) -> None:
    with pytest.raises(ValueError, match=r"errors, slow, blocked, overflow, hooks|greater than 0"):
        read_budget(text)


@pytest.mark.parametrize("text", ["errors=", "errors=0", "errors=-1", "errors=many", "errors=inf", "errors=nan"])
def test_a_limit_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a number greater than 0, or 'off'"):
        read_budget(text)


def test_the_budget_of_one_plugin_wins() -> None:
    allowance = Allowance(map(read_budget, ("errors=7", "clock:errors=off", "clock:slow=1")))

    assert allowance.limit("other", "errors") == 7
    assert allowance.limit("clock", "errors") is None
    assert (allowance.limit("clock", "slow"), allowance.limit("other", "slow")) == (1, BUDGETS["slow"])
