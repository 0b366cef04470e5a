"""The order in which plugins load, and why one cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.manifest import Manifest, PluginDependency
from corehost.plugins.dependencies import Standing, absent_of, dependants_of, load_order, needs_of, resolve

IDS = st.sampled_from([f"p{number}" for number in range(8)])


def manifest(
    plugin_id: str, *wanted: tuple[str, str], version: str = "1.0.0", priority: int = 0, optional: bool = False
) -> Manifest:
    return Manifest(
        id=plugin_id,
        name=plugin_id,
        version=version,
        description="",
        priority=priority,
        dependencies=tuple(
            PluginDependency(plugin_id=name, version=range_, optional=optional) for name, range_ in wanted
        ),
    )


def by_id(*manifests: Manifest) -> dict[str, Manifest]:
    return {one.id: one for one in manifests}


@st.composite
def fleets(draw: st.DrawFn, *, optional: bool = False) -> dict[str, Manifest]:
    found = {}
    for plugin_id in draw(st.sets(IDS, min_size=1)):
        wanted = draw(st.sets(IDS, max_size=3)) - {plugin_id}
        is_optional = optional and draw(st.booleans())
        found[plugin_id] = manifest(
            plugin_id, *((name, "*") for name in sorted(wanted)), priority=draw(st.integers(0, 2)), optional=is_optional
        )
    return found


@given(fleets(optional=True))
def test_every_plugin_is_in_the_load_order_once(fleet: dict[str, Manifest]) -> None:
    assert sorted(load_order(fleet)) == sorted(fleet)


@given(fleets())
def test_a_plugin_loads_after_all_that_it_needs_or_is_refused(fleet: dict[str, Manifest]) -> None:
    resolution = resolve(fleet, {})

    assert {*resolution.order, *resolution.refused} == set(fleet)
    for position, plugin_id in enumerate(resolution.order):
        for dependency in fleet[plugin_id].dependencies:
            assert dependency.plugin_id in resolution.order[:position]
    for plugin_id in resolution.refused:
        needs = [dependency.plugin_id for dependency in fleet[plugin_id].dependencies]
        assert any(name not in fleet or name in resolution.refused for name in needs)


@given(fleets())
def test_among_those_that_could_be_next_the_highest_priority_then_the_first_id_is(fleet: dict[str, Manifest]) -> None:
    order = resolve(fleet, {}).order

    for position, plugin_id in enumerate(order):
        done = set(order[:position])
        free = [n for n in order[position:] if {d.plugin_id for d in fleet[n].dependencies} <= done]
        assert plugin_id == min(free, key=lambda name: (-fleet[name].priority, name))


@given(fleets(), IDS)
def test_whoever_is_left_when_dependants_are_gone_needs_nothing_that_is_gone(
    fleet: dict[str, Manifest], gone: str
) -> None:
    order = resolve(fleet, {}).order
    loaded = {name: fleet[name] for name in order}
    if gone not in loaded:
        return
    dependants = dependants_of(gone, loaded)
    left = set(loaded) - {*dependants, gone}

    assert all({d.plugin_id for d in loaded[name].dependencies} <= left for name in left)
    for position, name in enumerate(dependants):
        still_there = dependants[position + 1 :]
        assert name not in {d.plugin_id for other in still_there for d in loaded[other].dependencies}


@given(fleets(optional=True))
def test_optional_dependencies_never_keep_a_plugin_from_loading(fleet: dict[str, Manifest]) -> None:
    refused = resolve(fleet, {}).refused
    for plugin_id in refused:
        required = [d.plugin_id for d in fleet[plugin_id].dependencies if not d.optional]
        assert any(name not in fleet or name in refused for name in required)


def test_a_wrong_version_is_told_as_the_whole_chain() -> None:
    fleet = by_id(manifest("a", ("b", "^1.0.0")), manifest("b", ("c", ">=2")), manifest("c", version="1.4.0"))

    refused = resolve(fleet, {}).refused

    chain = "a needs b ^1.0.0, b needs c >=2, found c 1.4.0"
    assert str(refused["a"]) == f"Plugin 'a' cannot be loaded: {chain}. Install a version of 'c' within >=2."
    assert "b needs c >=2, found c 1.4.0" in str(refused["b"])
    assert "c" not in refused


@pytest.mark.parametrize(
    ("standing", "text"),
    [
        (None, "a needs b ^1.0.0, b is not installed. Install 'b'."),
        (Standing(version="1.2.0", obstacle="is disabled"), "a needs b ^1.0.0, b is disabled. Enable 'b' first."),
        (Standing(version="2.0.0"), "a needs b ^1.0.0, found b 2.0.0. Install a version of 'b' within ^1.0.0."),
        (
            Standing(version="1.0.0-alpha"),
            "a needs b ^1.0.0, found b 1.0.0-alpha. Install a version of 'b' within ^1.0.0.",
        ),
    ],
)
def test_what_stands_in_the_way_outside_of_those_that_load_is_named(standing: Standing | None, text: str) -> None:
    others = {} if standing is None else {"b": standing}

    assert text in str(resolve(by_id(manifest("a", ("b", "^1.0.0"))), others).refused["a"])


def test_an_enabled_plugin_of_a_right_version_satisfies() -> None:
    resolution = resolve(by_id(manifest("a", ("b", "^1.0.0"))), {"b": Standing(version="1.9.3")})

    assert resolution.order == ("a",)


def test_a_cycle_is_named_from_whoever_stands_before_it() -> None:
    fleet = by_id(manifest("x", ("a", "*")), manifest("a", ("b", "^1")), manifest("b", ("a", "*")))

    refused = resolve(fleet, {}).refused

    assert "x needs a *, a needs b ^1, b needs a *, which is a cycle" in str(refused["x"])
    assert "a needs b ^1, b needs a *, which is a cycle" in str(refused["a"])


def test_an_optional_dependency_loads_before_if_it_can_and_breaks_a_knot_if_it_must() -> None:
    assert load_order(by_id(manifest("a", ("b", "*"), optional=True), manifest("b"))) == ("b", "a")

    knot = by_id(manifest("a", ("b", "*"), optional=True), manifest("b", ("a", "*")))
    assert resolve(knot, {}).order == ("a", "b")


def test_needs_are_followed_to_their_ends_and_cycles_end() -> None:
    fleet = by_id(manifest("a", ("b", "*")), manifest("b", ("c", "*"), ("gone", "*")), manifest("c", ("a", "*")))

    assert needs_of("a", fleet) == {"b", "c"}


def test_an_optional_dependency_of_a_wrong_version_counts_as_absent() -> None:
    wanting = manifest("a", ("b", "^1.0.0"), ("c", "^1.0.0"), optional=True)

    assert absent_of(wanting, {"b": "2.0.0", "c": "1.0.1"}) == ("b",)


def test_a_chain_of_a_thousand_plugins_is_ordered() -> None:
    chain = by_id(*(manifest(f"p{n:04}", *([(f"p{n + 1:04}", "*")] if n < 999 else [])) for n in range(1000)))

    assert resolve(chain, {}).order == tuple(sorted(chain, reverse=True))
