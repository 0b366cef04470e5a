"""The search for culprits by halving, without a host."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.cli.bisection import Bisection, Finding
from corehost.contract.errors import ConflictError

Needs = Mapping[str, tuple[str, ...]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Return plugins in load order, and for each what of those before it is needed."""
    plugins = [f"p{number}" for number in range(draw(st.integers(1, 40)))]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(plugins[:index]), max_size=2, unique=True))) if index else ()
        for index, name in enumerate(plugins)
    }
    return plugins, needs


def closure(name: str, needs: Needs) -> set[str]:
    return {name}.union(*(closure(other, needs) for other in needs[name]))


@given(graphs(), st.data())
def test_one_or_two_culprits_are_found_in_few_looks(graph: tuple[list[str], Needs], data: st.DataObject) -> None:
    plugins, needs = graph
    culprits = frozenset(data.draw(st.lists(st.sampled_from(plugins), min_size=1, max_size=2, unique=True)))

    def has_problem(enabled: frozenset[str]) -> bool:
        for name in enabled:
            assert closure(name, needs) <= enabled, "a plugin was on without what it needs"
        return culprits <= enabled

    found = Bisection(plugins, needs, has_problem).run()

    # One that another culprit needs is on with it anyhow, and cannot be told apart.
    apart = {c for c in culprits if not any(c in closure(other, needs) for other in culprits - {c})}
    assert set(found.culprits) == apart
    assert not found.persists
    assert not found.others
    assert found.asked <= math.ceil(math.log2(len(plugins) + 1)) * len(apart) + 3 + len(apart)


def search(*plugins: str, needs: Needs | None = None, bad: tuple[tuple[str, ...], ...]) -> Finding:
    return Bisection(plugins, needs or {}, lambda on: any(set(group) <= on for group in bad)).run()


def test_a_problem_that_no_plugin_causes_persists() -> None:
    assert search("a", "b", bad=((),)) == Finding(persists=True, asked=2)


def test_a_problem_that_is_not_there_is_not_looked_for() -> None:
    assert search("a", "b", bad=()) == Finding(asked=1)


def test_a_second_cause_is_told() -> None:
    found = search("a", "b", "c", "d", bad=(("b",), ("d",)))

    assert found.culprits == ("b",)
    assert found.others


def test_three_that_act_together_are_found() -> None:
    assert set(search(*"abcdefgh", bad=(("b", "e", "h"),)).culprits) == {"b", "e", "h"}


def test_a_problem_that_takes_too_many_or_comes_and_goes_is_given_up() -> None:
    with pytest.raises(ConflictError, match="comes and goes by itself"):
        search(*"abcdefgh", bad=(tuple("abcdefgh"),))
